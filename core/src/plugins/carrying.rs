//! The archives of installed plugins in the database, by which every control plane on it comes to their files.

use std::path::Path;

use slipway_model::{PluginRowId, Sha256Digest};
use slipway_store::{
    Tx,
    plugin_archives::{self, PART_BYTES},
    plugins::Plugin as PluginRow,
};
use tokio::{
    fs,
    io::{AsyncReadExt, AsyncWriteExt},
};

use super::{archives, installing};
use crate::{
    Platform,
    error::{Error, Result},
};

/// Keeps the archive that a plugin was just installed from, in place of any other.
pub(super) async fn keep(platform: &Platform, tx: &mut Tx, plugin: PluginRowId, archive: Sha256Digest) -> Result<()> {
    plugin_archives::delete(tx, plugin).await?;
    let file = fs::File::open(archives::path(&platform.config.data_dir, archive)).await.map_err(Error::internal)?;
    let mut part = Vec::with_capacity(PART_BYTES);
    let mut rest = file;
    for number in 0.. {
        part.clear();
        (&mut rest).take(PART_BYTES as u64).read_to_end(&mut part).await.map_err(Error::internal)?;
        if part.is_empty() {
            break;
        }
        plugin_archives::put(tx, plugin, number, &part).await?;
    }
    Ok(())
}

/// Makes a plugin's directory from the archive in the database, where it is not there.
///
/// # Errors
/// There is no such archive there, or it is not what the plugin was installed from.
pub(super) async fn fetch(platform: &Platform, row: &PluginRow, archive: Sha256Digest, directory: &Path) -> Result<()> {
    if fs::try_exists(directory).await.map_err(Error::internal)? {
        return Ok(());
    }
    let place = archives::path(&platform.config.data_dir, archive);
    fs::create_dir_all(place.parent().unwrap_or(&place)).await.map_err(Error::internal)?;
    let draft = place.with_extension(platform.clock.uuid().to_string());
    let written = write(platform, row.id, &draft).await;
    let outcome = match written {
        Ok(found) if found == archive => fs::rename(&draft, &place).await.map_err(Error::internal),
        Ok(_) => Err(Error::internal(anyhow::anyhow!("the database has no archive of this SHA-256 for the plugin"))),
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        let _ = fs::remove_file(&draft).await;
        return Err(error);
    }
    let unpacked = archives::unpacked(platform, archive).await?;
    installing::give_place(&unpacked.plugin()?, directory).await?;
    archives::discard(platform, archive).await;
    tracing::info!(plugin = row.plugin_id, %archive, "a plugin's files were taken from the database");
    Ok(())
}

/// Writes what the database has, as it is at one moment, and tells its digest.
async fn write(platform: &Platform, plugin: PluginRowId, to: &Path) -> Result<Sha256Digest> {
    let mut file = fs::File::create(to).await.map_err(Error::internal)?;
    let mut hash = sha2::Sha256::default();
    let mut tx = platform.db.read().await?;
    for number in 0.. {
        let Some(part) = plugin_archives::find(&mut tx, plugin, number).await? else { break };
        sha2::Digest::update(&mut hash, &part);
        file.write_all(&part).await.map_err(Error::internal)?;
    }
    file.flush().await.map_err(Error::internal)?;
    let digest: [u8; 32] = sha2::Digest::finalize(hash).into();
    Ok(Sha256Digest::from_bytes(digest))
}
