use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::{application, deploy};
use crate::client::Client;
use crate::exit::Failure;
use crate::{Global, output};

#[derive(Args)]
pub struct Rollback {
    /// Application.
    app: String,
    /// Number of the deployment to return to [default: the one before the current].
    #[arg(long, value_name = "NUMBER")]
    to: Option<i64>,
}

impl Rollback {
    pub async fn run(self, global: &Global) -> Result<ExitCode> {
        let client = Client::new(global)?;
        let selection = "slug currentDeployment { id } deployments(first: 100) { nodes { id number status canRollback } }";
        let app = application(&client, &self.app, selection).await?;
        let target = self.target(&app)?;
        let input = json!({ "id": target, "idempotencyKey": slipway_model::system_clock().uuid().to_string() });
        let payload = client.mutate("deploymentRollback", "DeploymentRollbackInput", input, "deployment { id number }").await?;
        let progress = deploy::Progress::new(global.json);
        let end = deploy::follow(&client, &output::text(&payload, "/deployment/id"), progress).await?;
        deploy::conclude(&end, global.json)
    }

    fn target(&self, app: &Value) -> Result<Value> {
        let deployments = app["deployments"]["nodes"].as_array().map_or(&[][..], Vec::as_slice);
        let current = &app["currentDeployment"]["id"];
        let found = deployments.iter().find(|deployment| match self.to {
            Some(number) => deployment["number"] == number,
            None => deployment["canRollback"] == true && deployment["id"] != *current,
        });
        found.map(|deployment| deployment["id"].clone()).ok_or_else(|| {
            let message = match self.to {
                Some(number) => format!("{} has no deployment {number}", self.app),
                None => format!("{} has no earlier deployment to return to", self.app),
            };
            Failure::new("NOT_FOUND", message).into()
        })
    }
}
