//! What was done with plugins through another control plane on the same database, done here too.
//!
//! The rows say what there is; this process compares them with the plugins that it runs. What was done through itself is found done.

use std::{sync::Arc, time::Duration};

use slipway_plugin_host::{Kind, Plugin};
use slipway_store::{
    Engine,
    plugins::{self, Plugin as PluginRow},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    archives,
    installing::{self, PATIENCE},
    settings, starting, switching,
};
use crate::{Platform, error::Result};

const EVERY: Duration = Duration::from_secs(1);
/// What did not work is tried again after this.
const AGAIN: Duration = Duration::from_secs(30);

/// Rows of which something could not be done, and when it is tried again.
type Failed = Option<(Vec<PluginRow>, Instant)>;

/// Until `stop`. On SQLite there is one control plane, and nothing to hear of.
pub(crate) async fn follow(platform: Platform, stop: CancellationToken) {
    if platform.db.engine() == Engine::Sqlite {
        return;
    }
    let mut failed = None;
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        if let Err(error) = catch_up(&platform, &mut failed).await {
            tracing::warn!(?error, "what was done with plugins elsewhere cannot be read");
        }
    }
}

async fn catch_up(platform: &Platform, failed: &mut Failed) -> Result<()> {
    let rows = plugins::list(&mut platform.db.read_once().await?).await?;
    let is_known_to_fail = failed.as_ref().is_some_and(|(of, again_at)| *of == rows && *again_at > Instant::now());
    let is_done = rows.iter().all(|row| is_done(platform, row)) && removed(platform, &rows).is_empty();
    if is_done || is_known_to_fail {
        return Ok(());
    }
    let _one_at_a_time = platform.plugins.exclusively().await;
    // Something may be done through this process while the lock is waited for.
    let rows = plugins::list(&mut platform.db.read_once().await?).await?;
    let mut has_failed = false;
    let mut is_ingress_another = false;
    for row in &rows {
        match each(platform, row).await {
            Ok(changed) => is_ingress_another |= changed.is_some_and(|kind| kind == Kind::Ingress),
            Err(error) => {
                tracing::warn!(plugin = row.plugin_id, ?error, "what was done with a plugin elsewhere cannot be done here yet");
                has_failed = true;
            }
        }
    }
    forget_removed(platform, &rows);
    *failed = has_failed.then(|| (rows, Instant::now() + AGAIN));
    if is_ingress_another {
        switching::tell_nodes(platform).await?;
    }
    Ok(())
}

/// Whether this process runs what a row says, and as it says.
fn is_done(platform: &Platform, row: &PluginRow) -> bool {
    let Some(plugin) = platform.plugins.get(&row.plugin_id) else { return row.archive_sha256.is_none() };
    let place = |archive| installing::directory(&platform.config.data_dir, &row.plugin_id, archive);
    row.archive_sha256.is_none_or(|archive| plugin.directory() == place(archive))
        && plugin.is_enabled() == row.enabled
        && judgement(&plugin, row).is_none()
        && (row.settings_ciphertext.is_none() || plugin.settings_name() == row.settings_name())
}

/// Does what a row says that is not done. Gives the plugin's kind if that was anything.
async fn each(platform: &Platform, row: &PluginRow) -> Result<Option<Kind>> {
    let running = platform.plugins.get(&row.plugin_id);
    if let Some(archive) = row.archive_sha256 {
        let directory = installing::directory(&platform.config.data_dir, &row.plugin_id, archive);
        if running.as_ref().is_none_or(|plugin| plugin.directory() != directory) {
            let loaded = starting::load(platform, row, archive).await?;
            let plugin = loaded.ok_or_else(|| crate::Error::internal(anyhow::anyhow!("it cannot be loaded; its status says why")))?;
            starting::prepare(platform, row, &plugin).await?;
            let kind = plugin.kind();
            tracing::info!(plugin = row.plugin_id, version = row.version, "a plugin that came by another control plane is here");
            if let Some(old) = platform.plugins.put(plugin) {
                let directory = old.directory().to_owned();
                tokio::spawn(async move { installing::dispose(Some(old), &directory).await });
            }
            return Ok(Some(kind));
        }
    }
    let Some(plugin) = running else { return Ok(None) };
    let mut is_changed = switch(&plugin, row);
    is_changed |= judge(&plugin, row);
    if plugin.settings_name() != row.settings_name()
        && let Some(kept) = row.settings(&platform.keys)?
    {
        settings::hand_over(&plugin, &kept).await?;
        plugin.call_settings(row.settings_name());
        is_changed = true;
        if !plugin.is_usable() {
            plugin.pause(PATIENCE).await;
        }
    }
    if is_changed {
        tracing::info!(plugin = row.plugin_id, "a plugin is as another control plane left it");
    }
    Ok(is_changed.then(|| plugin.kind()))
}

fn switch(plugin: &Arc<Plugin>, row: &PluginRow) -> bool {
    if plugin.is_enabled() == row.enabled {
        return false;
    }
    plugin.set_enabled(row.enabled);
    if !row.enabled {
        let plugin = Arc::clone(plugin);
        tokio::spawn(async move { plugin.pause(PATIENCE).await });
    }
    true
}

enum Judgement {
    PutAside(String),
    Release,
}

/// A quarantine of this process's own may not be written down yet: one ends only where it was.
fn judgement(plugin: &Plugin, row: &PluginRow) -> Option<Judgement> {
    let is_aside = plugin.quarantined_for().is_some();
    match &row.quarantine_reason {
        Some(reason) if !is_aside => Some(Judgement::PutAside(reason.clone())),
        None if is_aside && plugin.is_quarantine_recorded() => Some(Judgement::Release),
        _ => None,
    }
}

fn judge(plugin: &Plugin, row: &PluginRow) -> bool {
    match judgement(plugin, row) {
        Some(Judgement::PutAside(reason)) => plugin.quarantine(reason),
        Some(Judgement::Release) => plugin.release(),
        None => return false,
    }
    true
}

/// Those that were installed from an archive, and have no row any more.
fn removed(platform: &Platform, rows: &[PluginRow]) -> Vec<Arc<Plugin>> {
    let root = archives::root(&platform.config.data_dir);
    let is_known = |id: &str| rows.iter().any(|row| row.plugin_id == id);
    let mut plugins = platform.plugins.plugins();
    plugins.retain(|plugin| plugin.directory().starts_with(&root) && !is_known(plugin.id()));
    plugins
}

fn forget_removed(platform: &Platform, rows: &[PluginRow]) {
    for plugin in removed(platform, rows) {
        tracing::info!(plugin = plugin.id(), "a plugin was removed through another control plane");
        platform.plugins.remove(plugin.id());
        let directory = plugin.directory().to_owned();
        tokio::spawn(async move { installing::dispose(Some(plugin), &directory).await });
    }
}
