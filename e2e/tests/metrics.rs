//! What an application uses and is asked: measured by the engine, counted by the ingress, read from the API.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use slipway_e2e::{Platform, visit, write_app};

const PACKAGE: &str = r#"{ "name": "app", "version": "1.0.0", "private": true, "scripts": { "start": "node server.js" } }"#;

const SERVER: &str = r#"
require("http").createServer((request, response) => {
  const answer = (status) => { response.statusCode = status; response.end("here\n"); };
  if (request.url === "/broken") return answer(500);
  if (request.url === "/slow") return setTimeout(() => answer(200), 300);
  answer(200);
}).listen(process.env.PORT, "0.0.0.0");
"#;

const LIMIT: Duration = Duration::from_secs(60);

async fn series(platform: &Platform) -> Result<Value> {
    let document = "query($from: DateTime!) { application(slug: \"shop\") { metrics(names: [], from: $from, stepSeconds: 10) {
        name stepSeconds points { at value } } } }";
    // Within the last hour all is told in steps of ten seconds.
    let from = platform.now().await? - chrono::TimeDelta::minutes(50);
    Ok(platform.query(document, json!({"from": from})).await?["application"]["metrics"].clone())
}

fn values(series: &Value, name: &str) -> Vec<f64> {
    let one = series.as_array().into_iter().flatten().find(|one| one["name"] == name);
    one.iter().flat_map(|one| one["points"].as_array().into_iter().flatten()).filter_map(|point| point["value"].as_f64()).collect()
}

/// Until the node has told of itself twice: from then on everything that is asked is counted.
async fn first_looks(platform: &Platform) -> Result<()> {
    let document = "query($from: DateTime!) { workerNodes(first: 1) { nodes { metrics(names: [CPU_PERCENT, MEMORY_BYTES], from: $from, stepSeconds: 10) {
        name points { value } } } } }";
    let begin = std::time::Instant::now();
    loop {
        let from = platform.now().await? - chrono::TimeDelta::minutes(5);
        let data = platform.query(document, json!({"from": from})).await?;
        let node = &data["workerNodes"]["nodes"][0]["metrics"];
        if values(node, "MEMORY_BYTES").len() >= 2 {
            ensure!(values(node, "MEMORY_BYTES").iter().all(|bytes| *bytes > 0.0), "{node:#}");
            return Ok(());
        }
        ensure!(begin.elapsed() < LIMIT, "the node tells nothing: {data:#}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_counted_once_with_its_failures_and_its_time() -> Result<()> {
    let platform = Platform::start().await?;
    let app = write_app(&[("package.json", PACKAGE), ("server.js", SERVER)])?;
    platform.deploy(app.path(), "shop").await?.expect_live();
    first_looks(&platform).await?;
    let host = platform.host("shop");
    for (path, count) in [("/", 60), ("/broken", 7), ("/slow", 3)] {
        for _ in 0..count {
            visit(platform.ingress, &host, path).await?;
        }
    }
    let begin = std::time::Instant::now();
    let mut seen = series(&platform).await?;
    while values(&seen, "HTTP_REQUESTS").iter().sum::<f64>() < 70.0 || values(&seen, "MEMORY_BYTES").is_empty() {
        ensure!(begin.elapsed() < LIMIT, "not all that was asked was counted: {seen:#}");
        tokio::time::sleep(Duration::from_millis(500)).await;
        seen = series(&platform).await?;
    }
    // One more sample, in which nothing is counted again, nor what the agent asks by itself: a deployment has it ask.
    platform.deploy(app.path(), "shop").await?.expect_live();
    tokio::time::sleep(Duration::from_secs(12)).await;
    seen = series(&platform).await?;
    assert_eq!(values(&seen, "HTTP_REQUESTS").iter().sum::<f64>(), 70.0, "{seen:#}");
    assert_eq!(values(&seen, "HTTP_5XX").iter().sum::<f64>(), 7.0, "{seen:#}");
    let slowest = values(&seen, "HTTP_P99_MS").into_iter().fold(0.0, f64::max);
    assert!((250.0..=500.0).contains(&slowest), "300 ms lies in the class from 250 to 500: {slowest}");
    let half = values(&seen, "HTTP_P50_MS").into_iter().fold(f64::MAX, f64::min);
    assert!(half < 100.0, "most were answered at once: {half}");

    let memory = values(&seen, "MEMORY_BYTES").pop().context("memory was measured")?;
    let limit = values(&seen, "MEMORY_LIMIT_BYTES").pop().context("its limit is known")?;
    assert!(memory > 5e6 && memory < limit, "{memory} of {limit}");
    assert_eq!(limit, f64::from(256 << 20), "the plan grants it");
    assert!(values(&seen, "NET_RX_BYTES").iter().sum::<f64>() > 1_000.0, "{seen:#}");
    assert!(
        values(&seen, "CPU_PERCENT").iter().all(|percent| (0.0..=100.0).contains(percent)),
        "a quarter of a processor is granted: {seen:#}"
    );
    assert!(values(&seen, "DISK_BYTES").iter().all(|bytes| *bytes < 1e8));
    Ok(())
}
