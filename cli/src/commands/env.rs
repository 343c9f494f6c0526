use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::application;
use crate::client::Client;
use crate::exit::Failure;
use crate::{Global, output};

#[derive(Subcommand)]
pub enum Env {
    /// List the variables; values are not shown.
    List { app: String },
    /// Set variables; they take effect with the next deployment.
    Set {
        app: String,
        #[arg(required = true, value_name = "KEY=VALUE")]
        variables: Vec<String>,
        /// Deploy at once.
        #[arg(long)]
        redeploy: bool,
    },
    /// Remove variables; they are gone with the next deployment.
    Unset {
        app: String,
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
        /// Deploy at once.
        #[arg(long)]
        redeploy: bool,
    },
}

impl Env {
    pub async fn run(self, global: &Global) -> Result<ExitCode> {
        let client = Client::new(global)?;
        match self {
            Self::List { app } => {
                let found = application(&client, &app, "variables { key scope sensitive fingerprint updatedAt }").await?;
                let variables = found["variables"].as_array().cloned().unwrap_or_default();
                if global.json {
                    output::json(&variables)?;
                    return Ok(ExitCode::SUCCESS);
                }
                let rows: Vec<[String; 4]> = variables.iter().map(row).collect();
                output::table(["KEY", "SCOPE", "FINGERPRINT", "CHANGED"], &rows, "No variables.");
            }
            Self::Set { app, variables, redeploy } => {
                let pairs = variables.iter().map(|pair| parse(pair)).collect::<Result<Vec<_>>>()?;
                let found = application(&client, &app, "slug").await?;
                let input = json!({ "applicationId": found["id"], "variables": pairs, "redeploy": redeploy });
                let payload = client.mutate("variablesSet", "VariablesSetInput", input, "deployment { number }").await?;
                tell(&payload, &format!("{} set", plural(variables.len())), global.json)?;
            }
            Self::Unset { app, keys, redeploy } => {
                let found = application(&client, &app, "slug").await?;
                let input = json!({ "applicationId": found["id"], "keys": keys, "redeploy": redeploy });
                let payload = client.mutate("variablesUnset", "VariablesUnsetInput", input, "deployment { number }").await?;
                tell(&payload, &format!("{} removed", plural(keys.len())), global.json)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn row(variable: &Value) -> [String; 4] {
    [
        output::text(variable, "/key"),
        output::words(&output::text(variable, "/scope")),
        output::text(variable, "/fingerprint"),
        output::text(variable, "/updatedAt"),
    ]
}

fn parse(pair: &str) -> Result<Value> {
    let (key, value) = pair.split_once('=').ok_or_else(|| {
        // The text may be a secret: it is not repeated.
        Failure::new("INVALID", "a variable is given as KEY=VALUE").fix("slipway env set APP KEY=VALUE")
    })?;
    Ok(json!({ "key": key, "value": value }))
}

fn plural(count: usize) -> String {
    if count == 1 { "1 variable".into() } else { format!("{count} variables") }
}

fn tell(payload: &Value, what: &str, json_output: bool) -> Result<()> {
    if json_output {
        return output::json(payload);
    }
    match payload.pointer("/deployment/number") {
        Some(number) => println!("{what}; deployment {number} brings it into effect"),
        None => println!("{what}; the next deployment brings it into effect"),
    }
    Ok(())
}
