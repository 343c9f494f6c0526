//! The life of an application after it is live.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;
use slipway_e2e::{Load, Platform, containers, visit, visit_until, write_app};

const PACKAGE: &str = r#"{ "name": "app", "version": "1.0.0", "private": true, "scripts": { "start": "node server.js" } }"#;

/// Answers with its version, its instance and a variable.
fn server(version: u32) -> String {
    format!(
        r#"const os = require("os");
console.log("listening, version {version}");
require("http").createServer((_, response) => response.end(`v{version} ${{os.hostname()}} ${{process.env.GREETING || "-"}}\n`))
  .listen(process.env.PORT, "0.0.0.0");
"#
    )
}

async fn status(platform: &Platform) -> Result<Value> {
    let document = "{ application(slug: \"shop\") { status url deployments(first: 10) { nodes { number status trigger } } } }";
    Ok(platform.query(document, serde_json::json!({})).await?["application"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_scaled_configured_rolled_back_stopped_started_and_deleted() -> Result<()> {
    let platform = Platform::start().await?;
    let host = platform.host("shop");
    let limit = Duration::from_secs(60);
    let app = write_app(&[("package.json", PACKAGE), ("server.js", &server(1))])?;
    platform.deploy(app.path(), "shop").await?.expect_live();

    // R17: two instances, both asked.
    platform.slipway_json(&["scale", "shop", "2"])?;
    let first = visit(platform.ingress, &host, "/").await?.body;
    visit_until(platform.ingress, &host, limit, |answer| answer.status == 200 && answer.body != first).await?;
    platform.settle(limit).await?;
    assert_eq!(containers(&platform.node().await?)?.len(), 2);

    // R9: a variable takes effect with the next deployment, and its value is nowhere to be read.
    platform.slipway_json(&["env", "set", "shop", "GREETING=s3cr3t-canary"])?;
    let listed = platform.slipway_json(&["env", "list", "shop"])?;
    assert_eq!(listed[0]["key"], "GREETING");
    assert!(!listed.to_string().contains("s3cr3t-canary"), "{listed:#}");
    std::fs::write(app.path().join("server.js"), server(2))?;
    platform.deploy(app.path(), "shop").await?.expect_live();
    visit_until(platform.ingress, &host, limit, |answer| answer.body.starts_with("v2") && answer.body.contains("s3cr3t-canary")).await?;
    assert!(!platform.log().contains("s3cr3t-canary"), "a secret stands in the log");

    // R8.5
    let logs = platform.slipway(&["logs", "shop", "--tail", "20"])?;
    let logs = String::from_utf8_lossy(&logs.stdout).into_owned();
    assert!(logs.contains("listening, version 2"), "{logs}");

    // Back to the first release, configuration included, without a build.
    platform.slipway_json(&["rollback", "shop"])?;
    visit_until(platform.ingress, &host, limit, |answer| answer.body.starts_with("v1") && answer.body.trim_end().ends_with('-')).await?;

    // R12: a restart loses nobody.
    let load = Load::start(platform.ingress, &host, 2, Duration::from_millis(20));
    platform.slipway_json(&["restart", "shop"])?;
    tokio::time::sleep(Duration::from_secs(8)).await;
    let report = load.stop().await;
    assert_eq!(report.failed(), 0, "{report:?}");
    assert!(report.bodies.len() >= 3, "old and new instances answered: {:?}", report.bodies);

    platform.slipway_json(&["stop", "shop"])?;
    visit_until(platform.ingress, &host, limit, |answer| answer.status != 200).await?;
    platform.settle(limit).await?;
    for _ in 0..100 {
        if status(&platform).await?["status"] == "STOPPED" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(status(&platform).await?["status"], "STOPPED");
    assert!(containers(&platform.node().await?)?.iter().all(|container| !container.running));

    platform.slipway_json(&["start", "shop"])?;
    visit_until(platform.ingress, &host, limit, |answer| answer.status == 200).await?;

    platform.slipway_json(&["apps", "delete", "shop", "--confirm", "shop"])?;
    visit_until(platform.ingress, &host, limit, |answer| answer.status == 404).await?;
    platform.settle(limit).await?;
    assert!(containers(&platform.node().await?)?.is_empty(), "nothing is left of a deleted application");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_keeps_crashing_is_given_up_and_said_so() -> Result<()> {
    let platform = Platform::start().await?;
    let crashing = r#"
require("http").createServer((request, response) => { if (request.url === "/die") process.exit(9); response.end("alive\n"); })
  .listen(process.env.PORT, "0.0.0.0");
"#;
    let app = write_app(&[("package.json", PACKAGE), ("server.js", crashing)])?;
    platform.deploy(app.path(), "shop").await?.expect_live();
    let host = platform.host("shop");

    // Each crash is mended, three times in five minutes; then the application is crashed (R12).
    for _ in 0..60 {
        let _ = visit(platform.ingress, &host, "/die").await;
        if status(&platform).await?["status"] == "CRASHED" {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(status(&platform).await?["status"], "CRASHED");

    // A new deployment mends it.
    let healthy = write_app(&[("package.json", PACKAGE), ("server.js", &server(3))])?;
    platform.deploy(healthy.path(), "shop").await?.expect_live();
    visit_until(platform.ingress, &host, Duration::from_secs(20), |answer| answer.body.starts_with("v3")).await?;
    Ok(())
}
