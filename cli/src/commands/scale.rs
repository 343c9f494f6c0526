use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::application;
use crate::client::Client;
use crate::{Global, output};

#[derive(Args)]
pub struct Scale {
    /// Application.
    app: String,
    /// How many instances.
    instances: u32,
}

impl Scale {
    pub async fn run(self, global: &Global) -> Result<ExitCode> {
        let client = Client::new(global)?;
        let app = application(&client, &self.app, "slug").await?;
        let input = json!({ "id": app["id"], "instances": self.instances });
        let payload = client.mutate("applicationScale", "ApplicationScaleInput", input, "operation { id status }").await?;
        if global.json {
            output::json(&payload)?;
        } else {
            println!("{} goes to {} instances; `slipway ps {}` shows them", self.app, self.instances, self.app);
        }
        Ok(ExitCode::SUCCESS)
    }
}
