use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::application;
use crate::client::Client;
use crate::{Global, output};

#[derive(Args)]
pub struct Apps {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// List applications.
    List,
    /// Show one application.
    Show { app: String },
    /// Create an application without deploying it.
    Create {
        name: String,
        /// Plan, by its slug [default: the first offered].
        #[arg(long)]
        plan: Option<String>,
        /// Region, by its slug [default: the first offered].
        #[arg(long)]
        region: Option<String>,
        /// Deploy from this Git repository in place of uploads.
        #[arg(long, value_name = "URL")]
        git: Option<String>,
        #[arg(long, default_value = "main", requires = "git")]
        branch: String,
    },
    /// Delete an application with its containers, images and routes.
    Delete {
        app: String,
        /// The application's name again: deleting cannot be undone.
        #[arg(long, value_name = "APP")]
        confirm: String,
    },
}

const SELECTION: &str =
    "slug name status statusReason url desiredInstances plan { slug } region { slug } currentDeployment { number status }";

impl Apps {
    pub async fn run(self, global: &Global) -> Result<ExitCode> {
        let client = Client::new(global)?;
        match self.action.unwrap_or(Action::List) {
            Action::List => list(&client, global.json).await?,
            Action::Show { app } => show(&application(&client, &app, SELECTION).await?, global.json)?,
            Action::Create { name, plan, region, git, branch } => {
                let source = match git {
                    Some(url) => json!({ "git": { "repositoryUrl": url, "branch": branch } }),
                    None => json!({ "upload": true }),
                };
                let new = NewApplication { name: &name, plan: plan.as_deref(), region: region.as_deref(), source };
                show(&create(&client, new).await?, global.json)?;
            }
            Action::Delete { app, confirm } => {
                let found = application(&client, &app, "slug").await?;
                let input = json!({ "id": found["id"], "confirmSlug": confirm });
                let payload =
                    client.mutate("applicationDelete", "ApplicationDeleteInput", input, "deletedId operation { id status }").await?;
                if global.json { output::json(&payload)? } else { println!("{app} is being deleted") }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub struct NewApplication<'a> {
    pub name: &'a str,
    pub plan: Option<&'a str>,
    pub region: Option<&'a str>,
    pub source: Value,
}

/// Creates an application in the caller's first organization.
pub async fn create(client: &Client, new: NewApplication<'_>) -> Result<Value> {
    let document =
        "{ organizations(first: 1) { nodes { id } } plans(first: 100) { nodes { id slug } } regions(first: 100) { nodes { id slug } } }";
    let offered = client.run(document, json!({})).await?;
    let input = json!({
        "organizationId": choose(&offered, "organizations", "organization", None)?,
        "name": new.name,
        "slug": slipway_model::Slug::nearest(new.name).map(String::from),
        "planId": choose(&offered, "plans", "plan", new.plan)?,
        "regionId": choose(&offered, "regions", "region", new.region)?,
        "source": new.source,
    });
    let selection = format!("application {{ id {SELECTION} }}");
    let mut payload = client.mutate("applicationCreate", "ApplicationCreateInput", input, &selection).await?;
    Ok(payload["application"].take())
}

/// The id of the wanted one, or of the first.
fn choose(offered: &Value, list: &str, noun: &str, wanted: Option<&str>) -> Result<Value> {
    let nodes = offered[list]["nodes"].as_array().map_or(&[][..], Vec::as_slice);
    let slugs: Vec<String> = nodes.iter().map(|node| output::text(node, "/slug")).collect();
    let found = match wanted {
        Some(slug) => nodes.iter().find(|node| node["slug"] == *slug),
        None => nodes.first(),
    };
    found.map(|node| node["id"].clone()).ok_or_else(|| {
        let message = match wanted {
            Some(slug) => format!("there is no {noun} {slug}; offered: {}", slugs.join(", ")),
            None => format!("no {noun} is offered to you: ask the administrator"),
        };
        crate::exit::Failure::new("NOT_FOUND", message).into()
    })
}

async fn list(client: &Client, json_output: bool) -> Result<()> {
    let document = format!("{{ applications(first: 100) {{ nodes {{ id {SELECTION} }} }} }}");
    let data = client.run(&document, json!({})).await?;
    let nodes = data["applications"]["nodes"].as_array().cloned().unwrap_or_default();
    if json_output {
        return output::json(&nodes);
    }
    let rows: Vec<[String; 4]> = nodes
        .iter()
        .map(|app| {
            let status = output::words(&output::text(app, "/status"));
            [output::text(app, "/slug"), status, output::text(app, "/plan/slug"), output::text(app, "/url")]
        })
        .collect();
    output::table(["APP", "STATUS", "PLAN", "URL"], &rows, "No applications yet. `slipway deploy` in a folder with code makes one.");
    Ok(())
}

fn show(app: &Value, json_output: bool) -> Result<()> {
    if json_output {
        return output::json(app);
    }
    let lines = [
        ("app", output::text(app, "/slug")),
        ("name", output::text(app, "/name")),
        ("status", output::words(&output::text(app, "/status"))),
        ("why", output::text(app, "/statusReason")),
        ("plan", output::text(app, "/plan/slug")),
        ("region", output::text(app, "/region/slug")),
        ("instances", output::text(app, "/desiredInstances")),
        ("deployment", output::text(app, "/currentDeployment/number")),
        ("url", output::text(app, "/url")),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        println!("{name:<11} {value}");
    }
    Ok(())
}
