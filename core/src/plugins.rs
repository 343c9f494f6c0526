//! Plugins: which there are, and which are at work. They are the administrator's.

use std::sync::Arc;

use slipway_model::{
    PluginRowId, Sha256Digest, Timestamp, Viewer,
    state::{PluginKind, PluginStatus},
};
use slipway_plugin_host::{Kind, Manifest, Plugin};
use slipway_store::{
    Cursor, Listed, Page, Slice, nodes as store_nodes,
    plugins::{self, Plugin as PluginRow},
    runtimes as store_runtimes,
};

use crate::{
    Platform,
    error::{Result, UserError},
    plans::require_admin,
    runtimes,
};

/// A plugin as it was found and as it is recorded.
#[derive(Debug, Clone)]
pub struct Installed {
    pub id: PluginRowId,
    /// As its manifest says.
    pub plugin_id: String,
    pub name: String,
    pub version: String,
    pub description: String,
    /// `None`: it is gone.
    pub kind: Option<PluginKind>,
    pub status: PluginStatus,
    /// Why, where that is not plain.
    pub status_reason: Option<String>,
    pub sha256: Option<String>,
    pub created_at: Timestamp,
}

/// Records plugins that were found for the first time, and switches those off that an administrator switched off.
///
/// # Errors
/// Those of the database.
pub async fn synchronize(platform: &Platform) -> Result<()> {
    let mut tx = platform.db.begin().await?;
    for plugin in platform.plugins.plugins() {
        let row = plugins::discover(&mut tx, &new_row(platform, &plugin)).await?;
        plugin.set_enabled(row.enabled);
    }
    // One that never worked is shown too, with its reason: otherwise nobody would know why it is not there.
    for manifest in platform.plugins.incompatible().into_iter().filter_map(|broken| broken.manifest) {
        plugins::discover(&mut tx, &row(platform, manifest.id, None)).await?;
    }
    tx.commit().await?;
    Ok(())
}

fn new_row(platform: &Platform, plugin: &Plugin) -> PluginRow {
    row(platform, plugin.id().to_owned(), plugin.library_sha256().parse().ok())
}

fn row(platform: &Platform, plugin_id: String, sha256: Option<Sha256Digest>) -> PluginRow {
    let now = platform.now();
    PluginRow {
        id: PluginRowId::new(&*platform.clock),
        plugin_id,
        enabled: true,
        settings_ciphertext: None,
        sha256,
        created_at: now,
        updated_at: now,
    }
}

/// Every plugin that was ever found, loaded or not, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list(platform: &Platform, viewer: &Viewer, page: &Page) -> Result<Slice<Installed>> {
    require_admin(viewer)?;
    let slice = plugins::page(&mut platform.db.read_once().await?, page).await?;
    let items = slice.items.into_iter().map(|row| installed(platform, row)).collect();
    Ok(Slice { items, has_next: slice.has_next, has_previous: slice.has_previous })
}

/// # Errors
/// Those of the database.
pub async fn find(platform: &Platform, viewer: &Viewer, id: PluginRowId) -> Result<Option<Installed>> {
    require_admin(viewer)?;
    Ok(plugins::find(&mut platform.db.read_once().await?, id).await?.map(|row| installed(platform, row)))
}

/// By what its manifest calls it.
///
/// # Errors
/// Those of the database.
pub async fn by_name(platform: &Platform, viewer: &Viewer, name: &str) -> Result<Option<Installed>> {
    require_admin(viewer)?;
    Ok(plugins::by_plugin_id(&mut platform.db.read_once().await?, name).await?.map(|row| installed(platform, row)))
}

fn installed(platform: &Platform, row: PluginRow) -> Installed {
    let (id, created_at) = (row.id, row.created_at);
    if let Some(plugin) = platform.plugins.get(&row.plugin_id) {
        let (status, status_reason) = status(&plugin);
        return Installed::new(id, created_at, plugin.manifest(), status, status_reason, Some(plugin.library_sha256().to_owned()));
    }
    let broken = platform.plugins.incompatible().into_iter();
    let broken = broken.filter_map(|broken| Some((broken.manifest?, broken.reason))).find(|(manifest, _)| manifest.id == row.plugin_id);
    match broken {
        Some((manifest, reason)) => Installed::new(id, created_at, &manifest, PluginStatus::Incompatible, Some(reason.to_string()), None),
        None => Installed {
            id,
            name: row.plugin_id.clone(),
            plugin_id: row.plugin_id,
            version: String::new(),
            description: String::new(),
            kind: None,
            status: PluginStatus::Incompatible,
            status_reason: Some("It is no longer in the plugins directory.".to_owned()),
            sha256: row.sha256.map(|sha256| sha256.to_string()),
            created_at,
        },
    }
}

impl Installed {
    fn new(
        id: PluginRowId,
        created_at: Timestamp,
        manifest: &Manifest,
        status: PluginStatus,
        status_reason: Option<String>,
        sha256: Option<String>,
    ) -> Self {
        let kind = match manifest.kind {
            Kind::Runtime => PluginKind::Runtime,
            Kind::Billing => PluginKind::Billing,
            Kind::Ingress => PluginKind::Ingress,
        };
        Self {
            id,
            plugin_id: manifest.id.clone(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            description: manifest.description.clone(),
            kind: Some(kind),
            status,
            status_reason,
            sha256,
            created_at,
        }
    }
}

impl Listed for Installed {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

fn status(plugin: &Arc<Plugin>) -> (PluginStatus, Option<String>) {
    match plugin.quarantined_for() {
        Some(misconduct) => (PluginStatus::Quarantined, Some(misconduct.to_string())),
        None if plugin.is_enabled() => (PluginStatus::Enabled, None),
        None => (PluginStatus::Disabled, None),
    }
}

/// Switches a plugin on or off. Switching one on also takes it out of quarantine.
///
/// # Errors
/// When there is none of that id, or it could not be loaded.
pub async fn set_enabled(platform: &Platform, viewer: &Viewer, id: PluginRowId, enabled: bool) -> Result<Installed> {
    require_admin(viewer)?;
    let mut tx = platform.db.begin().await?;
    let row = plugins::find(&mut tx, id).await?.ok_or_else(|| UserError::not_found("id", "plugin"))?;
    let Some(plugin) = platform.plugins.get(&row.plugin_id) else {
        return Err(UserError::invalid_state("This plugin could not be loaded; its status says why.").into());
    };
    let approved = plugin.library_sha256().parse::<Sha256Digest>().ok();
    plugins::set_enabled(&mut tx, id, enabled, approved, platform.now()).await?;
    if plugin.kind() == Kind::Runtime {
        store_runtimes::set_active_of_plugin(&mut tx, &row.plugin_id, enabled, platform.now()).await?;
    }
    tx.commit().await?;
    plugin.set_enabled(enabled);
    if enabled {
        plugin.release();
        runtimes::synchronize(platform).await?;
    }
    if plugin.kind() == Kind::Ingress {
        // Whose routes they are, and by which proxy, is part of what every node is told; from now on, and not before.
        let mut tx = platform.db.begin().await?;
        let nodes = store_nodes::bump_all_generations(&mut tx).await?;
        tx.commit().await?;
        nodes.into_iter().for_each(|node| platform.fleet.nudge(node));
    }
    Ok(installed(platform, row))
}
