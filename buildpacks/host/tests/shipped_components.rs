//! The buildpacks that we ship, as the components that agents run, on the fixtures of each.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use slipway_buildpack_host::{
    PlanFailure, PlanRequest,
    contract::{Context, Lock, LockedTool, Plan},
    lowering::{Listing, LowerOptions, lower},
    plan_directory, report, report_failure,
};
use support::{host, shipped, tree};

/// Fixture, and the buildpack that plans it or the refusal that it ends in.
const FIXTURES: [(&str, Result<&str, &str>); 22] = [
    ("node/express", Ok("node")),
    ("node/vite-site", Ok("node")),
    ("node/next-yarn", Ok("node")),
    ("node/workspaces", Ok("node")),
    ("node/bare-site", Ok("node")),
    ("node/conflicting-lockfiles", Err("NODE_LOCKFILES_CONFLICT")),
    ("node/broken-manifest", Err("NODE_MANIFEST_INVALID")),
    ("node/no-start", Ok("node")),
    ("python/flask", Ok("python")),
    ("python/django-poetry", Ok("python")),
    ("python/fastapi-uv", Ok("python")),
    ("python/plain", Ok("python")),
    ("python/conflicting-lockfiles", Err("PYTHON_LOCKFILES_CONFLICT")),
    ("python/broken-manifest", Err("PYTHON_PYPROJECT_INVALID")),
    ("php/plain", Ok("php")),
    ("php/slim", Ok("php")),
    ("php/laravel", Ok("php")),
    ("php/library", Ok("php")),
    ("dockerfile/multi-stage", Ok("dockerfile")),
    ("dockerfile/silent", Ok("dockerfile")),
    ("dockerfile/empty", Err("DOCKERFILE_NO_FROM")),
    ("dockerfile", Err("ROOT_HOLDS_NO_APPLICATION")),
];

fn fixture(name: &str) -> PathBuf {
    let (buildpack, name) = name.split_once('/').unwrap_or((name, ""));
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(buildpack).join("tests/fixtures").join(name)
}

fn lock(plan: &Plan) -> Lock {
    let locked = |name: &str| LockedTool {
        constraint: "x".into(),
        version: "1".into(),
        build_image: format!("{name}:1"),
        run_image: format!("{name}:1"),
    };
    plan.fragment.tools.iter().map(|tool| (tool.name.clone(), locked(&tool.name))).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() { copy(&entry.path(), &to) } else { fs::copy(entry.path(), to).map(|_| ()).unwrap() }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fixture_is_planned_or_refused_as_it_should_be_and_always_the_same() {
    let buildpacks = shipped(&host());
    for (name, expected) in FIXTURES {
        let dir = fixture(name);
        let answer = plan_directory(&buildpacks, &dir, &PlanRequest::default()).await;
        match (answer, expected) {
            (Ok(plan), Ok(buildpack)) => {
                assert_eq!(plan.buildpack, buildpack, "{name}");
                let elsewhere = tempfile::tempdir().unwrap();
                copy(&dir, &elsewhere.path().join("somewhere/else"));
                let again = plan_directory(&buildpacks, &elsewhere.path().join("somewhere/else"), &PlanRequest::default()).await.unwrap();
                assert_eq!(plan.canonical_json(), again.canonical_json(), "{name}");
                assert_eq!(plan.id(), again.id());
                let lowered = lower(&plan, &lock(&plan), &Listing::read(&dir, ".").unwrap(), &LowerOptions::default()).unwrap();
                assert!(lowered.dockerfile.contains("FROM "), "{name}");
                assert_eq!(report(&plan)["outcome"], "plan");
            }
            (Err(PlanFailure::Refused(refusal)), Err(code)) => {
                assert_eq!(refusal.code, code, "{name}");
                assert!(!refusal.message.is_empty() && !refusal.fix.is_empty(), "{name}: {refusal:?}");
            }
            (answer, expected) => panic!("{name}: {expected:?}, but {answer:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_source_that_nobody_knows_every_buildpack_says_what_it_looked_for() {
    let remarks = tree(&[("README.md", "hello\n")]);
    let failure = plan_directory(&shipped(&host()), remarks.path(), &PlanRequest::default()).await.unwrap_err();
    let report = report_failure(&failure);
    assert_eq!((report["outcome"].as_str(), report["lookedFor"].as_array().unwrap().len()), (Some("none"), 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_named_runtime_is_taken_and_an_unknown_one_refused() {
    let buildpacks = shipped(&host());
    let dir = fixture("dockerfile/multi-stage");
    let named = |runtime: &str| PlanRequest { runtime: Some(runtime.into()), ..PlanRequest::default() };
    assert_eq!(plan_directory(&buildpacks, &dir, &named("node")).await.unwrap().buildpack, "node");
    assert_eq!(plan_directory(&buildpacks, &dir, &named("docker")).await.unwrap().buildpack, "dockerfile", "as the platform calls it");
    let Err(PlanFailure::Refused(refusal)) = plan_directory(&buildpacks, &dir, &named("ruby")).await else { panic!() };
    assert_eq!((refusal.code.as_str(), refusal.fix.contains("node, python, php, dockerfile")), ("RUNTIME_UNKNOWN", true));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_applications_in_one_root_are_refused_and_one_below_it_can_be_chosen() {
    let buildpacks = shipped(&host());
    let both = tree(&[
        ("package.json", r#"{ "scripts": { "start": "node server.js" } }"#),
        ("server.js", ""),
        ("requirements.txt", "flask\ngunicorn\n"),
        ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
        ("site/index.php", "<?php\n"),
    ]);
    let Err(PlanFailure::Refused(refusal)) = plan_directory(&buildpacks, both.path(), &PlanRequest::default()).await else { panic!() };
    assert_eq!(refusal.code, "SEVERAL_APPLICATIONS");
    let below = PlanRequest { context: Context { app_root: "site".into(), ..Context::default() }, runtime: None };
    let plan = plan_directory(&buildpacks, both.path(), &below).await.unwrap();
    assert_eq!((plan.buildpack.as_str(), plan.detection.app_root.as_str()), ("php", "site"));
    let nowhere = PlanRequest { context: Context { app_root: "../..".into(), ..Context::default() }, runtime: None };
    assert!(
        matches!(plan_directory(&buildpacks, both.path(), &nowhere).await, Err(PlanFailure::Refused(refusal)) if refusal.code == "ROOT_NOT_FOUND")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_procfile_goes_before_the_command_of_a_dockerfile() {
    let buildpacks = shipped(&host());
    let plan = plan_directory(&buildpacks, &fixture("dockerfile/multi-stage"), &PlanRequest::default()).await.unwrap();
    let text = serde_json::to_string(&plan.fragment.processes).unwrap();
    assert!(text.contains("exec node worker.js") && text.contains("exec node other.js") && !text.contains("/app/server.js"), "{text}");
}
