//! Whether a tree is a Python application, and how sure that is.

use slipway_buildpack_sdk::{Context, Detected, Source, WHOLE_APPLICATION, detection, reason};

use crate::{installer, project, start};

const WHOLE: u8 = WHOLE_APPLICATION + 10;
const UNCLEAR: u8 = 60;
/// Scripts beside another language's application.
const SCRIPTS: u8 = 30;

const MANIFESTS: [&str; 8] =
    ["requirements.txt", "pyproject.toml", "Pipfile", "uv.lock", "poetry.lock", "setup.py", "manage.py", "setup.cfg"];
const OTHER_LANGUAGES: [&str; 9] =
    ["package.json", "composer.json", "Gemfile", "go.mod", "Cargo.toml", "mix.exs", "pom.xml", "build.gradle", "deno.json"];

pub fn detect(source: &Source, context: &Context) -> Detected {
    let manifest = source.first_file(&MANIFESTS);
    let program = source.list(".").into_iter().find(|entry| !entry.is_dir && entry.name.ends_with(".py"));
    let evidence = match (manifest, &program) {
        (Some(manifest), _) => manifest,
        (None, Some(program)) => program.name.as_str(),
        (None, None) => return Detected::No(MANIFESTS.iter().take(4).map(|file| reason(file, format!("there is no {file}"))).collect()),
    };
    let project = match project::load(source) {
        Ok(project) => project,
        Err(refusal) => return Detected::Refused(refusal),
    };
    let way = start::find(source, context, &project);
    let installer = installer::choose(source, &project).ok().and_then(|(installer, _)| installer);
    let answer = detection(context)
        .framework(start::framework(source, &project))
        // pip is there even when there is nothing to install.
        .package_manager(Some(installer.map_or("pip", installer::Installer::name)))
        .because(evidence, "a Python application");
    let stated_elsewhere = |why: &str| matches!(why, "Procfile" | "the settings") && manifest.is_none();
    match (way, manifest) {
        (Some(start), Some(_)) if !stated_elsewhere(start.why) => {
            answer.score(WHOLE).because(evidence, format!("started by {}", start.why))
        }
        (None, Some(_)) => answer.score(UNCLEAR),
        (_, None) if source.first_file(&OTHER_LANGUAGES).is_some() => answer.score(SCRIPTS),
        (Some(start), None) if stated_elsewhere(start.why) => answer.score(UNCLEAR),
        (Some(_), _) => answer.score(WHOLE - 10),
        (None, None) => answer.score(SCRIPTS),
    }
    .into()
}
