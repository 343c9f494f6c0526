//! Two control planes on one database: what an administrator does with plugins through one is done by the other too, without a restart.

use std::{path::Path, time::Duration};

use serde_json::json;
use slipway_core::Core;
use slipway_plugin_host::{CallError, messages::ResolveRequest};

use crate::{plugin_life::evil, world::World};

/// Within which one hears of the other.
const PATIENCE: Duration = Duration::from_secs(20);

async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            match look().await {
                Some(seen) => break seen,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("not within {PATIENCE:?}: {what}"))
}

async fn resolve(core: &Core, tool: &str) -> Result<String, String> {
    let plugin = core.platform().plugins.get("evil").ok_or("it is not here")?;
    let request = ResolveRequest { tool: tool.into(), constraint: String::new() };
    match plugin.runtime_resolve(request).await {
        Ok(resolution) => Ok(resolution.version),
        Err(CallError::Refused(refusal)) => Err(refusal.message),
        Err(error) => Err(error.to_string()),
    }
}

fn version(core: &Core) -> Option<String> {
    core.platform().plugins.get("evil").map(|plugin| plugin.manifest().version.clone())
}

fn has_files(data: &Path) -> bool {
    std::fs::read_dir(data.join("plugins/evil")).is_ok_and(|mut versions| versions.next().is_some())
}

#[tokio::test]
async fn what_is_done_with_a_plugin_through_one_is_done_by_the_other() {
    let world = World::on_postgres().await;
    let (other, data) = world.second().await;
    let id = world.install(evil("evil", "1.0.0")).await["plugin"]["id"].clone();
    eventually("it is there", async || version(&other)).await;
    assert!(has_files(data.path()), "from the database: the other has a data directory of its own");
    assert!(resolve(&other, "good").await.unwrap_err().contains("disabled"));

    world.on_plugin("pluginConfigure", json!({ "id": id, "settings": { "token": "secret" } })).await;
    world.on_plugin("pluginSetEnabled", json!({ "id": id, "enabled": true })).await;
    eventually("it is enabled", async || resolve(&other, "good").await.ok()).await;
    eventually("it has its settings", async || resolve(&other, "token").await.is_err_and(|said| said == "my token is …").then_some(()))
        .await;

    let sha256 = world.send(evil("evil", "2.0.0")).await;
    world.on_plugin("pluginUpgrade", json!({ "id": id, "sha256": sha256, "grants": ["NATIVE_CODE"] })).await;
    eventually("it is the new version", async || version(&other).filter(|version| version == "2.0.0")).await;
    assert_eq!(resolve(&other, "good").await.as_deref(), Ok("1"));
    assert_eq!(resolve(&other, "token").await, Err("my token is …".to_owned()), "it has the settings of the old one");

    // What it does there counts everywhere.
    for _ in 0..3 {
        assert!(resolve(&other, "panic").await.is_err());
    }
    eventually("it is put aside here too", async || (world.plugin("evil").await["status"] == "QUARANTINED").then_some(())).await;
    world.on_plugin("pluginRelease", json!({ "id": id })).await;
    eventually("it is released there too", async || resolve(&other, "good").await.ok()).await;

    world.on_plugin("pluginSetEnabled", json!({ "id": id, "enabled": false })).await;
    eventually("it is disabled", async || resolve(&other, "good").await.is_err_and(|said| said.contains("disabled")).then_some(())).await;
    let gone = world.mutate(&world.admin, "pluginRemove", json!({ "id": id }), "removedId").await;
    assert_eq!(gone["removedId"], id, "{gone}");
    eventually("it is gone", async || version(&other).is_none().then_some(())).await;
    eventually("its files are gone", async || (!has_files(data.path())).then_some(())).await;
}

#[tokio::test]
async fn one_that_begins_later_has_what_was_installed_before() {
    let world = World::on_postgres().await;
    let id = world.install(evil("evil", "1.0.0")).await["plugin"]["id"].clone();
    world.on_plugin("pluginConfigure", json!({ "id": id, "settings": { "token": "secret" } })).await;
    world.on_plugin("pluginSetEnabled", json!({ "id": id, "enabled": true })).await;
    let (other, _data) = world.second().await;
    assert_eq!(resolve(&other, "good").await.as_deref(), Ok("1"));
    assert_eq!(resolve(&other, "token").await, Err("my token is …".to_owned()));
    assert_eq!(world.plugin("evil").await["strikes"], "0");
}
