//! What cannot work is said so, with what to do, and what ran before goes on.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;
use slipway_e2e::{Platform, visit, write_app};

const SERVER: &str = r#"
require("http").createServer((_, response) => response.end("good\n")).listen(process.env.PORT, "0.0.0.0");
"#;

fn package(scripts: &str) -> String {
    format!(r#"{{ "name": "app", "version": "1.0.0", "private": true, "scripts": {scripts} }}"#)
}

fn code(report: &Value) -> &str {
    report["failure"]["code"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_deployment_says_why_and_leaves_the_previous_one_serving() -> Result<()> {
    let platform = Platform::start().await?;
    let good = write_app(&[("package.json", &package(r#"{ "start": "node server.js" }"#)), ("server.js", SERVER)])?;
    platform.deploy(good.path(), "shop").await?.expect_live();
    let serving = async || -> Result<()> {
        let answer = visit(platform.ingress, &platform.host("shop"), "/").await?;
        assert_eq!((answer.status, answer.body.as_str()), (200, "good\n"));
        Ok(())
    };
    serving().await?;

    let unknown = write_app(&[("README.txt", "nothing to run")])?;
    let report = platform.deploy(unknown.path(), "shop").await?.expect_failure();
    assert_eq!(code(&report), "NO_BUILDPACK", "{report:#}");
    assert!(report["failure"]["fix"].is_string(), "{report:#}");
    serving().await?;

    let failing = package(r#"{ "build": "node -e 'console.log(\"half way\"); process.exit(7)'", "start": "node server.js" }"#);
    let failing = write_app(&[("package.json", &failing), ("server.js", SERVER)])?;
    let deployed = platform.deploy(failing.path(), "shop").await?;
    assert!(deployed.progress.contains("half way"), "the build's output is shown: {}", deployed.progress);
    let report = deployed.expect_failure();
    assert_eq!(code(&report), "BUILD_COMMAND_FAILED", "{report:#}");
    assert_eq!(report["failure"]["exitCode"], 7, "{report:#}");
    serving().await?;

    let exits = "console.log('no configuration'); process.exit(3)";
    let exits = write_app(&[("package.json", &package(r#"{ "start": "node server.js" }"#)), ("server.js", exits)])?;
    let report = platform.deploy(exits.path(), "shop").await?.expect_failure();
    assert!(report["failure"]["lastLines"].to_string().contains("no configuration"), "{report:#}");
    assert_eq!(report["failure"]["exitCode"], 3, "{report:#}");
    serving().await?;

    let broken = write_app(&[("package.json", "{ \"name\": "), ("server.js", SERVER)])?;
    let report = platform.deploy(broken.path(), "shop").await?.expect_failure();
    assert_eq!(report["failure"]["file"], "package.json", "{report:#}");
    serving().await?;

    platform.settle(Duration::from_secs(30)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_never_answers_its_probe_fails_with_its_last_lines() -> Result<()> {
    let platform = Platform::start().await?;
    let silent = "console.log('started, but deaf'); setInterval(() => {}, 1000)";
    let silent = write_app(&[("package.json", &package(r#"{ "start": "node server.js" }"#)), ("server.js", silent)])?;
    let report = platform.deploy(silent.path(), "deaf").await?.expect_failure();
    assert!(report["failure"]["lastLines"].to_string().contains("started, but deaf"), "{report:#}");
    let answer = visit(platform.ingress, &platform.host("deaf"), "/").await?;
    assert_ne!(answer.status, 200, "{answer:?}");
    platform.settle(Duration::from_secs(30)).await
}
