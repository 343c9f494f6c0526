//! What plugins were installed from, so that every control plane on the database can have it. In parts: an archive is larger than one
//! statement should be.

use slipway_model::PluginRowId;

use crate::{StoreError, Tx};

/// Of each part but the last.
pub const PART_BYTES: usize = 1 << 20;

/// Keeps a part of a plugin's archive. They are counted from 0.
pub async fn put(tx: &mut Tx, plugin: PluginRowId, part: i64, content: &[u8]) -> Result<(), StoreError> {
    execute!(tx, "INSERT INTO plugin_archives (plugin_id, part, content) VALUES ($1, $2, $3)", plugin, part, content).map(drop)
}

/// `None`: the one before was the last.
pub async fn find(tx: &mut Tx, plugin: PluginRowId, part: i64) -> Result<Option<Vec<u8>>, StoreError> {
    let row: Option<(Vec<u8>,)> =
        fetch_optional!(tx, "SELECT content FROM plugin_archives WHERE plugin_id = $1 AND part = $2", plugin, part)?;
    Ok(row.map(|(content,)| content))
}

/// Forgets a plugin's archive, and tells of how many parts it was. It goes with the plugin by itself.
pub async fn delete(tx: &mut Tx, plugin: PluginRowId) -> Result<u64, StoreError> {
    execute!(tx, "DELETE FROM plugin_archives WHERE plugin_id = $1", plugin)
}
