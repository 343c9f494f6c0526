//! Whether a tree is a Node application or a bare site, and how sure that is.

use slipway_buildpack_sdk::{Context, Detected, Source, WHOLE_APPLICATION, detection, reason};

use crate::{
    application, assets, manager_choice,
    manifest::{self, FILE, Manifest},
    members,
    package_manager::Manager,
    serve::{self, Serve},
    start_script::last_command,
};

const WHOLE: u8 = WHOLE_APPLICATION + 10;
/// There is a package.json, but it may be here for the sake of another language's application.
const ASSETS_ONLY: u8 = 45;
/// A package.json that says nothing about how to start.
const UNCLEAR: u8 = 60;
/// A script without a package.json, by a name that servers bear.
const BARE_SCRIPT: u8 = 25;
/// Packages below a root that is none itself.
const MEMBERS: u8 = 24;
const BARE_SITE: u8 = 10;

/// Manifests of other languages: beside one of them a package.json without a server of its own only makes assets. These are of
/// languages that other buildpacks here know ...
pub const OTHER_LANGUAGES: [&str; 15] = [
    "composer.json",
    "artisan",
    "index.php",
    "public/index.php",
    "web/index.php",
    "wp-config.php",
    "wsgi.py",
    "asgi.py",
    "requirements.txt",
    "pyproject.toml",
    "Pipfile",
    "manage.py",
    "setup.py",
    "main.py",
    "app.py",
];

/// ... and these of languages that none knows, so that assets are all that could be built, which is never what is meant.
pub const UNKNOWN_LANGUAGES: [&str; 14] = [
    "Gemfile",
    "config.ru",
    "go.mod",
    "Cargo.toml",
    "mix.exs",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "project.clj",
    "build.sbt",
    "pubspec.yaml",
    "shard.yml",
    "deno.json",
    "Package.swift",
];

pub fn detect(source: &Source, context: &Context) -> Detected {
    let manifest = match manifest::load(source) {
        Ok(Some(manifest)) => manifest,
        Ok(None) => return detect_bare(source, context),
        Err(refusal) => return Detected::Refused(refusal),
    };
    // A conflict of lockfiles is the plan's to refuse; it does not make this any less of a Node application.
    let manager = manager_choice::choose(source, &manifest).ok().map(|(manager, _)| manager);
    let name = manager.as_ref().map(|manager| manager.kind.name());
    let unknown = source.first_file(&UNKNOWN_LANGUAGES);
    let other = source.first_file(&OTHER_LANGUAGES).or(unknown);
    let application = application::find(source, context, &manifest, &manager.unwrap_or_else(Manager::npm));
    let (way, found) = (application.serve, application.framework);

    let answer = detection(context).framework(found.map(|framework| framework.name)).package_manager(name).because(FILE, "a package.json");
    let answer = match (&way, other) {
        // The start command of another language's application may be in the Procfile; its own words tell.
        (Some(Serve::Process { line, why: "Procfile" | "the settings", .. }), Some(_)) if !runs_node(line) => answer.score(ASSETS_ONLY),
        (Some(Serve::Process { line, why: "Procfile", .. }), None) if runs_another(line) => {
            return Detected::No(vec![reason("Procfile", "its `web` runs another language")]);
        }
        (Some(Serve::Process { line, why, .. }), Some(other)) if *why == "main" || !is_server(&manifest, line) => {
            answer.score(ASSETS_ONLY).because(other, "may be the application's own manifest")
        }
        (Some(Serve::Process { why, .. }), _) => answer.score(WHOLE).because_key(FILE, why, "starts it"),
        (Some(Serve::Nothing), _) => answer.score(WHOLE),
        (Some(Serve::Static { .. }), Some(other)) => answer.score(ASSETS_ONLY).because(other, "may be the application's own manifest"),
        (Some(Serve::Static { dir, .. }), None) => answer.score(WHOLE).because(FILE, format!("builds a site in `{dir}`")),
        (None, Some(_)) => answer.score(ASSETS_ONLY - 10),
        (None, None) => answer.score(UNCLEAR),
    };
    let makes_assets = other.is_some() && assets::script(&manifest).is_some();
    match (Detected::from(answer), unknown) {
        (Detected::Yes(mut detection), None) if detection.score <= ASSETS_ONLY && makes_assets => {
            detection.provides.push(".".into());
            Detected::Yes(detection)
        }
        (Detected::Yes(detection), Some(unknown)) if detection.score <= ASSETS_ONLY => {
            Detected::No(vec![reason(unknown, "the application's own manifest, beside which package.json only makes assets")])
        }
        (answer, _) => answer,
    }
}

fn detect_bare(source: &Source, context: &Context) -> Detected {
    if let Some(other) = source.first_file(&OTHER_LANGUAGES).or_else(|| source.first_file(&UNKNOWN_LANGUAGES)) {
        return Detected::No(vec![reason(FILE, "there is no package.json"), reason(other, "the application's own manifest")]);
    }
    match serve::find_bare(source, context) {
        Some(Serve::Process { line, why: why @ ("Procfile" | "the settings"), .. }) if runs_node(&line) => {
            detection(context).score(UNCLEAR).package_manager(Some("npm")).because("Procfile", format!("{why} starts it")).into()
        }
        Some(Serve::Process { line, why: "main", .. }) => {
            detection(context).score(BARE_SCRIPT).package_manager(Some("npm")).because(FILE, format!("none, but `{line}` would run")).into()
        }
        Some(Serve::Static { dir, why: "Staticfile", .. }) => {
            detection(context).score(UNCLEAR).framework(Some("static")).because("Staticfile", format!("serves `{dir}`")).into()
        }
        Some(site) if site.is_bare_site() => {
            detection(context).score(BARE_SITE).framework(Some("static")).because("index.html", "a page without a package.json").into()
        }
        _ => match members::find(source) {
            Some(members) => detection(context)
                .score(MEMBERS)
                .because(&members.evidence, "packages below the root, which has no package.json itself")
                .into(),
            None => Detected::No(vec![reason(FILE, "there is no package.json"), reason("index.html", "and no page")]),
        },
    }
}

/// Whether a `start` script ends in a program of Node's that goes on running, and not in one that builds while somebody edits.
fn is_server(manifest: &Manifest, line: &str) -> bool {
    runs_node(&last_command(manifest, line, 4))
}

/// Whether a command is one of a language that no buildpack here knows.
fn runs_another(line: &str) -> bool {
    line.split_whitespace()
        .any(|word| matches!(word, "ruby" | "bundle" | "rails" | "puma" | "java" | "mix" | "cargo" | "go" | "dotnet" | "sbt" | "lein"))
}

/// Whether a command is one of Node's world.
fn runs_node(line: &str) -> bool {
    line.split(|c: char| c.is_whitespace() || c == '/' || c == ';' || c == '&').any(|word| {
        matches!(
            word,
            "node"
                | "npm"
                | "npx"
                | "yarn"
                | "pnpm"
                | "bun"
                | "next"
                | "nest"
                | "nuxt"
                | "ts-node"
                | "tsx"
                | "nodemon"
                | "remix-serve"
                | "index.js"
                | "pm2"
        )
    })
}
