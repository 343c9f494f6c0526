//! Whether a tree is a Python application, and how sure that is.

use slipway_buildpack_sdk::{Context, Detected, Source, WHOLE_APPLICATION, detection, reason};

use crate::{code, framework, installer, project, start, subdirectories, text::plain};

const WHOLE: u8 = WHOLE_APPLICATION + 10;
const UNCLEAR: u8 = 60;
/// Scripts beside another language's application.
const SCRIPTS: u8 = 30;
/// Applications below a root that has none.
const BELOW: u8 = 24;

pub const MANIFESTS: [&str; 8] =
    ["requirements.txt", "pyproject.toml", "Pipfile", "uv.lock", "poetry.lock", "setup.py", "manage.py", "setup.cfg"];
/// A manifest of any of these says that the root is an application of another language.
pub const OTHER_LANGUAGES: [&str; 24] = [
    "package.json",
    "composer.json",
    "index.php",
    "Gemfile",
    "config.ru",
    "go.mod",
    "main.go",
    "Cargo.toml",
    "mix.exs",
    "rebar.config",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "deno.json",
    "deno.jsonc",
    "pubspec.yaml",
    "Package.swift",
    "project.clj",
    "stack.yaml",
    "shard.yml",
    "gleam.toml",
    "build.sbt",
    "build.zig",
    "CMakeLists.txt",
];

pub fn detect(source: &Source, context: &Context) -> Detected {
    let project = match project::load(source) {
        Ok(project) => project,
        Err(refusal) => return Detected::Refused(refusal),
    };
    let requirements = project.requirements.first().map(|file| file.path.as_str());
    let states_runtime = || source.peek("runtime.txt").is_some_and(|text| plain(text).trim_start().starts_with("python"));
    let manifest = requirements
        .or_else(|| source.first_file(&MANIFESTS))
        .or_else(|| installer::conda_file(source))
        .or_else(|| states_runtime().then_some("runtime.txt"));
    let program = source.list(".").into_iter().find(|entry| !entry.is_dir && entry.name.ends_with(".py")).map(|entry| entry.name);
    let has_other_language = source.first_file(&OTHER_LANGUAGES).is_some();
    let function = subdirectories::function(source);
    let evidence = match (manifest, &program, &function) {
        (Some(manifest), ..) => manifest,
        (None, Some(program), _) => program,
        (None, None, Some(function)) => function,
        (None, None, None) => {
            // Of one directory alone, the platform sees that it is the application's root.
            return match &subdirectories::with_manifest(source)[..] {
                [dir, _, ..] if !has_other_language => detection(context)
                    .score(BELOW)
                    .package_manager(None::<String>)
                    .because(dir, "a Python application below the root")
                    .into(),
                _ => Detected::No(MANIFESTS.iter().take(4).map(|file| reason(file, format!("there is no {file}"))).collect()),
            };
        }
    };
    let code = code::load(source);
    let framework = framework::find(source, &project, &code);
    let way = start::find(source, context, &project, &code);
    let installer = installer::choose(source, &project).ok().and_then(|(installer, _)| installer);
    let answer = detection(context)
        .framework(framework.map(|framework| framework.name))
        // pip is there even when there is nothing to install.
        .package_manager(Some(installer.map_or("pip", installer::Installer::name)))
        .because(evidence, "a Python application");
    // What it makes may be anywhere: static files are collected from where the settings say.
    let answer = if source.is_file("package.json") { answer.requires_if_made(".") } else { answer };
    match (way, manifest) {
        // A program beside another language's application may be one of its tools; a framework is not.
        (Some(start), Some(_)) if has_other_language && framework.is_none() && !start.is_stated() => answer.score(UNCLEAR),
        (Some(start), Some(_)) => answer.score(WHOLE).because(evidence, format!("started by {}", start.why)),
        (None, Some(_)) => answer.score(UNCLEAR),
        (_, None) if has_other_language => answer.score(SCRIPTS),
        (Some(start), None) if start.is_stated() => answer.score(UNCLEAR),
        (Some(_), None) => answer.score(WHOLE - 10),
        (None, None) => answer.score(SCRIPTS),
    }
    .into()
}
