mod configure;
mod install;
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

/// What is told of a plugin that was changed.
const CHANGED: &str = "plugin { name version status sha256 archiveSha256 }";

#[derive(Subcommand)]
pub enum Plugin {
    #[command(flatten)]
    Installed(Installed),
    /// Write a small project for a plugin of your own: it compiles, and it passes `slipway plugin test`.
    New(new::New),
    /// Build a plugin and try it: every question, the answers that its author expects, and what nobody expects.
    Test(test::Test),
    /// Try a plugin in this process, which it may end; `test` does so by itself.
    #[command(hide = true)]
    Trial(trial::Trial),
}

/// What is done with the plugins of a platform.
#[derive(Subcommand)]
pub enum Installed {
    /// List the plugins.
    List,
    /// Show a plugin: what it is, what it asks for, its settings and how it behaves.
    Show { name: String },
    /// Install a plugin from its directory or an archive. It is disabled until it is enabled.
    Install(install::Source),
    /// Put another version in the place of an installed plugin.
    Upgrade {
        name: String,
        #[command(flatten)]
        source: install::Source,
    },
    /// Give a plugin its settings, all of them. Secrets that are left out stay.
    Configure {
        name: String,
        #[command(flatten)]
        settings: configure::Settings,
    },
    /// Offer what a plugin brings.
    Enable { name: String },
    /// Stop offering what a plugin brings.
    Disable {
        name: String,
        /// Although it is in use: what runs goes on, and nothing new begins on it.
        #[arg(long)]
        drain: bool,
    },
    /// Take a plugin out of quarantine.
    Release { name: String },
    /// Remove an installed plugin that is disabled and not in use.
    Remove { name: String },
}

impl Plugin {
    pub async fn run(self, global: &Global) -> Result<ExitCode> {
        match self {
            Self::New(new) => new.run(global),
            Self::Test(test) => test.run(global).await,
            Self::Trial(trial) => trial.run().await,
            Self::Installed(installed) => installed.run(global).await,
        }
    }
}

impl Installed {
    async fn run(self, global: &Global) -> Result<ExitCode> {
        let client = Client::new(global)?;
        let payload = match self {
            Self::List => {
                show_all(&list(&client).await?, global.json)?;
                return Ok(ExitCode::SUCCESS);
            }
            Self::Show { name } => {
                show(&find(&client, &name).await?, global.json)?;
                return Ok(ExitCode::SUCCESS);
            }
            Self::Remove { name } => {
                let id = find(&client, &name).await?["id"].take();
                let payload = client.mutate("pluginRemove", "PluginRemoveInput", json!({ "id": id }), "removedId").await?;
                if global.json {
                    output::json(&payload)?
                } else {
                    println!("{name} is removed")
                }
                return Ok(ExitCode::SUCCESS);
            }
            Self::Install(source) => {
                let sent = source.send(&client).await?;
                client
                    .mutate("pluginInstall", "PluginInstallInput", json!({ "sha256": sent.sha256, "grants": sent.grants }), CHANGED)
                    .await?
            }
            Self::Upgrade { name, source } => {
                let id = find(&client, &name).await?["id"].take();
                let sent = source.send(&client).await?;
                client
                    .mutate(
                        "pluginUpgrade",
                        "PluginUpgradeInput",
                        json!({ "id": id, "sha256": sent.sha256, "grants": sent.grants }),
                        CHANGED,
                    )
                    .await?
            }
            Self::Configure { name, settings } => {
                let settings = settings.read()?;
                let id = find(&client, &name).await?["id"].take();
                client.mutate("pluginConfigure", "PluginConfigureInput", json!({ "id": id, "settings": settings }), CHANGED).await?
            }
            Self::Enable { name } => {
                let id = find(&client, &name).await?["id"].take();
                client.mutate("pluginSetEnabled", "PluginSetEnabledInput", json!({ "id": id, "enabled": true }), CHANGED).await?
            }
            Self::Disable { name, drain } => {
                let id = find(&client, &name).await?["id"].take();
                client
                    .mutate("pluginSetEnabled", "PluginSetEnabledInput", json!({ "id": id, "enabled": false, "drain": drain }), CHANGED)
                    .await?
            }
            Self::Release { name } => {
                let id = find(&client, &name).await?["id"].take();
                client.mutate("pluginRelease", "PluginReleaseInput", json!({ "id": id }), CHANGED).await?
            }
        };
        if global.json {
            output::json(&payload)?;
        } else {
            let text = |pointer| output::text(&payload, pointer);
            println!("{} {} is {}", text("/plugin/name"), text("/plugin/version"), output::words(&text("/plugin/status")));
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn list(client: &Client) -> Result<Vec<Value>> {
    let document = "{ plugins(first: 100) { nodes { id name version status statusReason capabilities form isolation } } }";
    let data = client.run(document, json!({})).await?;
    Ok(data["plugins"]["nodes"].as_array().cloned().unwrap_or_default())
}

async fn find(client: &Client, name: &str) -> Result<Value> {
    let document = "query($name: String!) { plugin(name: $name) {
        id name title version description capabilities status statusReason form isolation grants sha256 archiveSha256
        settingsSchema settings calls refusals failures strikes restarts p99CallMicros createdAt } }";
    let mut data = client.run(document, json!({ "name": name })).await?;
    let plugin = data["plugin"].take();
    if plugin.is_null() {
        return Err(Failure::new("NOT_FOUND", format!("there is no plugin {name}")).fix("`slipway plugin list`").into());
    }
    Ok(plugin)
}

fn show_all(plugins: &[Value], json_output: bool) -> Result<()> {
    if json_output {
        return output::json(&plugins);
    }
    let rows: Vec<[String; 5]> = plugins
        .iter()
        .map(|plugin| {
            let words = |pointer| output::words(&output::text(plugin, pointer));
            let text = |pointer| output::text(plugin, pointer);
            [text("/name"), text("/version"), words("/status"), words("/isolation"), text("/statusReason")]
        })
        .collect();
    output::table(["PLUGIN", "VERSION", "STATUS", "ISOLATION", "WHY"], &rows, "No plugins are installed.");
    Ok(())
}

fn show(plugin: &Value, json_output: bool) -> Result<()> {
    if json_output {
        return output::json(plugin);
    }
    let rows: Vec<[String; 2]> = [
        ("title", "/title"),
        ("version", "/version"),
        ("description", "/description"),
        ("for", "/capabilities"),
        ("status", "/status"),
        ("why", "/statusReason"),
        ("form", "/form"),
        ("isolation", "/isolation"),
        ("asks for", "/grants"),
        ("library's SHA-256", "/sha256"),
        ("archive's SHA-256", "/archiveSha256"),
        ("settings", "/settings"),
        ("calls", "/calls"),
        ("refusals", "/refusals"),
        ("failures", "/failures"),
        ("strikes", "/strikes"),
        ("restarts", "/restarts"),
        ("p99 of a call, µs", "/p99CallMicros"),
    ]
    .into_iter()
    .map(|(name, pointer)| [name.to_owned(), words(plugin, pointer)])
    .filter(|[_, value]| !value.is_empty())
    .collect();
    output::table(["PLUGIN", &output::text(plugin, "/name")], &rows, "");
    Ok(())
}

/// Constants as people read them; of a list, each.
fn words(plugin: &Value, pointer: &str) -> String {
    match plugin.pointer(pointer) {
        Some(Value::Array(members)) => members.iter().filter_map(Value::as_str).map(output::words).collect::<Vec<_>>().join(", "),
        _ if matches!(pointer, "/status" | "/form" | "/isolation") => output::words(&output::text(plugin, pointer)),
        _ => output::text(plugin, pointer),
    }
}
