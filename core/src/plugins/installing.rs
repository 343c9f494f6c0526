//! Installing a plugin from an archive, and another version of it in its place.
//!
//! What is installed lies in a directory of its own, named by what it was made from, and is never changed there. It runs there once,
//! apart, and answers, before its row is written; the row is what makes it count. A crash in between leaves a directory without a
//! row, which the next start removes.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use slipway_model::{PluginRowId, Sha256Digest, Viewer};
use slipway_plugin_host::{CallError, Form, Kind, Manifest, Plugin};
use slipway_store::{
    nodes,
    plugins::{self, Plugin as PluginRow},
};

use super::{Installed, archives, carrying, installed, settings, switching::tell_nodes};
use crate::{
    Platform,
    error::{Error, Result, UserError, UserErrorCode},
    plans::require_admin,
    runtimes,
};

/// For the calls of a plugin that is replaced or removed to end.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// What a plugin cannot work without, and an administrator has to agree to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grant {
    /// Machine code of its own, in a process without rights.
    NativeCode,
    /// Its buildpack is handed to the agents, where it runs in a sandbox on customers' sources.
    Buildpack,
}

impl Grant {
    const fn words(self) -> &'static str {
        match self {
            Self::NativeCode => "NATIVE_CODE (it runs machine code, in a process of its own)",
            Self::Buildpack => "BUILDPACK (agents run its buildpack, in a sandbox)",
        }
    }
}

/// What a manifest asks for.
#[must_use]
pub fn asked(manifest: &Manifest) -> Vec<Grant> {
    let native = (manifest.form == Form::Native).then_some(Grant::NativeCode);
    let buildpack = manifest.buildpack.as_ref().map(|_| Grant::Buildpack);
    native.into_iter().chain(buildpack).collect()
}

/// A plugin that runs, from the place where it is to stay.
struct Prepared {
    plugin: Arc<Plugin>,
    directory: PathBuf,
}

/// Installs a plugin from an archive that was sent. It is off until it is enabled.
///
/// # Errors
/// Refusals of the archive, of what it holds, and of what it does when it is started.
pub async fn install(platform: &Platform, viewer: &Viewer, sha256: &str, grants: &[Grant]) -> Result<Installed> {
    require_admin(viewer)?;
    let archive = digest(sha256)?;
    let _one_at_a_time = platform.plugins.exclusively().await;
    let prepared = prepare(platform, archive, grants, None).await?;
    let row = row(platform, &prepared.plugin, PluginRowId::new(&*platform.clock), archive)?;
    let written = async {
        let mut tx = platform.db.begin().await?;
        if !plugins::install(&mut tx, &row).await? {
            return Err(taken(&row.plugin_id).into());
        }
        carrying::keep(platform, &mut tx, row.id, archive).await?;
        slipway_store::audit::note_subject(row.id);
        Ok(tx.commit().await?)
    };
    if let Err(error) = written.await {
        discard(&prepared.directory).await;
        return Err(error);
    }
    prepared.plugin.set_enabled(false);
    prepared.plugin.pause(PATIENCE).await;
    platform.plugins.put(prepared.plugin);
    archives::discard(platform, archive).await;
    tracing::info!(plugin = row.plugin_id, version = row.version, %archive, "plugin installed");
    installed(platform, row)
}

/// Puts another version in the place of an installed one. The new one runs beside the old one until it has loaded, taken the settings
/// and answered; only then do calls go to it. Those under way end on the old one. Whatever goes wrong before, the old one stays.
///
/// # Errors
/// As [`install`]; nothing has changed then.
pub async fn upgrade(platform: &Platform, viewer: &Viewer, id: PluginRowId, sha256: &str, grants: &[Grant]) -> Result<Installed> {
    require_admin(viewer)?;
    let archive = digest(sha256)?;
    let _one_at_a_time = platform.plugins.exclusively().await;
    let before = plugins::find(&mut platform.db.read_once().await?, id).await?.ok_or_else(|| UserError::not_found("id", "plugin"))?;
    let Some(replaced) = before.archive_sha256 else {
        return Err(UserError::invalid_state("This plugin came with the platform, and is upgraded with it.").into());
    };
    if replaced == archive {
        return Err(UserError::invalid_state("This is the archive that the plugin was installed from.").into());
    }
    let prepared = prepare(platform, archive, grants, Some(&before.plugin_id)).await?;
    let outcome = switch(platform, &before, &prepared, archive, replaced).await;
    match outcome {
        Ok(row) => {
            archives::discard(platform, archive).await;
            tracing::info!(plugin = row.plugin_id, from = before.version, to = row.version, %archive, "plugin upgraded");
            installed(platform, row)
        }
        Err(error) => {
            prepared.plugin.retire(Duration::ZERO).await;
            discard(&prepared.directory).await;
            Err(error)
        }
    }
}

async fn switch(
    platform: &Platform,
    before: &PluginRow,
    prepared: &Prepared,
    archive: Sha256Digest,
    replaced: Sha256Digest,
) -> Result<PluginRow> {
    let new = &prepared.plugin;
    if let Some(old) = platform.plugins.get(&before.plugin_id) {
        same_purpose(&old, new).await?;
    }
    if let Some(settings) = before.settings(&platform.keys)? {
        settings::hand_over(new, &settings).await.map_err(|error| match error {
            // For the one who upgrades they are not an input: they are what is kept.
            Error::User(errors) => Error::User(
                errors
                    .into_iter()
                    .map(|error| UserError { message: format!("The new version does not take the present settings. {error}"), ..error })
                    .collect(),
            ),
            other => other,
        })?;
    }
    new.call_settings(before.settings_name());
    new.set_enabled(before.enabled);
    let is_ingress = before.enabled && new.kind() == Kind::Ingress;
    let row = PluginRow {
        enabled: before.enabled,
        settings_ciphertext: before.settings_ciphertext.clone(),
        created_at: before.created_at,
        ..row(platform, new, before.id, archive)?
    };
    let mut tx = platform.db.begin().await?;
    if !plugins::upgrade(&mut tx, &row, replaced).await? {
        return Err(UserError::conflict("id", "The plugin was upgraded or removed in the meantime.").into());
    }
    carrying::keep(platform, &mut tx, row.id, archive).await?;
    if is_ingress {
        nodes::bump_all_generations(&mut tx).await?;
    }
    tx.commit().await?;
    let old = platform.plugins.put(Arc::clone(new));
    let old_directory = directory(&platform.config.data_dir, &before.plugin_id, replaced);
    if is_ingress && let Err(error) = tell_nodes(platform).await {
        tracing::warn!(?error, "nodes are told of a new version of the ingress with their next change");
    }
    let was_enabled = before.enabled;
    let platform = platform.clone();
    tokio::spawn(async move {
        dispose(old, &old_directory).await;
        if was_enabled && let Err(error) = runtimes::synchronize(&platform).await {
            tracing::warn!(?error, "what a new version of a plugin offers is written down with the next start");
        }
    });
    Ok(row)
}

/// Ends a version that another one has replaced, once its calls have ended, and removes its files.
pub(super) async fn dispose(old: Option<Arc<Plugin>>, directory: &Path) {
    let mut has_buildpack = false;
    if let Some(old) = old {
        old.retire(PATIENCE).await;
        has_buildpack = old.buildpack().is_some();
    }
    if !has_buildpack {
        // Builds that began with its buildpack end with it. The next start clears what is left.
        discard(directory).await;
    }
}

/// Applications depend on what a plugin is for.
async fn same_purpose(old: &Plugin, new: &Plugin) -> Result<()> {
    if old.kind() != new.kind() {
        let message = format!("The plugin is of kind {}, and the new version of kind {}.", old.kind(), new.kind());
        return Err(UserError::invalid("sha256", message).into());
    }
    if old.kind() == Kind::Runtime
        && let (Ok(was), Ok(is)) = (old.runtime_describe().await, new.describe_anyway().await)
        && was.slug != is.slug
    {
        let message = format!("The plugin brings the runtime `{}`, and the new version `{}`.", was.slug, is.slug);
        return Err(UserError::invalid("sha256", message).into());
    }
    Ok(())
}

/// Unpacks, checks, gives a place, starts and asks.
async fn prepare(platform: &Platform, archive: Sha256Digest, grants: &[Grant], expected: Option<&str>) -> Result<Prepared> {
    let unpacked = archives::unpacked(platform, archive).await?;
    let source = unpacked.plugin()?;
    let manifest = slipway_plugin_host::read_manifest(&source).map_err(|error| archives::rejected(sentence(&error)))?;
    match expected {
        Some(id) if manifest.id != id => {
            return Err(UserError::invalid("sha256", format!("The archive holds the plugin `{}`, not `{id}`.", manifest.id)).into());
        }
        None if platform.plugins.get(&manifest.id).is_some() => return Err(taken(&manifest.id).into()),
        Some(_) | None => {}
    }
    let missing: Vec<&str> = asked(&manifest).into_iter().filter(|grant| !grants.contains(grant)).map(Grant::words).collect();
    if !missing.is_empty() {
        return Err(UserError::invalid("grants", format!("The plugin asks for what was not granted: {}.", missing.join("; "))).into());
    }
    let place = directory(&platform.config.data_dir, &manifest.id, archive);
    give_place(&source, &place).await?;
    drop(unpacked);
    let started = async {
        let plugin = platform.plugins.load_apart(&place, None).await.map_err(|error| archives::rejected(sentence(&error)))?;
        plugin.probe().await.map_err(|error| failed("sha256", &error))?;
        Ok(plugin)
    };
    match started.await {
        Ok(plugin) => Ok(Prepared { plugin, directory: place }),
        Err(error) => {
            discard(&place).await;
            Err(error)
        }
    }
}

/// Of an installed plugin, by what it was installed from.
pub(super) fn directory(data_dir: &Path, id: &str, archive: Sha256Digest) -> PathBuf {
    archives::root(data_dir).join(id).join(archive.to_string())
}

/// On disk before anything says that it is there.
pub(super) async fn give_place(from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (from.to_owned(), to.to_owned());
    let moving = tokio::task::spawn_blocking(move || {
        let parent = to.parent().unwrap_or(&to);
        std::fs::create_dir_all(parent)?;
        if to.exists() {
            // Of an attempt that was broken off: nothing runs from there, or its row would have been found.
            std::fs::remove_dir_all(&to)?;
        }
        for entry in std::fs::read_dir(&from)? {
            let path = entry?.path();
            if path.is_file() {
                std::fs::File::open(path)?.sync_all()?;
            }
        }
        std::fs::rename(&from, &to)?;
        std::fs::File::open(parent)?.sync_all()
    });
    moving.await.map_err(Error::internal)?.map_err(Error::internal)
}

/// Removes a version of a plugin, and the plugin's directory with the last one.
pub(super) async fn discard(directory: &Path) {
    if let Err(error) = tokio::fs::remove_dir_all(directory).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %directory.display(), "a plugin's files stay behind until the next start");
    }
    if let Some(parent) = directory.parent() {
        // Not where another version is.
        let _ = tokio::fs::remove_dir(parent).await;
    }
}

fn row(platform: &Platform, plugin: &Plugin, id: PluginRowId, archive: Sha256Digest) -> Result<PluginRow> {
    let now = platform.now();
    Ok(PluginRow {
        id,
        plugin_id: plugin.id().to_owned(),
        enabled: false,
        settings_ciphertext: None,
        sha256: Some(plugin.library_sha256().parse().map_err(Error::internal)?),
        created_at: now,
        updated_at: now,
        version: Some(plugin.manifest().version.clone()),
        archive_sha256: Some(archive),
        quarantine_reason: None,
        quarantined_at: None,
    })
}

fn digest(text: &str) -> Result<Sha256Digest> {
    text.parse().map_err(|_| UserError::invalid("sha256", "Send the archive's SHA-256 as 64 hexadecimal characters.").into())
}

fn taken(id: &str) -> UserError {
    UserError::already_exists("sha256", format!("There is a plugin `{id}`. `pluginUpgrade` puts another version in its place."))
}

/// What a plugin did in place of answering.
pub(super) fn failed(path: &str, error: &CallError) -> UserError {
    UserError::new(UserErrorCode::PluginFailed, path, sentence(error))
}

pub(super) fn sentence(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    let first = characters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str().trim_end_matches('.'))
}
