//! What is planned for small applications, natively.

use std::path::Path;

use slipway_buildpack_node::Node;
use slipway_buildpack_sdk::{Base, Buildpack, Command, Context, Detected, Detection, Fragment, Refusal, Source};

fn source(name: &str) -> Source {
    Source::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name), ".").unwrap()
}

fn detection(name: &str) -> Detection {
    match Node.detect(&source(name), &Context::default()) {
        Detected::Yes(detection) => detection,
        other => panic!("{other:?}"),
    }
}

fn plan_with(name: &str, context: &Context) -> Result<Fragment, Refusal> {
    Node.plan(&source(name), context, &detection(name))
}

fn plan(name: &str) -> Fragment {
    plan_with(name, &Context::default()).unwrap()
}

fn argv(words: &[&str]) -> Command {
    Command::Argv(words.iter().map(|word| (*word).to_owned()).collect())
}

/// Ids of the steps, and the commands of each.
fn steps(plan: &Fragment) -> Vec<(&str, Vec<String>)> {
    let text = |command: &Command| match command {
        Command::Argv(words) => words.join(" "),
        Command::Shell(line) => line.clone(),
    };
    plan.steps.iter().map(|step| (step.id.as_str(), step.run.iter().map(|run| text(&run.command)).collect())).collect()
}

fn codes(plan: &Fragment) -> Vec<&str> {
    plan.diagnostics.iter().map(|diagnostic| diagnostic.code.as_str()).collect()
}

#[test]
fn a_server_with_an_npm_lockfile() {
    let plan = plan("express");
    let tool = &plan.tools[0];
    assert_eq!((tool.constraint.as_str(), tool.source.as_str(), tool.is_default), (">=20 <23", "package.json#engines.node", false));
    assert_eq!(
        steps(&plan),
        [
            ("install", vec!["npm ci --no-audit --no-fund".to_owned()]),
            ("production", vec!["npm ci --no-audit --no-fund --omit=dev".to_owned()])
        ]
    );
    assert_eq!(plan.steps[0].inputs[0].include, ["package-lock.json", "package.json"], "an edit of the source does not reinstall");
    let image = plan.image.as_ref().unwrap();
    let layers: Vec<_> = image.layers.iter().map(|layer| (layer.origin.as_str(), layer.path.as_str())).collect();
    assert_eq!(layers, [("production", "/app"), ("source", ".")], "from the most stable to the most volatile");
    assert_eq!(plan.processes[0].command, argv(&["npm", "run", "start"]));
    assert_eq!((image.user.as_str(), plan.ports[0].env.as_str()), ("1000:1000", "PORT"));
    let detection = detection("express");
    assert_eq!((detection.framework.as_deref(), detection.package_manager.as_deref()), (Some("express"), Some("npm")));
    assert!(detection.score >= 80);
}

#[test]
fn a_start_script_that_is_a_development_server_makes_a_site_and_not_a_server() {
    let plan = plan("vite-site");
    assert_eq!(plan.tools[0].constraint, "22", "lts/jod");
    assert_eq!(
        steps(&plan),
        [
            ("toolchain", vec!["npm install --global --force --no-fund --no-audit pnpm@9.15.0".to_owned()]),
            ("install", vec!["pnpm install --frozen-lockfile --prod=false".to_owned()]),
            ("build", vec!["pnpm run build".to_owned()]),
        ]
    );
    let site = plan.static_site.unwrap();
    assert!(site.spa_fallback);
    assert_eq!(plan.image.unwrap().layers[0].path, "/app/site", "as vite.config.ts says");
}

#[test]
fn a_built_server_keeps_what_production_needs() {
    let plan = plan("next-yarn");
    let ids: Vec<_> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["toolchain", "install", "build", "production", "app"]);
    assert_eq!(plan.tools[0].source, ".node-version");
    assert!(plan.image.unwrap().env.contains(&("HOSTNAME".into(), "0.0.0.0".into())));
}

#[test]
fn a_lifecycle_script_makes_the_install_see_the_source() {
    let plan = plan("workspaces");
    assert!(plan.steps[0].inputs[0].include.is_empty());
    assert_eq!(codes(&plan), ["NODE_INSTALL_SEES_SOURCE"]);
}

#[test]
fn a_lone_page_is_served_and_scores_low() {
    let plan = plan("bare-site");
    assert!(plan.steps.is_empty() && plan.static_site.is_some());
    let detection = detection("bare-site");
    assert!(detection.score < 20);
    assert_eq!(detection.framework.as_deref(), Some("static"));
    assert_eq!(plan.image.unwrap().base, Base::Tool("node".into()));
}

#[test]
fn what_the_customer_says_goes_before_what_is_found() {
    let context = Context { build_command: Some("make all".into()), start_command: Some("node a.js && b".into()), ..Context::default() };
    let plan = plan_with("vite-site", &context).unwrap();
    assert_eq!(plan.processes[0].command, Command::Shell("node a.js && b".into()));
    assert_eq!(steps(&plan)[2], ("build", vec!["make all".to_owned()]));
    assert!(plan.static_site.is_none());
}

#[test]
fn what_cannot_work_is_refused_with_what_to_do() {
    let refusal = plan_with("conflicting-lockfiles", &Context::default()).unwrap_err();
    assert_eq!((refusal.code.as_str(), refusal.file.as_deref()), ("NODE_LOCKFILES_CONFLICT", Some("yarn.lock")));
    assert!(refusal.message.contains("package-lock.json") && !refusal.fix.is_empty());
    let Detected::Refused(refusal) = Node.detect(&source("broken-manifest"), &Context::default()) else { panic!() };
    assert_eq!((refusal.code.as_str(), refusal.line), ("NODE_MANIFEST_INVALID", Some(4)));
}

#[test]
fn a_procfile_with_only_workers_is_an_application_too() {
    let dir = tempfile::tempdir().unwrap();
    for (file, text) in
        [("package.json", r#"{ "dependencies": { "bull": "4" } }"#), ("package-lock.json", "{}"), ("Procfile", "worker: node work.js\n")]
    {
        std::fs::write(dir.path().join(file), text).unwrap();
    }
    let source = Source::open(dir.path(), ".").unwrap();
    let Detected::Yes(detection) = Node.detect(&source, &Context::default()) else { panic!() };
    let plan = Node.plan(&source, &Context::default(), &detection).unwrap();
    assert!(plan.processes.is_empty() && plan.ports.is_empty() && plan.image.is_some());
}

#[test]
fn the_manifests_of_other_languages_make_a_page_no_site() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["Cargo.toml", "index.html"] {
        std::fs::write(dir.path().join(file), "").unwrap();
    }
    assert!(matches!(Node.detect(&Source::open(dir.path(), ".").unwrap(), &Context::default()), Detected::No(_)));
}
