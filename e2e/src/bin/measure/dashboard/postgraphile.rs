//! `PostGraphile` from npm on the same tables.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use slipway_e2e::rival;
use sqlx::{Connection, PgConnection};

use super::load::{Load, Measured};

const QUERY: &str = "{ allApplications(first: 50, orderBy: CREATED_AT_DESC) { nodes {
    id slug name status
    planByPlanId { slug priceHourlyNanos }
    deploymentByCurrentDeploymentId { id number status createdAt }
    instancesByApplicationId(first: 10, orderBy: CREATED_AT_DESC) { nodes { id status process instanceIndex } }
} } }";

/// Ended with the measurement.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub async fn measure(database: &str) -> Result<Measured> {
    // It follows foreign keys; this one is none in our schema.
    let mut connection = PgConnection::connect(database).await?;
    sqlx::raw_sql("COMMENT ON TABLE applications IS E'@foreignKey (current_deployment_id) references deployments (id)'")
        .execute(&mut connection)
        .await?;
    let program = rival("postgraphile")?;
    let (_running, url) = start(&program, database).await?;
    let load = Load::new(url, json!({ "query": QUERY }), None);
    let answer = load.once().await?;
    let nodes = answer.pointer("/data/allApplications/nodes").and_then(Value::as_array).with_context(|| answer.to_string())?;
    ensure!(nodes.len() == 50 && nodes[0]["deploymentByCurrentDeploymentId"]["id"].is_string(), "{answer}");
    load.run().await
}

async fn start(program: &Path, database: &str) -> Result<(Running, String)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = Command::new(program);
    command.args(["--connection", database, "--schema", "public", "--host", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--disable-graphiql", "--disable-query-log", "--no-setof-functions-contain-nulls", "--max-pool-size", "16"]);
    // Global ids of its own would be called as columns of ours are: `nodes`, `node_id`.
    command.args(["--skip-plugins", "graphile-build:NodePlugin"]);
    command.env("NODE_ENV", "production").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let running = Running(command.spawn().with_context(|| program.display().to_string())?);
    let begin = Instant::now();
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        ensure!(begin.elapsed() < Duration::from_secs(60), "PostGraphile does not listen");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok((running, format!("http://127.0.0.1:{port}/graphql")))
}
