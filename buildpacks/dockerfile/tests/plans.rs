//! What is planned for small applications, natively.

use std::path::Path;

use slipway_buildpack_dockerfile::Dockerfiles;
use slipway_buildpack_sdk::{Buildpack, Command, Context, Detected, Fragment, HealthBasis, Probe, Refusal, Source};

fn plan_with(name: &str, context: &Context) -> Result<Fragment, Refusal> {
    let source = Source::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name), ".").unwrap();
    match Dockerfiles.detect(&source, context) {
        Detected::Yes(detection) => Dockerfiles.plan(&source, context, &detection),
        other => panic!("{other:?}"),
    }
}

fn plan(name: &str) -> Result<Fragment, Refusal> {
    plan_with(name, &Context::default())
}

fn codes(plan: &Fragment) -> Vec<&str> {
    plan.diagnostics.iter().map(|diagnostic| diagnostic.code.as_str()).collect()
}

#[test]
fn what_the_last_stage_says_is_planned_and_the_frontend_is_left_out() {
    let plan = plan("multi-stage").unwrap();
    assert_eq!(plan.ports[0].default, 4000);
    assert_eq!(plan.processes[0].command, Command::Argv(vec!["node".into(), "/app/server.js".into()]));
    let health = plan.health.as_ref().unwrap();
    assert_eq!((&health.probe, health.basis), (&Probe::Command(vec!["node".into(), "/app/check.js".into()]), HealthBasis::Stated));
    let text = &plan.dockerfile.as_ref().unwrap().text;
    assert!(text.starts_with("FROM node:22-slim AS build\n"), "{text}");
    assert_eq!(codes(&plan), ["DOCKERFILE_SYNTAX_IGNORED"]);
}

#[test]
fn a_port_is_assumed_where_none_is_said_and_an_entrypoint_is_not_doubled() {
    let plan = plan("silent").unwrap();
    assert_eq!(plan.ports[0].default, 8080);
    assert_eq!(plan.processes[0].command, Command::Argv(vec![]));
    assert_eq!(codes(&plan), ["DOCKERFILE_NO_EXPOSE", "DOCKERFILE_RUNS_AS_ROOT"]);
}

#[test]
fn what_cannot_work_is_refused_with_what_to_do() {
    assert_eq!(plan("empty").unwrap_err().code, "DOCKERFILE_NO_FROM");
    let wrong = Context { build_target: Some("prod".into()), ..Context::default() };
    let refusal = plan_with("multi-stage", &wrong).unwrap_err();
    assert_eq!(
        (refusal.code.as_str(), refusal.fix.as_str()),
        ("DOCKERFILE_TARGET_UNKNOWN", "Set the build target to one of: build, final.")
    );
    let source = Source::open(env!("CARGO_MANIFEST_DIR"), ".").unwrap();
    let missing = Context { dockerfile_path: Some("deploy/Dockerfile".into()), ..Context::default() };
    assert!(matches!(Dockerfiles.detect(&source, &missing), Detected::No(_)));
}
