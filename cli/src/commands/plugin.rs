use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::Client;
use crate::exit::Failure;
use crate::{Global, output};

#[derive(Subcommand)]
pub enum Plugin {
    /// List the installed plugins.
    List,
    /// Offer what a plugin brings.
    Enable { name: String },
    /// Stop offering what a plugin brings.
    Disable { name: String },
}

impl Plugin {
    pub async fn run(self, global: &Global) -> Result<ExitCode> {
        let client = Client::new(global)?;
        let plugins = list(&client).await?;
        let (name, enabled) = match self {
            Self::List => {
                show(&plugins, global.json)?;
                return Ok(ExitCode::SUCCESS);
            }
            Self::Enable { name } => (name, true),
            Self::Disable { name } => (name, false),
        };
        let plugin = plugins.iter().find(|plugin| plugin["name"] == *name);
        let plugin = plugin.ok_or_else(|| Failure::new("NOT_FOUND", format!("there is no plugin {name}")).fix("`slipway plugin list`"))?;
        let input = json!({ "id": plugin["id"], "enabled": enabled });
        let payload = client.mutate("pluginSetEnabled", "PluginSetEnabledInput", input, "plugin { name status }").await?;
        if global.json {
            output::json(&payload)?;
        } else {
            println!("{name} is {}", output::words(&output::text(&payload, "/plugin/status")));
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn list(client: &Client) -> Result<Vec<Value>> {
    let data = client.run("{ plugins(first: 100) { nodes { id name version status statusReason capabilities } } }", json!({})).await?;
    Ok(data["plugins"]["nodes"].as_array().cloned().unwrap_or_default())
}

fn show(plugins: &[Value], json_output: bool) -> Result<()> {
    if json_output {
        return output::json(&plugins);
    }
    let rows: Vec<[String; 4]> = plugins
        .iter()
        .map(|plugin| {
            let status = output::words(&output::text(plugin, "/status"));
            [output::text(plugin, "/name"), output::text(plugin, "/version"), status, output::text(plugin, "/statusReason")]
        })
        .collect();
    output::table(["PLUGIN", "VERSION", "STATUS", "WHY"], &rows, "No plugins are installed.");
    Ok(())
}
