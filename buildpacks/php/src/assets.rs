//! Styles and scripts that a `package.json` beside the PHP application builds, in a step of Node's.

use serde_json::Value;
use slipway_buildpack_sdk::{Base, Cache, Input, Run, Source, Step, Tool, argv};

pub struct Assets {
    pub tool: Tool,
    pub step: Step,
    pub cache: Cache,
}

/// The manifest and the script that builds, when there is one.
fn build_script(source: &Source) -> Option<(Value, &'static str)> {
    let manifest: Value = serde_json::from_str(&source.peek("package.json")?).ok()?;
    let has_script = |name: &&str| manifest.pointer(&format!("/scripts/{name}")).is_some_and(Value::is_string);
    // Laravel Mix calls it `production`, and `prod` for short.
    let script = ["build", "production", "prod"].into_iter().find(has_script)?;
    Some((manifest, script))
}

pub fn are_built(source: &Source) -> bool {
    build_script(source).is_some()
}

/// The step, when there is a script for it. `vendor`: the step whose `/app/vendor` the build may look into.
pub fn plan(source: &Source, vendor: Option<&str>) -> Option<Assets> {
    let (manifest, script) = build_script(source)?;
    let stated = manifest.pointer("/engines/node").and_then(Value::as_str).filter(|range| !range.trim().is_empty());
    let tool = Tool {
        name: "node".into(),
        constraint: stated.unwrap_or("22").into(),
        source: stated.map_or(String::new(), |_| "package.json#engines.node".into()),
        is_default: stated.is_none(),
    };
    let named = manifest.get("packageManager").and_then(Value::as_str).unwrap_or_default();
    let Manager { program, package, install } = manager(source, named);
    let setup = package.map(|package| vec!["npm".to_owned(), "install".into(), "--global".into(), "--force".into(), package]);
    let run = |words: Vec<String>| Run { command: argv(words), cwd: "/app".into(), env: vec![], network: true };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut inputs = vec![Input {
        origin: "source".into(),
        include: vec![],
        exclude: [".git", "**/node_modules", "vendor"].map(str::to_owned).to_vec(),
        dest: "/app".into(),
    }];
    // Themes and components often bring styles of their own below `vendor`.
    inputs.extend(vendor.map(|step| Input {
        origin: step.to_owned(),
        include: vec!["/app/vendor".into()],
        exclude: vec![],
        dest: "/app".into(),
    }));
    let step = Step {
        id: "assets".into(),
        base: Base::Tool("node".into()),
        inputs,
        files: vec![],
        run: setup.into_iter().map(run).chain([run(words(install)), run(words(&[program, "run", script]))]).collect(),
        caches: vec!["npm".into()],
        secrets: vec![],
        packages: vec![],
    };
    Some(Assets { tool, step, cache: Cache { id: "npm".into(), path: "/root/.npm".into(), shared: true } })
}

struct Manager {
    program: &'static str,
    /// What npm installs to have it; `None`: Node's image brings it.
    package: Option<String>,
    install: &'static [&'static str],
}

/// By `packageManager`, else by the lockfile.
fn manager(source: &Source, named: &str) -> Manager {
    let (name, version) = named.split_once('@').unwrap_or((named, ""));
    let version = version.split('+').next().filter(|version| version.starts_with(|c: char| c.is_ascii_digit()));
    let is = |manager: &str, lockfiles: &[&str]| name == manager || (name.is_empty() && source.first_file(lockfiles).is_some());
    if is("pnpm", &["pnpm-lock.yaml"]) {
        let install: &[&str] = if source.is_file("pnpm-lock.yaml") {
            &["pnpm", "install", "--frozen-lockfile", "--prod=false"]
        } else {
            &["pnpm", "install", "--prod=false"]
        };
        let lockfile = source.peek_start("pnpm-lock.yaml", 200).unwrap_or_default();
        let usual = if lockfile.contains("lockfileVersion: 5") { "7" } else { "9" };
        Manager { program: "pnpm", package: Some(format!("pnpm@{}", version.unwrap_or(usual))), install }
    } else if is("yarn", &["yarn.lock"]) {
        let is_first = version.map_or_else(|| !source.is_file(".yarnrc.yml"), |version| version.starts_with("1."));
        let package = match (is_first, version) {
            (true, version) => format!("yarn@{}", version.unwrap_or("1")),
            (false, version) => format!("@yarnpkg/cli-dist@{}", version.unwrap_or("4")),
        };
        let install: &[&str] = match (is_first, source.is_file("yarn.lock")) {
            (true, true) => &["yarn", "install", "--frozen-lockfile", "--production=false"],
            (true, false) => &["yarn", "install", "--production=false"],
            (false, true) => &["yarn", "install", "--immutable"],
            (false, false) => &["yarn", "install"],
        };
        Manager { program: "yarn", package: Some(package), install }
    } else if is("bun", &["bun.lock", "bun.lockb"]) {
        Manager { program: "bun", package: Some(format!("bun@{}", version.unwrap_or("1"))), install: &["bun", "install"] }
    } else if source.first_file(&["package-lock.json", "npm-shrinkwrap.json"]).is_some() {
        Manager { program: "npm", package: None, install: &["npm", "ci", "--include=dev", "--no-audit", "--no-fund"] }
    } else {
        Manager { program: "npm", package: None, install: &["npm", "install", "--include=dev", "--no-audit", "--no-fund"] }
    }
}
