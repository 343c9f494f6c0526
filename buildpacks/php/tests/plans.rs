//! What is planned for small applications, natively.

use std::path::Path;

use slipway_buildpack_php::Php;
use slipway_buildpack_sdk::{Base, Buildpack, Command, Context, Detected, Detection, Fragment, Refusal, Source};

fn source(name: &str) -> Source {
    Source::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name), ".").unwrap()
}

fn detection(name: &str) -> Detection {
    match Php.detect(&source(name), &Context::default()) {
        Detected::Yes(detection) => detection,
        other => panic!("{other:?}"),
    }
}

fn plan(name: &str) -> Result<Fragment, Refusal> {
    Php.plan(&source(name), &Context::default(), &detection(name))
}

fn config(plan: &Fragment) -> &str {
    &plan.image.as_ref().unwrap().files[0].content
}

#[test]
fn plain_pages_are_served_from_the_root_and_the_manifests_are_not() {
    let plan = plan("plain").unwrap();
    assert!(plan.steps.is_empty());
    assert!(config(&plan).contains("DocumentRoot /app\n") && config(&plan).contains("Listen ${PORT}\n"));
    assert!(config(&plan).contains("vendor/") && !config(&plan).contains("FallbackResource"));
    assert_eq!(
        plan.processes[0].command,
        Command::Argv(["apache2-foreground", "-f", "/etc/slipway/apache2.conf"].map(str::to_owned).to_vec())
    );
}

#[test]
fn packages_are_installed_by_the_manifests_alone_and_extensions_before_them() {
    let plan = plan("slim").unwrap();
    let ids: Vec<_> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["php", "composer", "install", "build"]);
    assert_eq!(plan.steps[2].inputs[1].include, ["composer.json", "composer.lock"]);
    assert_eq!(plan.image.as_ref().unwrap().base, Base::Step("php".into()));
    assert!(config(&plan).contains("DocumentRoot /app/public\n") && config(&plan).contains("FallbackResource /index.php"));
    assert_eq!(detection("slim").framework.as_deref(), Some("slim"));
}

#[test]
fn laravel_brings_assets_and_migrations() {
    let plan = plan("laravel").unwrap();
    let tools: Vec<_> = plan.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(tools, ["php", "composer", "node"]);
    assert_eq!(plan.image.as_ref().unwrap().layers[1].origin, "assets");
    assert_eq!(plan.processes[1].name, "release");
}

#[test]
fn a_library_is_refused() {
    assert_eq!(plan("no-index").unwrap_err().code, "PHP_NO_INDEX");
    assert!(detection("no-index").score < 80);
}
