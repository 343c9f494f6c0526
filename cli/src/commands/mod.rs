//! One file per command.

pub mod agent;
pub mod apps;
pub mod buildpack;
pub mod deploy;
pub mod env;
pub mod images;
pub mod lifecycle;
pub mod login;
pub mod logs;
pub mod node;
pub mod plan;
pub mod plugin;
pub mod precompile;
pub mod ps;
pub mod rollback;
pub mod scale;
pub mod server;
pub mod trial_report;
pub mod up;

use anyhow::Result;
use serde_json::{Value, json};

use crate::client::Client;
use crate::exit::Failure;

/// The application of that slug; a failure that says what to do where there is none.
async fn application(client: &Client, slug: &str, selection: &str) -> Result<Value> {
    find_application(client, slug, selection)
        .await?
        .ok_or_else(|| Failure::new("NOT_FOUND", format!("there is no application {slug}")).fix("`slipway apps` lists yours").into())
}

async fn find_application(client: &Client, slug: &str, selection: &str) -> Result<Option<Value>> {
    let document = format!("query($slug: String!) {{ application(slug: $slug) {{ id {selection} }} }}");
    let data = client.run(&document, json!({ "slug": slug })).await?;
    Ok(data.get("application").filter(|application| !application.is_null()).cloned())
}
