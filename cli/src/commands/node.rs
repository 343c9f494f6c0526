use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::Client;
use crate::exit::Failure;
use crate::{Global, output};

#[derive(Subcommand)]
pub enum Node {
    /// List the worker nodes.
    List,
    /// Make a single-use token with which one machine may join.
    Invite {
        /// Region of the new node, by its slug [default: the first].
        #[arg(long)]
        region: Option<String>,
        /// Seconds until the token expires.
        #[arg(long, default_value_t = 300)]
        ttl: u32,
    },
}

impl Node {
    pub async fn run(self, global: &Global) -> Result<ExitCode> {
        let client = Client::new(global)?;
        match self {
            Self::List => list(&client, global.json).await?,
            Self::Invite { region, ttl } => invite(&client, region.as_deref(), ttl, global.json).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn list(client: &Client, json_output: bool) -> Result<()> {
    let document = "{ workerNodes(first: 100) { nodes { id name status region { slug } cordoned agentVersion dockerVersion \
        utilization { cpuPercent memoryPercent } capacity { instances } lastHeartbeatAt ingressProblem } } }";
    let data = client.run(document, json!({})).await?;
    let nodes = data["workerNodes"]["nodes"].as_array().cloned().unwrap_or_default();
    if json_output {
        return output::json(&nodes);
    }
    let percent = |node: &Value, pointer: &str| format!("{:.0} %", node.pointer(pointer).and_then(Value::as_f64).unwrap_or_default());
    let rows: Vec<[String; 7]> = nodes
        .iter()
        .map(|node| {
            [
                output::text(node, "/name"),
                output::words(&output::text(node, "/status")),
                output::text(node, "/region/slug"),
                percent(node, "/utilization/cpuPercent"),
                percent(node, "/utilization/memoryPercent"),
                output::text(node, "/capacity/instances"),
                output::text(node, "/lastHeartbeatAt"),
            ]
        })
        .collect();
    output::table(["NODE", "STATUS", "REGION", "CPU", "MEMORY", "INSTANCES", "HEARTBEAT"], &rows, "No worker nodes.");
    for node in nodes.iter().filter(|node| node["ingressProblem"].is_string()) {
        println!("No visitor can come in at {}: {}.", output::text(node, "/name"), output::text(node, "/ingressProblem"));
    }
    Ok(())
}

async fn invite(client: &Client, region: Option<&str>, ttl: u32, json_output: bool) -> Result<()> {
    let data = client.run("{ regions(first: 100, availableOnly: false) { nodes { id slug } } }", json!({})).await?;
    let mut regions = data["regions"]["nodes"].as_array().into_iter().flatten();
    let found = match region {
        Some(slug) => regions.find(|region| region["slug"] == *slug),
        None => regions.next(),
    };
    let found = found.ok_or_else(|| Failure::new("NOT_FOUND", "there is no such region"))?;
    let input = json!({ "regionId": found["id"], "ttlSeconds": ttl });
    let selection = "install { token command expiresAt }";
    let payload = client.mutate("nodeEnrollmentTokenCreate", "NodeEnrollmentTokenCreateInput", input, selection).await?;
    if json_output {
        return output::json(&payload);
    }
    println!("On the new machine, within {ttl} s:\n\n  {}\n", output::text(&payload, "/install/command"));
    Ok(())
}
