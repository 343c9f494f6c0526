use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use super::application;
use crate::client::Client;
use crate::{Global, output};

#[derive(Args)]
pub struct Ps {
    /// Application.
    app: String,
}

impl Ps {
    pub async fn run(self, global: &Global) -> Result<ExitCode> {
        let client = Client::new(global)?;
        let selection =
            "instances(first: 100) { nodes { id index status statusReason restartCount exitCode startedAt deployment { number } } }";
        let app = application(&client, &self.app, selection).await?;
        let nodes = app["instances"]["nodes"].as_array().cloned().unwrap_or_default();
        if global.json {
            output::json(&nodes)?;
            return Ok(ExitCode::SUCCESS);
        }
        let rows: Vec<[String; 6]> = nodes.iter().map(row).collect();
        output::table(["INSTANCE", "STATUS", "DEPLOYMENT", "RESTARTS", "STARTED", "WHY"], &rows, "No instances.");
        Ok(ExitCode::SUCCESS)
    }
}

fn row(instance: &Value) -> [String; 6] {
    [
        output::text(instance, "/id"),
        output::words(&output::text(instance, "/status")),
        output::text(instance, "/deployment/number"),
        output::text(instance, "/restartCount"),
        output::text(instance, "/startedAt"),
        output::text(instance, "/statusReason"),
    ]
}
