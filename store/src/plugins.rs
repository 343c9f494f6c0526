//! What an administrator decided about each plugin. The plugins themselves are directories.

use slipway_model::{PluginRowId, Secret, Sha256Digest, Timestamp, Viewer};

use crate::{Cursor, Keyring, Listed, Location, Order, Page, Slice, StoreError, Tx};

row! {
    pub struct Plugin {
        pub id: PluginRowId,
        /// As its manifest says, such as `runtime-node`.
        pub plugin_id: String,
        pub enabled: bool,
        pub settings_ciphertext: Option<Vec<u8>>,
        /// Of the library that was approved.
        pub sha256: Option<Sha256Digest>,
        pub created_at: Timestamp,
        pub updated_at: Timestamp,
        /// Of one that was installed.
        pub version: Option<String>,
        /// Of what it was installed from; `None`: it came with the platform.
        pub archive_sha256: Option<Sha256Digest>,
        /// What it did last, while it is quarantined.
        pub quarantine_reason: Option<String>,
        pub quarantined_at: Option<Timestamp>,
    }
}

impl Listed for Plugin {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

impl Plugin {
    /// Its settings, as JSON.
    pub fn settings(&self, keys: &Keyring) -> Result<Option<Secret>, StoreError> {
        let open = |sealed: &Vec<u8>| keys.open(location(self.id), sealed);
        Ok(self.settings_ciphertext.as_ref().map(open).transpose()?)
    }

    /// What tells its settings from any others, and says nothing about them. Given anew, the same ones have another name.
    #[must_use]
    pub fn settings_name(&self) -> Option<String> {
        self.settings_ciphertext.as_ref().map(|sealed| Sha256Digest::of(sealed).to_string())
    }
}

fn location(id: PluginRowId) -> Location<'static> {
    Location::new("plugins", "settings_ciphertext", id, None)
}

pub async fn list(tx: &mut Tx) -> Result<Vec<Plugin>, StoreError> {
    fetch_all!(tx, "SELECT * FROM plugins ORDER BY created_at, id")
}

/// Oldest first, page by page.
pub async fn page(tx: &mut Tx, page: &Page) -> Result<Slice<Plugin>, StoreError> {
    tx.fetch_slice(sql!("SELECT * FROM plugins WHERE 1 = 1"), page, Order::OldestFirst).await
}

pub async fn find(tx: &mut Tx, id: PluginRowId) -> Result<Option<Plugin>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM plugins WHERE id = $1", id)
}

pub async fn by_plugin_id(tx: &mut Tx, plugin_id: &str) -> Result<Option<Plugin>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM plugins WHERE plugin_id = $1", plugin_id)
}

/// Notes that a plugin was found. What was decided of one that is known stays. Gives the row.
pub async fn discover(tx: &mut Tx, plugin: &Plugin) -> Result<Plugin, StoreError> {
    execute!(
        tx,
        "INSERT INTO plugins (id, plugin_id, enabled, settings_ciphertext, sha256, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (plugin_id) DO NOTHING",
        plugin.id,
        &plugin.plugin_id,
        plugin.enabled,
        plugin.settings_ciphertext.as_ref(),
        plugin.sha256,
        plugin.created_at,
        plugin.updated_at
    )?;
    fetch_one!(tx, "SELECT * FROM plugins WHERE plugin_id = $1", &plugin.plugin_id)
}

/// Enables or disables it, and pins the library that this was decided of. `false`: there is no such plugin.
pub async fn set_enabled(
    tx: &mut Tx,
    id: PluginRowId,
    enabled: bool,
    sha256: Option<Sha256Digest>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    execute!(tx, "UPDATE plugins SET enabled = $2, sha256 = $3, updated_at = $4 WHERE id = $1", id, enabled, sha256, now)
        .map(|rows| rows == 1)
}

/// `settings` is JSON. `false`: there is no such plugin.
pub async fn set_settings(tx: &mut Tx, keys: &Keyring, id: PluginRowId, settings: &Secret, now: Timestamp) -> Result<bool, StoreError> {
    let sealed = keys.seal(location(id), settings);
    execute!(tx, "UPDATE plugins SET settings_ciphertext = $2, updated_at = $3 WHERE id = $1", id, sealed, now).map(|rows| rows == 1)
}

/// Writes down a plugin that was installed. `false`: there is one of that name.
pub async fn install(tx: &mut Tx, plugin: &Plugin) -> Result<bool, StoreError> {
    execute!(
        tx,
        "INSERT INTO plugins (id, plugin_id, enabled, sha256, created_at, updated_at, version, archive_sha256)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (plugin_id) DO NOTHING",
        plugin.id,
        &plugin.plugin_id,
        plugin.enabled,
        plugin.sha256,
        plugin.created_at,
        plugin.updated_at,
        plugin.version.as_ref(),
        plugin.archive_sha256
    )
    .map(|rows| rows == 1)
}

/// Another version takes the place of the one that was installed from `replaced`. `false`: that one is not there any more.
pub async fn upgrade(tx: &mut Tx, plugin: &Plugin, replaced: Sha256Digest) -> Result<bool, StoreError> {
    execute!(
        tx,
        "UPDATE plugins SET sha256 = $2, version = $3, archive_sha256 = $4, updated_at = $5, quarantine_reason = NULL, quarantined_at = NULL
         WHERE id = $1 AND archive_sha256 = $6",
        plugin.id,
        plugin.sha256,
        plugin.version.as_ref(),
        plugin.archive_sha256,
        plugin.updated_at,
        replaced
    )
    .map(|rows| rows == 1)
}

/// Writes down that a plugin was put aside, and for what. The first reason stays until it is released.
pub async fn quarantine(tx: &mut Tx, plugin_id: &str, reason: &str, now: Timestamp) -> Result<bool, StoreError> {
    execute!(
        tx,
        "UPDATE plugins SET quarantine_reason = $2, quarantined_at = $3 WHERE plugin_id = $1 AND quarantined_at IS NULL",
        plugin_id,
        reason,
        now
    )
    .map(|rows| rows == 1)
}

/// `false`: there is no such plugin.
pub async fn release(tx: &mut Tx, id: PluginRowId, now: Timestamp) -> Result<bool, StoreError> {
    execute!(tx, "UPDATE plugins SET quarantine_reason = NULL, quarantined_at = NULL, updated_at = $2 WHERE id = $1", id, now)
        .map(|rows| rows == 1)
}

pub async fn delete(tx: &mut Tx, id: PluginRowId) -> Result<bool, StoreError> {
    execute!(tx, "DELETE FROM plugins WHERE id = $1", id).map(|rows| rows == 1)
}

/// The slugs of the first applications that are built by a runtime, or ask for it. `runtime` is a slug of letters, digits and hyphens.
pub async fn applications_on(tx: &mut Tx, viewer: &Viewer, runtime: &str, most: i64) -> Result<Vec<String>, StoreError> {
    // JSON as text has spaces on one engine and none on the other.
    let [tight, spaced] = [":", ": "].map(|between| format!("%\"buildpack\"{between}\"{runtime}\"%"));
    let sql = sql!(
        "SELECT a.slug FROM applications a LEFT JOIN deployments d ON d.id = a.current_deployment_id
         WHERE a.deleted_at IS NULL AND (a.runtime_kind = $1 OR CAST(d.plan AS TEXT) LIKE $2 OR CAST(d.plan AS TEXT) LIKE $3)",
        runtime,
        tight,
        spaced
    );
    let sql = sql.within_application("a.organization_id", "a.id", viewer).push(" ORDER BY a.slug, a.id").limit(most);
    let rows: Vec<(String,)> = fetch_all!(tx, sql)?;
    Ok(rows.into_iter().map(|(slug,)| slug).collect())
}
