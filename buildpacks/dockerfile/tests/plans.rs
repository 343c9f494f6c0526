//! What is planned for small applications, natively.

use std::path::Path;

use slipway_buildpack_dockerfile::Dockerfiles;
use slipway_buildpack_sdk::{Buildpack, Command, Context, Detected, Fragment, HealthBasis, Probe, Refusal, Source};

fn source(name: &str) -> Source {
    Source::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name), ".").unwrap()
}

fn score(name: &str) -> u8 {
    match Dockerfiles.detect(&source(name), &Context::default()) {
        Detected::Yes(detection) => detection.score,
        other => panic!("{other:?}"),
    }
}

fn plan_with(name: &str, context: &Context) -> Result<Fragment, Refusal> {
    let source = source(name);
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

#[test]
fn a_dockerfile_below_the_root_is_found_and_built_from_the_directory_that_holds_what_it_copies() {
    let plan = plan("in-a-directory").unwrap();
    let dockerfile = plan.dockerfile.as_ref().unwrap();
    assert_eq!((dockerfile.path.as_str(), dockerfile.context.as_str()), ("docker/Dockerfile", "docker"));
    assert_eq!(plan.ports[0].default, 80);
    assert_eq!(score("in-a-directory"), 50);
}

#[test]
fn a_dockerfile_of_production_alone_is_the_dockerfile() {
    let plan = plan("for-production").unwrap();
    assert_eq!(score("for-production"), 100);
    assert_eq!(plan.ports.iter().map(|port| (port.name.as_str(), port.default)).collect::<Vec<_>>(), [("http", 9000), ("port-443", 443)]);
}

#[test]
fn lower_case_windows_lines_and_a_byte_order_mark_are_read() {
    let plan = plan("windows").unwrap();
    assert_eq!(plan.ports[0].default, 3000);
    assert_eq!(plan.processes[0].command, Command::Argv(vec!["node".into(), "server.js".into()]));
    assert_eq!(codes(&plan), ["DOCKERFILE_HEREDOC"]);
}

#[test]
fn what_the_builder_would_refuse_is_refused_by_line() {
    let said = |name: &str| {
        let refusal = plan(name).unwrap_err();
        format!("{} {}:{} {} {}", refusal.code, refusal.file.unwrap_or_default(), refusal.line.unwrap_or(0), refusal.message, refusal.fix)
    };
    assert_eq!(
        said("misspelt"),
        "DOCKERFILE_INSTRUCTION_UNKNOWN Dockerfile:6 `WORKDIRR` is not an instruction of a Dockerfile. Did you mean `WORKDIR`?"
    );
    assert_eq!(
        said("copies-what-is-not-there"),
        "DOCKERFILE_COPY_ABSENT Dockerfile:3 `Dockerfile` copies `requirements.lock`, which is not in the source. Commit \
         `requirements.lock`, correct the path, or set the application's root to the directory that holds it."
    );
    assert_eq!(
        said("unnamed-image"),
        "DOCKERFILE_IMAGE_UNNAMED Dockerfile:2 This `FROM` names no image: an argument that it is made of has no value. Give the argument a \
         default before the first `FROM`, as in `ARG VERSION=1`."
    );
    assert_eq!(
        said("of-another-frontend"),
        "DOCKERFILE_FRONTEND_UNKNOWN Dockerfile:1 `Dockerfile` is written for the frontend `example/mocker:1`, which builds here cannot use. \
         Write it for `docker/dockerfile`, and remove the `# syntax=` line."
    );
}

#[test]
fn a_dockerfile_that_cannot_be_built_gives_way_to_a_language() {
    assert_eq!((score("copies-what-is-not-there"), score("multi-stage")), (50, 100));
}
