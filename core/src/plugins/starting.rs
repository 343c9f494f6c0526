//! What a control plane does about plugins as it starts, and while it runs.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use slipway_model::{Secret, Sha256Digest};
use slipway_plugin_host::{Incompatible, Kind, Plugin};
use slipway_store::plugins::{self, Plugin as PluginRow};
use tokio_util::sync::CancellationToken;

use super::{archives, carrying, installing, new_row, row, settings, switching};
use crate::{
    Platform,
    error::{Error, Result},
};

/// Loads what was installed, records what was found for the first time, hands over settings, and switches off and puts aside what an
/// administrator or its own conduct did.
///
/// # Errors
/// Those of the database.
pub async fn synchronize(platform: &Platform) -> Result<()> {
    let mut tx = platform.db.begin().await?;
    for plugin in platform.plugins.plugins() {
        plugins::discover(&mut tx, &new_row(platform, &plugin)).await?;
    }
    // One that never worked is shown too, with its reason: otherwise nobody would know why it is not there.
    for manifest in platform.plugins.incompatible().into_iter().filter_map(|broken| broken.manifest) {
        plugins::discover(&mut tx, &row(platform, manifest.id, None)).await?;
    }
    let rows = plugins::list(&mut tx).await?;
    tx.commit().await?;
    for row in &rows {
        if let Err(error) = begin(platform, row).await {
            tracing::error!(plugin = row.plugin_id, ?error, "a plugin does not begin as it was left");
        }
    }
    clear(platform, &rows).await;
    Ok(())
}

async fn begin(platform: &Platform, row: &PluginRow) -> Result<()> {
    match row.archive_sha256 {
        Some(archive) => {
            let Some(plugin) = load(platform, row, archive).await? else { return Ok(()) };
            prepare(platform, row, &plugin).await?;
            platform.plugins.put(plugin);
        }
        None => {
            let Some(plugin) = platform.plugins.get(&row.plugin_id) else { return Ok(()) };
            prepare(platform, row, &plugin).await?;
        }
    }
    Ok(())
}

/// What was installed from an archive, from its directory. `None`: it cannot be loaded, and the reason is noted.
pub(super) async fn load(platform: &Platform, row: &PluginRow, archive: Sha256Digest) -> Result<Option<Arc<Plugin>>> {
    let directory = installing::directory(&platform.config.data_dir, &row.plugin_id, archive);
    if let Err(error) = carrying::fetch(platform, row, archive, &directory).await {
        tracing::error!(plugin = row.plugin_id, ?error, "a plugin's files are not here, and cannot be had from the database");
    }
    let approved = row.sha256.map(|sha256| sha256.to_string());
    match platform.plugins.load_apart(&directory, approved.as_deref()).await {
        Ok(plugin) => Ok(Some(plugin)),
        Err(reason) => {
            tracing::error!(plugin = row.plugin_id, %reason, "plugin skipped");
            let manifest = slipway_plugin_host::read_manifest(&directory).ok();
            platform.plugins.note_incompatible(Incompatible { directory, manifest, reason: Arc::new(reason) });
            Ok(None)
        }
    }
}

/// Makes of a plugin that was just loaded what is recorded of it.
pub(super) async fn prepare(platform: &Platform, row: &PluginRow, plugin: &Plugin) -> Result<()> {
    plugin.set_enabled(row.enabled);
    if let Some(settings) = row.settings(&platform.keys)? {
        hand_over(plugin, &settings).await;
        plugin.call_settings(row.settings_name());
    }
    if let Some(reason) = &row.quarantine_reason {
        plugin.quarantine(reason.clone());
    }
    if !plugin.is_usable() {
        plugin.pause(installing::PATIENCE).await;
    }
    Ok(())
}

/// One that does not take its settings any more is not called without them.
async fn hand_over(plugin: &Plugin, kept: &Secret) {
    if let Err(error) = settings::hand_over(plugin, kept).await {
        tracing::error!(plugin = plugin.id(), ?error, "a plugin does not take its settings");
        plugin.quarantine(format!("does not take the settings that are kept for it: {error}"));
    }
}

/// Removes what no row knows of: what was unpacked or replaced when a process ended.
async fn clear(platform: &Platform, rows: &[PluginRow]) {
    let root = archives::root(&platform.config.data_dir);
    let known: BTreeSet<_> =
        rows.iter().filter_map(|row| Some(installing::directory(&platform.config.data_dir, &row.plugin_id, row.archive_sha256?))).collect();
    let cleared = tokio::task::spawn_blocking(move || {
        for entry in entries(&root) {
            let name = entry.file_name().unwrap_or_default().as_encoded_bytes().to_owned();
            if name.starts_with(b".new-") || name == b".archives" {
                // Whoever sent an archive to an earlier process sends it again.
                remove(&entry);
                continue;
            }
            if name.starts_with(b".") {
                continue;
            }
            entries(&entry).iter().filter(|version| !known.contains(*version)).for_each(|version| remove(version));
            // Not where a version is left.
            let _ = std::fs::remove_dir(&entry);
        }
    });
    if let Err(error) = cleared.await.map_err(Error::internal) {
        tracing::warn!(?error, "what was left of plugins could not be cleared");
    }
}

fn entries(directory: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(directory).into_iter().flatten().filter_map(std::result::Result::ok).map(|entry| entry.path()).collect()
}

fn remove(directory: &Path) {
    if let Err(error) = std::fs::remove_dir_all(directory) {
        tracing::warn!(%error, path = %directory.display(), "what was left of a plugin cannot be removed");
    }
}

/// Writes down each plugin that is put aside, so that it stays so when the process ends. Until `stop`.
pub(crate) async fn watch_quarantines(platform: Platform, stop: CancellationToken) {
    let quarantines = platform.plugins.quarantines();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = quarantines.notified() => {}
        }
        if let Err(error) = record_quarantines(&platform).await {
            tracing::warn!(?error, "a quarantine could not be written down; it lasts until this process ends");
        }
    }
}

async fn record_quarantines(platform: &Platform) -> Result<()> {
    let another_serves = !platform.plugins.of_kind(Kind::Ingress).is_empty();
    let mut is_taken_over = false;
    let mut recorded = Vec::new();
    let mut tx = platform.db.begin().await?;
    for plugin in platform.plugins.plugins() {
        if let Some(misconduct) = plugin.quarantined_for() {
            let is_new = plugins::quarantine(&mut tx, plugin.id(), &misconduct.to_string(), platform.now()).await?;
            if plugin.kind() == Kind::Ingress && is_new {
                is_taken_over = another_serves;
                if !another_serves {
                    tracing::error!(plugin = plugin.id(), "the routes of nodes stay as they are until the ingress plugin is released");
                }
            }
            recorded.push(plugin);
        }
    }
    tx.commit().await?;
    recorded.iter().for_each(|plugin| plugin.note_quarantine_recorded());
    if is_taken_over {
        switching::tell_nodes(platform).await?;
    }
    Ok(())
}
