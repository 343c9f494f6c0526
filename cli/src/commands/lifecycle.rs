use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use super::application;
use crate::client::Client;
use crate::{Global, output};

#[derive(Subcommand)]
pub enum Lifecycle {
    /// Replace an application's instances by fresh ones, without downtime.
    Restart { app: String },
    /// Stop an application; its configuration and releases stay.
    Stop { app: String },
    /// Start a stopped application.
    Start { app: String },
}

impl Lifecycle {
    pub async fn run(self, global: &Global) -> Result<ExitCode> {
        let (app, field, input_type, verb) = match self {
            Self::Restart { app } => (app, "applicationRestart", "ApplicationRestartInput", "restarted"),
            Self::Stop { app } => (app, "applicationStop", "ApplicationStopInput", "stopped"),
            Self::Start { app } => (app, "applicationStart", "ApplicationStartInput", "started"),
        };
        let client = Client::new(global)?;
        let found = application(&client, &app, "slug").await?;
        let payload = client.mutate(field, input_type, json!({ "id": found["id"] }), "operation { id status }").await?;
        if global.json {
            output::json(&payload)?;
        } else {
            println!("{app} is being {verb}");
        }
        Ok(ExitCode::SUCCESS)
    }
}
