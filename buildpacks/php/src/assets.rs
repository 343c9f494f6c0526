//! Styles and scripts that a `package.json` beside the PHP application builds, in a step of Node's.

use serde_json::Value;
use slipway_buildpack_sdk::{Base, Cache, Input, Run, Source, Step, Tool, argv};

pub struct Assets {
    pub tool: Tool,
    pub step: Step,
    pub cache: Cache,
}

/// The step, when there is a `build` script. `vendor`: the step whose `/app/vendor` the build may look into.
pub fn plan(source: &Source, vendor: Option<&str>) -> Option<Assets> {
    let manifest: Value = serde_json::from_str(&source.peek("package.json")?).ok()?;
    manifest.pointer("/scripts/build")?.as_str()?;
    let stated = manifest.pointer("/engines/node").and_then(Value::as_str).filter(|range| !range.trim().is_empty());
    let tool = Tool {
        name: "node".into(),
        constraint: stated.unwrap_or("22").into(),
        source: stated.map_or(String::new(), |_| "package.json#engines.node".into()),
        is_default: stated.is_none(),
    };
    let (setup, install, manager): (Option<&[&str]>, &[&str], &str) = if source.is_file("pnpm-lock.yaml") {
        (Some(&["npm", "install", "--global", "--force", "pnpm@9"]), &["pnpm", "install", "--frozen-lockfile", "--prod=false"], "pnpm")
    } else if source.is_file("yarn.lock") {
        (
            Some(&["npm", "install", "--global", "--force", "yarn@1"]),
            &["yarn", "install", "--frozen-lockfile", "--production=false"],
            "yarn",
        )
    } else if source.is_file("package-lock.json") {
        (None, &["npm", "ci", "--no-audit", "--no-fund"], "npm")
    } else {
        (None, &["npm", "install", "--no-audit", "--no-fund"], "npm")
    };
    let run = |words: &[&str]| Run { command: argv(words.iter().copied()), cwd: "/app".into(), env: vec![], network: true };
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
        run: setup.into_iter().map(run).chain([run(install), run(&[manager, "run", "build"])]).collect(),
        caches: vec!["npm".into()],
        secrets: vec![],
        packages: vec![],
    };
    Some(Assets { tool, step, cache: Cache { id: "npm".into(), path: "/root/.npm".into(), shared: true } })
}
