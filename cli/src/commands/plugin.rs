mod new;
mod test;
mod trial;

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
    /// Write a small project for a plugin of your own: it compiles, and it passes `slipway plugin test`.
    New(new::New),
    /// Build a plugin and try it: every question, the answers that its author expects, and what nobody expects.
    Test(test::Test),
    /// Try a plugin in this process, which it may end; `test` does so by itself.
    #[command(hide = true)]
    Trial(trial::Trial),
}

impl Plugin {
    pub async fn run(self, global: &Global) -> Result<ExitCode> {
        match self {
            Self::List => {
                show(&list(&Client::new(global)?).await?, global.json)?;
                Ok(ExitCode::SUCCESS)
            }
            Self::Enable { name } => set_enabled(&name, true, global).await,
            Self::Disable { name } => set_enabled(&name, false, global).await,
            Self::New(new) => new.run(global),
            Self::Test(test) => test.run(global).await,
            Self::Trial(trial) => trial.run().await,
        }
    }
}

async fn set_enabled(name: &str, enabled: bool, global: &Global) -> Result<ExitCode> {
    let client = Client::new(global)?;
    let plugins = list(&client).await?;
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
