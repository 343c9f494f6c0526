//! Redeploying under load.
#![allow(clippy::print_stderr, reason = "the figures are the point")]

use std::fs;
use std::time::Duration;

use anyhow::Result;
use slipway_e2e::{Load, Platform, example};

/// How often to redeploy; more of it by `SLIPWAY_REDEPLOYS`.
fn redeploys() -> usize {
    std::env::var("SLIPWAY_REDEPLOYS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redeploy_under_load_loses_no_request() -> Result<()> {
    let platform = Platform::start().await?;
    let source = example("node-express")?;
    platform.deploy(source.path(), "busy").await?.expect_live();

    let load = Load::start(platform.ingress, &platform.host("busy"), 8, Duration::from_millis(5));
    let file = source.path().join("server.js");
    let original = fs::read_to_string(&file)?;
    let count = redeploys();
    for number in 1..=count {
        fs::write(&file, original.replace("Hello from ", &format!("Release {number} from ")))?;
        platform.deploy(source.path(), "busy").await?.expect_live();
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let report = load.stop().await;

    eprintln!("{count} redeploys, {} requests, {} failures {:?}", report.requests, report.failed(), report.failures);
    assert_eq!(report.failed(), 0, "{report:?}");
    assert!(report.requests > 100, "the load was real: {}", report.requests);
    assert!(report.bodies.len() > count, "each release answered: {:?}", report.bodies);
    platform.settle(Duration::from_secs(30)).await
}
