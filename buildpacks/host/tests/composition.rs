//! One application of two languages: who is started owns the image, and takes what the other builds.

mod support;

use std::path::Path;

use slipway_buildpack_host::{
    PlanFailure, PlanRequest,
    contract::{Base, Lock, LockedTool, Plan},
    lowering::{Listing, LowerOptions, lower},
    plan_directory, report,
};
use support::{host, shipped, tree};

const VITE: &str = r#"{ "scripts": { "build": "vite build", "dev": "vite" }, "devDependencies": { "vite": "^6.0.0" } }"#;
const VITE_LOCK: &str = r#"{ "lockfileVersion": 3, "packages": { "node_modules/vite": { "version": "6.0.7" } } }"#;

fn lock(plan: &Plan) -> Lock {
    let locked = |name: &str| LockedTool {
        constraint: "x".into(),
        version: "1".into(),
        build_image: format!("{name}:1"),
        run_image: format!("{name}:1"),
    };
    plan.fragment.tools.iter().map(|tool| (tool.name.clone(), locked(&tool.name))).collect()
}

/// The lines of the Dockerfile that say where something is from, and what is run.
fn lowered(plan: &Plan, dir: &Path) -> Vec<String> {
    let lowered = lower(plan, &lock(plan), &Listing::read(dir, ".").unwrap(), &LowerOptions::default()).unwrap();
    let shown = |line: &&str| {
        line.starts_with("FROM ") || line.contains("--from=") || line.contains("run\",\"build") || line.contains("collectstatic")
    };
    lowered.dockerfile.lines().filter(shown).map(str::to_owned).collect()
}

async fn planned(files: &[(&str, &str)]) -> (Plan, tempfile::TempDir) {
    let dir = tree(files);
    let plan = plan_directory(&shipped(&host()), dir.path(), &PlanRequest::default()).await.unwrap();
    (plan, dir)
}

const LARAVEL: [(&str, &str); 6] = [
    ("artisan", "<?php\n"),
    ("composer.json", r#"{ "require": { "php": "^8.2", "laravel/framework": "^12.0" } }"#),
    ("public/index.php", "<?php\n"),
    ("resources/js/app.js", ""),
    ("package.json", VITE),
    ("package-lock.json", VITE_LOCK),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_assets_of_laravel_are_built_beside_it_on_node_and_laid_into_its_image() {
    let (plan, dir) = planned(&LARAVEL).await;
    assert_eq!(plan.buildpack, "php");
    let steps: Vec<_> = plan.fragment.steps.iter().map(|step| (step.id.as_str(), &step.base)).collect();
    assert_eq!(
        steps[steps.len() - 2..],
        [("node-install", &Base::Tool("node".into())), ("node-build", &Base::Step("node-install".into()))]
    );
    assert_eq!(
        lowered(&plan, dir.path()),
        [
            "FROM php:1 AS step-php",
            "FROM composer:1 AS step-composer",
            "FROM step-php AS step-install",
            "COPY --from=step-composer [\"/usr/bin/composer\",\"/usr/local/bin/composer\"]",
            "FROM step-install AS step-build",
            "FROM node:1 AS step-node-install",
            "FROM step-node-install AS step-node-build",
            "COPY --from=step-build [\"/app/vendor\",\"/app/vendor\"]",
            "RUN --mount=type=cache,id=-node-npm-node1,target=/root/.npm,sharing=shared [\"/usr/bin/env\",\"npm_config_update_notifier=false\",\
             \"NODE_ENV=production\",\"NEXT_TELEMETRY_DISABLED=1\",\"npm\",\"run\",\"build\"]",
            "FROM step-php",
            "COPY --from=step-build --chown=1000:1000 [\"/app\",\"/app\"]",
            "COPY --from=step-node-build --chown=1000:1000 [\"/app/public\",\"/app/public\"]",
        ]
    );
    let names: Vec<_> = plan.fragment.processes.iter().map(|process| process.name.as_str()).collect();
    assert_eq!(names, ["web", "release"], "of PHP alone");
    let summary = &report(&plan)["summary"];
    assert_eq!((summary["language"].as_str(), summary["packageManagers"].to_string()), (Some("php"), r#"["composer","npm"]"#.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_assets_of_django_are_there_when_its_static_files_are_collected() {
    let (plan, dir) = planned(&[
        ("manage.py", ""),
        ("requirements.txt", "django==5.2\ngunicorn\n"),
        (
            "shop/settings.py",
            "INSTALLED_APPS = ['django.contrib.staticfiles']\nSTATIC_ROOT = 'collected'\nWSGI_APPLICATION = 'shop.wsgi.application'\n",
        ),
        ("shop/wsgi.py", "application = None\n"),
        ("package.json", VITE),
        ("package-lock.json", VITE_LOCK),
    ])
    .await;
    assert_eq!((plan.buildpack.as_str(), plan.detection.framework.as_deref()), ("python", Some("django")));
    let lines = lowered(&plan, dir.path());
    let place = |what: &str| lines.iter().position(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {lines:#?}"));
    assert!(place("COPY --from=step-node-build [\"/app\",\"/app\"]") < place("collectstatic"), "{lines:#?}");
    assert!(place("FROM node:1 AS step-node-install") < place("FROM step-node-install AS step-node-build"));
    assert!(lines.last().unwrap().contains("--from=step-build"), "{lines:#?}");
    assert_eq!(report(&plan)["summary"]["packageManager"], "pip");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_assets_of_flask_and_of_plain_php_are_laid_over_their_source() {
    for (page, files) in [
        ("python", &[("app.py", "from flask import Flask\napp = Flask(__name__)\n"), ("requirements.txt", "flask\n")][..]),
        ("php", &[("index.php", "<?php\n")]),
    ] {
        let (plan, dir) = planned(&[files, &[("package.json", VITE), ("package-lock.json", VITE_LOCK)]].concat()).await;
        assert_eq!(plan.buildpack, page);
        let lines = lowered(&plan, dir.path());
        assert_eq!(lines.last().unwrap(), "COPY --from=step-node-build --chown=1000:1000 [\"/app\",\"/app\"]", "{lines:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_runtime_gets_its_assets_and_what_cannot_be_built_is_left_out_aloud() {
    let buildpacks = shipped(&host());
    let named = PlanRequest { runtime: Some("php".into()), ..PlanRequest::default() };
    let plan = plan_directory(&buildpacks, tree(&LARAVEL).path(), &named).await.unwrap();
    assert_eq!(plan.beside[0].buildpack, "node");

    let broken = [&LARAVEL[..], &[("yarn.lock", "# yarn lockfile v1\n")]].concat();
    let plan = plan_directory(&buildpacks, tree(&broken).path(), &PlanRequest::default()).await.unwrap();
    assert!(plan.beside.is_empty() && plan.fragment.steps.iter().all(|step| !step.id.starts_with("node-")));
    let told = plan.fragment.diagnostics.iter().find(|diagnostic| diagnostic.code == "NODE_LOCKFILES_CONFLICT").unwrap();
    assert!(told.message.starts_with("The application goes without what its build script makes."), "{}", told.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_in_one_root_are_refused_and_both_are_named() {
    let server = r#"{ "scripts": { "start": "node server.js" } }"#;
    let files = [&LARAVEL[..4], &[("package.json", server), ("server.js", "")]].concat();
    let answer = plan_directory(&shipped(&host()), tree(&files).path(), &PlanRequest::default()).await;
    let Err(PlanFailure::Refused(refusal)) = answer else { panic!("{answer:?}") };
    assert_eq!(refusal.code, "SEVERAL_APPLICATIONS");
    assert!(refusal.message.contains("node") && refusal.message.contains("php"), "{}", refusal.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dockerfile_keeps_what_the_source_is_written_with_to_tell() {
    let (plan, _dir) = planned(&[
        ("Dockerfile", "FROM node:22-slim\nCOPY . .\nEXPOSE 3000\nCMD [\"npm\", \"start\"]\n"),
        ("package.json", r#"{ "scripts": { "start": "next start" }, "dependencies": { "next": "15" } }"#),
    ])
    .await;
    let summary = &report(&plan)["summary"];
    let told = ["language", "framework", "packageManager"].map(|key| summary[key].as_str().unwrap_or_default());
    assert_eq!(told, ["dockerfile", "next", "npm"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_application_below_a_root_of_remarks_is_planned_and_of_several_all_are_named() {
    let server = r#"{ "scripts": { "start": "node a.js" } }"#;
    let (plan, _dir) = planned(&[("README.md", ""), ("site/package.json", server), ("site/a.js", "")]).await;
    assert_eq!((plan.detection.app_root.as_str(), plan.fragment.diagnostics[0].code.as_str()), ("site", "ROOT_CHOSEN"));

    let several = tree(&[("frontend/package.json", server), ("backend/requirements.txt", "flask\n")]);
    let answer = plan_directory(&shipped(&host()), several.path(), &PlanRequest::default()).await;
    let Err(PlanFailure::Refused(refusal)) = answer else { panic!("{answer:?}") };
    assert_eq!(refusal.code, "ROOT_HOLDS_NO_APPLICATION");
}
