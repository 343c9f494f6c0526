//! Styles and scripts for an application of another language: the script that builds them, in steps of Node's own. What is not
//! installed for the build is of no use to that application, whose image has no Node.

use slipway_buildpack_sdk::{Base, Fragment, Image, Layer, Refusal, Run, Source, argv, info};

use crate::{
    manager_choice, manager_version,
    manifest::{FILE, Manifest},
    steps::{APP, Planner, USER},
    version, withdrawn,
};

/// What people call the script; Laravel Mix has it as `production`, or `prod` for short.
const SCRIPTS: [&str; 8] =
    ["heroku-postbuild", "build", "production", "prod", "build:prod", "build:production", "build:assets", "assets:build"];

/// The script that makes assets, where there is one.
pub fn script(manifest: &Manifest) -> Option<&'static str> {
    SCRIPTS.into_iter().find(|script| manifest.script(script).is_some())
}

/// Steps of which the last leaves the source at its place with what the script made, and without what was installed for it.
pub fn plan(source: &Source, manifest: &Manifest, script: &str) -> Result<Fragment, Refusal> {
    let node = version::wanted(source, manifest)?;
    let (mut manager, notes) = manager_choice::choose(source, manifest)?;
    manager_version::fit_to_node(manifest, &mut manager, &node.range, &node.tool.constraint)?;
    withdrawn::check_pinned(manifest)?;
    let message =
        format!("`{script}` of package.json makes the application's assets, in a step of Node's beside those of the application.");
    let mut diagnostics = vec![info("NODE_MAKES_ASSETS", message, Some(FILE))];
    diagnostics.extend(node.diagnostics.into_iter().chain(notes));

    let build = manager.run_script(script);
    let mut planner = Planner::new(source, manifest, manager);
    let installed = planner.install();
    let built = planner.build(installed.as_deref(), vec![build]).expect("there is a script to run");
    if let Some(step) = planner.steps.iter_mut().find(|step| step.id == built) {
        let strip = argv(["find", APP, "-name", "node_modules", "-prune", "-exec", "rm", "-rf", "{}", "+"]);
        step.run.push(Run { command: strip, cwd: APP.into(), env: Vec::new(), network: false });
    }
    let layer = Layer { origin: built, path: APP.into(), dest: APP.into(), include: Vec::new(), exclude: Vec::new() };
    let image = Image {
        base: Base::Tool("node".into()),
        packages: Vec::new(),
        layers: vec![layer],
        files: Vec::new(),
        env: Vec::new(),
        workdir: APP.into(),
        user: USER.into(),
    };
    diagnostics.append(&mut planner.diagnostics);
    let mut fragment = Fragment { tools: vec![node.tool], image: Some(image), diagnostics, ..Fragment::default() };
    planner.finish(&mut fragment);
    Ok(fragment)
}
