//! What a dashboard asks when it is opened: fifty applications with their plans, current deployments and instances. Beside it the same
//! data by one statement written by hand, which is the limit, and by `PostGraphile` from the same tables.

mod by_hand;
mod load;
mod population;
mod postgraphile;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use slipway_e2e::Server;
use slipway_store::Engine;
use slipway_store_testing::TestDatabase;

use load::{Load, Measured};

/// More than is measured: it is not the limits that count here.
const POINTS: &[&str] = &["--points-per-minute", "1000000000"];

const QUERY: &str = "{ applications(first: 50) { nodes {
    id slug name status url
    plan { slug priceHourly { amount currency } }
    currentDeployment { id number status createdAt }
    instances(first: 10) { nodes { id status process index } }
} } }";

pub async fn measure() -> Result<()> {
    println!("\n## A dashboard of 50 applications, of {}", population::SIZE);
    println!("{} connections at once, each as fast as it is answered", load::CONNECTIONS);
    for engine in [Engine::Postgres, Engine::Sqlite] {
        let database = TestDatabase::of(engine).await;
        let token = population::fill(&database.db).await?;
        println!("\n### {engine:?}");
        let ours = ours(&database.url, &token).await?;
        let by_hand = by_hand::measure(engine, &database.url).await?;
        println!("by hand: {by_hand}");
        println!("of the limit: {:.2} of its requests per second (goal 0.5)", ours.per_second() / by_hand.per_second());
        if engine == Engine::Postgres {
            let theirs = postgraphile::measure(&database.url).await?;
            println!("PostGraphile: {theirs}");
            println!("of PostGraphile: {:.2} of its requests per second (goal 3)", ours.per_second() / theirs.per_second());
        }
    }
    Ok(())
}

async fn ours(database: &str, token: &str) -> Result<Measured> {
    let options: Vec<&str> = POINTS.iter().copied().chain(["--database", database]).collect();
    let server = Server::start(&options)?;
    let load = Load::new(server.url("/graphql"), json!({ "query": QUERY }), Some(token));
    let answer = load.once().await?;
    let nodes = answer.pointer("/data/applications/nodes").and_then(Value::as_array).with_context(|| answer.to_string())?;
    ensure!(nodes.len() == 50 && nodes[0]["instances"]["nodes"][0]["id"].is_string() && nodes[0]["plan"]["slug"].is_string(), "{answer}");
    ensure!(nodes[0]["currentDeployment"]["id"].is_string(), "{answer}");
    let before = statements(&server).await?;
    load.once().await?;
    println!("slipway: {} statements for one request, with looking at its token", statements(&server).await? - before);
    let measured = load.run().await?;
    println!("slipway: {measured}");
    Ok(measured)
}

async fn statements(server: &Server) -> Result<u64> {
    let text = reqwest::get(server.url("/metrics")).await?.text().await?;
    let line = text.lines().find_map(|line| line.strip_prefix("slipway_database_statements_total "));
    Ok(line.context("the server counts its statements")?.parse()?)
}
