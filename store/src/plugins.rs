//! What an administrator decided about each plugin. The plugins themselves are directories.

use slipway_model::{PluginRowId, Secret, Sha256Digest, Timestamp};

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
