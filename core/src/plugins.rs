//! Plugins: which there are, and which are at work. They are the administrator's.

pub(crate) mod archives;
mod carrying;
mod following;
mod installing;
mod settings;
mod starting;
mod switching;

use std::sync::Arc;

use serde_json::Value;
use slipway_model::{
    PluginRowId, Sha256Digest, Timestamp, Viewer,
    state::{PluginKind, PluginStatus},
};
use slipway_plugin_host::{Form, Isolation, Kind, Manifest, Plugin, Stats};
use slipway_store::{
    Cursor, Listed, Page, Slice,
    plugins::{self, Plugin as PluginRow},
};

use crate::{Platform, error::Result, plans::require_admin};

pub use archives::{Announced, announce};
pub(crate) use following::follow;
pub use installing::{Grant, install, upgrade};
pub use settings::configure;
pub use starting::synchronize;
pub(crate) use starting::watch_quarantines;
pub use switching::{release, remove, set_enabled};

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
    /// Of what it was installed from; `None`: it came with the platform.
    pub archive_sha256: Option<Sha256Digest>,
    pub form: Option<Form>,
    /// `None`: it could not be loaded.
    pub isolation: Option<Isolation>,
    pub asks_for: Vec<Grant>,
    pub settings_schema: Option<Value>,
    /// Without its secrets.
    pub settings: Option<Value>,
    pub stats: Stats,
    pub quarantined_at: Option<Timestamp>,
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
        version: None,
        archive_sha256: None,
        quarantine_reason: None,
        quarantined_at: None,
    }
}

/// Every plugin that was ever found, loaded or not, oldest first.
///
/// # Errors
/// Those of the database.
pub async fn list(platform: &Platform, viewer: &Viewer, page: &Page) -> Result<Slice<Installed>> {
    require_admin(viewer)?;
    let slice = plugins::page(&mut platform.db.read_once().await?, page).await?;
    let items = slice.items.into_iter().map(|row| installed(platform, row)).collect::<Result<_>>()?;
    Ok(Slice { items, has_next: slice.has_next, has_previous: slice.has_previous })
}

/// # Errors
/// Those of the database.
pub async fn find(platform: &Platform, viewer: &Viewer, id: PluginRowId) -> Result<Option<Installed>> {
    require_admin(viewer)?;
    plugins::find(&mut platform.db.read_once().await?, id).await?.map(|row| installed(platform, row)).transpose()
}

/// By what its manifest calls it.
///
/// # Errors
/// Those of the database.
pub async fn by_name(platform: &Platform, viewer: &Viewer, name: &str) -> Result<Option<Installed>> {
    require_admin(viewer)?;
    plugins::by_plugin_id(&mut platform.db.read_once().await?, name).await?.map(|row| installed(platform, row)).transpose()
}

fn installed(platform: &Platform, row: PluginRow) -> Result<Installed> {
    if let Some(plugin) = platform.plugins.get(&row.plugin_id) {
        let (status, status_reason) = status(&plugin);
        let shown = row.settings(&platform.keys)?.map(|kept| settings::shown(&kept, &plugin.secret_settings())).transpose()?;
        return Ok(Installed {
            status,
            status_reason,
            sha256: Some(plugin.library_sha256().to_owned()),
            isolation: Some(plugin.isolation()),
            settings: shown,
            stats: plugin.stats(),
            ..Installed::broken(row, String::new()).described(plugin.manifest())
        });
    }
    let broken = platform.plugins.incompatible().into_iter();
    let broken = broken.filter_map(|broken| Some((broken.manifest?, broken.reason))).find(|(manifest, _)| manifest.id == row.plugin_id);
    Ok(match broken {
        Some((manifest, reason)) => Installed::broken(row, reason.to_string()).described(&manifest),
        None => Installed::broken(row, "It is no longer in the plugins directory.".to_owned()),
    })
}

impl Installed {
    /// One of which no more is known than what is recorded.
    fn broken(row: PluginRow, reason: String) -> Self {
        Self {
            id: row.id,
            name: row.plugin_id.clone(),
            plugin_id: row.plugin_id,
            version: row.version.unwrap_or_default(),
            description: String::new(),
            kind: None,
            status: PluginStatus::Incompatible,
            status_reason: Some(reason),
            sha256: row.sha256.map(|sha256| sha256.to_string()),
            created_at: row.created_at,
            archive_sha256: row.archive_sha256,
            form: None,
            isolation: None,
            asks_for: Vec::new(),
            settings_schema: None,
            settings: None,
            stats: Stats::default(),
            quarantined_at: row.quarantined_at,
        }
    }

    fn described(self, manifest: &Manifest) -> Self {
        let kind = match manifest.kind {
            Kind::Runtime => PluginKind::Runtime,
            Kind::Billing => PluginKind::Billing,
            Kind::Ingress => PluginKind::Ingress,
        };
        Self {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            description: manifest.description.clone(),
            kind: Some(kind),
            form: Some(manifest.form),
            asks_for: installing::asked(manifest),
            settings_schema: manifest.settings_schema.clone(),
            ..self
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
