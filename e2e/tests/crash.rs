//! `kill -9` at any step: the deployment ends, the previous release serves throughout, and nothing is left over (F1, F2).

#![allow(clippy::print_stderr, reason = "a long test tells what it is at")]

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value, json};
use slipway_e2e::{Load, Platform, visit, write_app};

const PACKAGE: &str = r#"{ "name": "app", "version": "1.0.0", "private": true, "scripts": { "start": "node server.js" } }"#;

fn server(version: usize) -> String {
    format!("require('http').createServer((_, r) => r.end('v{version}\\n')).listen(process.env.PORT, '0.0.0.0')")
}

async fn newest(platform: &Platform) -> Result<Value> {
    let document = "{ application(slug: \"shop\") { deployments(first: 1) { nodes { number status statusReason } } } }";
    Ok(platform.query(document, json!({})).await?["application"]["deployments"]["nodes"][0].clone())
}

/// Waits until the newest deployment has ended, one way or the other.
async fn ended(platform: &Platform, limit: Duration) -> Result<Value> {
    let begin = Instant::now();
    loop {
        let deployment = newest(platform).await?;
        if matches!(deployment["status"].as_str(), Some("LIVE" | "FAILED" | "CANCELED" | "SUPERSEDED")) {
            return Ok(deployment);
        }
        if begin.elapsed() > limit {
            bail!("after {limit:?} the deployment is still {deployment:#}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_core_that_is_killed_anywhere_in_a_deployment_ends_it_after_its_restart_and_loses_no_visitor() -> Result<()> {
    let mut platform = Platform::start().await?;
    let app = write_app(&[("package.json", PACKAGE), ("server.js", &server(0))])?;
    platform.deploy(app.path(), "shop").await?.expect_live();
    let load = Load::start(platform.ingress, &platform.host("shop"), 2, Duration::from_millis(25));

    for (index, point) in slipway_core::crash::POINTS.iter().enumerate() {
        let begin = Instant::now();
        platform.kill()?;
        platform.set_environment(&[(slipway_core::crash::VARIABLE, point)]);
        platform.launch().await?;
        fs::write(app.path().join("server.js"), server(index + 1))?;
        let client = platform.deploy_unattended(app.path(), "shop")?;
        platform.wait_for_end(Duration::from_secs(90)).await?;
        drop(client);

        platform.set_environment(&[]);
        platform.launch().await?;
        let deployment = ended(&platform, Duration::from_secs(90)).await?;
        platform.settle(Duration::from_secs(60)).await?;
        let answer = visit(platform.ingress, &platform.host("shop"), "/").await?;
        assert_eq!(answer.status, 200, "{point}: {answer:?} {deployment:#}");
        eprintln!("killed at {point}: {} after {:.1?}", deployment["status"], begin.elapsed());
    }

    let report = load.stop().await;
    eprintln!("{} requests, {} failures {:?}", report.requests, report.failed(), report.failures);
    assert_eq!(report.failed(), 0, "{report:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_during_a_build_ends_it_after_the_restart_and_leaves_nothing_over() -> Result<()> {
    let mut platform = Platform::start().await?;
    let app = write_app(&[("package.json", PACKAGE), ("server.js", &server(0))])?;
    platform.deploy(app.path(), "shop").await?.expect_live();

    let slow = r#"{ "name": "app", "version": "1.0.0", "private": true,
        "scripts": { "build": "node -e 'setTimeout(() => {}, 15000)'", "start": "node server.js" } }"#;
    fs::write(app.path().join("package.json"), slow)?;
    fs::write(app.path().join("server.js"), server(1))?;
    let client = platform.deploy_unattended(app.path(), "shop")?;
    let begin = Instant::now();
    while newest(&platform).await?["status"] != "BUILDING" {
        anyhow::ensure!(begin.elapsed() < Duration::from_secs(60), "the build did not begin");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    platform.kill()?;
    drop(client);
    assert_eq!(visit(platform.ingress, &platform.host("shop"), "/").await?.body, "v0\n", "the core's absence is not noticed");

    platform.launch().await?;
    let deployment = ended(&platform, Duration::from_secs(120)).await?;
    platform.settle(Duration::from_secs(60)).await?;
    let answer = visit(platform.ingress, &platform.host("shop"), "/").await?;
    let expected = if deployment["status"] == "LIVE" { "v1\n" } else { "v0\n" };
    assert_eq!((answer.status, answer.body.as_str()), (200, expected), "{deployment:#}");
    Ok(())
}
