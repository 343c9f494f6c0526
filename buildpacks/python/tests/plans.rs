//! What is planned for small applications, natively.

use std::path::Path;

use slipway_buildpack_python::Python;
use slipway_buildpack_sdk::{Buildpack, Command, Context, Detected, Detection, Fragment, ProcessKind, Refusal, Source};

fn source(name: &str) -> Source {
    Source::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name), ".").unwrap()
}

fn detection(name: &str) -> Detection {
    match Python.detect(&source(name), &Context::default()) {
        Detected::Yes(detection) => detection,
        other => panic!("{other:?}"),
    }
}

fn plan(name: &str) -> Result<Fragment, Refusal> {
    Python.plan(&source(name), &Context::default(), &detection(name))
}

fn shell(line: &str) -> Command {
    Command::Shell(line.to_owned())
}

#[test]
fn flask_behind_gunicorn() {
    let plan = plan("flask").unwrap();
    assert_eq!(plan.processes[0].command, shell("exec gunicorn --bind 0.0.0.0:$PORT app:app"));
    assert_eq!((plan.tools[0].constraint.as_str(), plan.tools[0].source.as_str()), ("3.13", ".python-version"));
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(plan.steps[0].inputs[0].include, ["requirements*.txt", "constraints*.txt"], "an edit of the source does not reinstall");
    let layers: Vec<_> = plan.image.as_ref().unwrap().layers.iter().map(|layer| layer.dest.as_str()).collect();
    assert_eq!(layers, ["/opt/venv", "/app"]);
    let detection = detection("flask");
    assert_eq!((detection.framework.as_deref(), detection.package_manager.as_deref()), (Some("flask"), Some("pip")));
}

#[test]
fn django_migrates_before_a_release_and_collects_its_files() {
    let plan = plan("django-poetry").unwrap();
    assert_eq!(plan.processes[0].command, shell("exec gunicorn --bind 0.0.0.0:$PORT shop.wsgi:application"));
    assert_eq!((plan.processes[1].kind, plan.processes[1].is_default), (ProcessKind::Release, false));
    let ids: Vec<_> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(ids, ["toolchain", "install", "build"]);
    assert_eq!(plan.steps[1].packages, ["build-essential", "libpq-dev"]);
    assert_eq!(plan.image.unwrap().packages, ["libpq5"]);
    assert_eq!(plan.tools[0].constraint, "^3.11");
}

#[test]
fn fastapi_with_uv() {
    let plan = plan("fastapi-uv").unwrap();
    assert_eq!(plan.processes[0].command, shell("exec uvicorn --host 0.0.0.0 --port $PORT src.main:api"));
    assert_eq!(detection("fastapi-uv").package_manager.as_deref(), Some("uv"));
}

#[test]
fn a_plain_program_needs_no_install() {
    let plan = plan("plain").unwrap();
    assert!(plan.steps.is_empty() && plan.caches.is_empty());
    assert_eq!(plan.processes[0].command, Command::Argv(vec!["python".into(), "main.py".into()]));
}

#[test]
fn what_cannot_work_is_refused_with_what_to_do() {
    let refusal = plan("conflicting-lockfiles").unwrap_err();
    assert_eq!((refusal.code.as_str(), refusal.fix.is_empty()), ("PYTHON_LOCKFILES_CONFLICT", false));
    let Detected::Refused(refusal) = Python.detect(&source("broken-manifest"), &Context::default()) else { panic!() };
    assert_eq!((refusal.code.as_str(), refusal.file.as_deref()), ("PYTHON_PYPROJECT_INVALID", Some("pyproject.toml")));
    assert!(refusal.line.is_some_and(|line| line >= 3), "{refusal:?}");
}
