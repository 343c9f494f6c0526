//! The plugins of a platform: those that loaded, and those that did not, with the reason.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use slipway_plugin_abi::{Manifest, manifest::Kind, messages::RuntimeDescription};

use crate::{
    LoadError, Plugin,
    deadline::{Missed, within},
    discovery, manifest,
};

/// How plugins are loaded and called.
#[derive(Debug, Clone)]
pub struct Options {
    /// For one call.
    pub call_deadline: Duration,
    /// For reading, hashing and loading one plugin.
    pub load_deadline: Duration,
    /// By plugin id, the SHA-256 of the library that an administrator approved, in hexadecimal. A plugin that is not named here
    /// may have any.
    pub approved: BTreeMap<String, String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { call_deadline: Duration::from_secs(5), load_deadline: Duration::from_secs(30), approved: BTreeMap::new() }
    }
}

/// A plugin directory that is not in use.
#[derive(Debug, Clone)]
pub struct Incompatible {
    pub directory: PathBuf,
    /// Where it could be read.
    pub manifest: Option<Manifest>,
    pub reason: Arc<LoadError>,
}

#[derive(Debug, thiserror::Error)]
#[error("the plugin directory {} cannot be read: {cause}", directory.display())]
pub struct OpenError {
    directory: PathBuf,
    cause: io::Error,
}

/// Shared as an `Arc`; every method may be called from any task.
#[derive(Debug)]
pub struct PluginHost {
    directory: PathBuf,
    options: Options,
    known: RwLock<Known>,
    /// One scan at a time, so that two cannot load the same directory.
    scanning: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    plugins: BTreeMap<String, Arc<Plugin>>,
    incompatible: Vec<Incompatible>,
}

impl PluginHost {
    /// Loads every plugin in `directory`, each of which is a directory with a `plugin.toml`.
    ///
    /// # Errors
    /// Only when `directory` itself cannot be listed. A plugin that cannot be loaded is logged and found in
    /// [`PluginHost::incompatible`].
    pub async fn open(directory: impl Into<PathBuf>, options: Options) -> Result<Self, OpenError> {
        let host = Self { directory: directory.into(), options, known: RwLock::default(), scanning: tokio::sync::Mutex::default() };
        host.rescan().await?;
        Ok(host)
    }

    /// Loads what has been added since, and tries again what could not be loaded. A plugin that is loaded stays as it is, even
    /// if its files changed: a library is never unloaded.
    ///
    /// # Errors
    /// The directory cannot be listed. Nothing has changed then.
    pub async fn rescan(&self) -> Result<(), OpenError> {
        let _one_at_a_time = self.scanning.lock().await;
        let directories =
            discovery::directories(&self.directory).map_err(|cause| OpenError { directory: self.directory.clone(), cause })?;
        let mut incompatible = Vec::new();
        for directory in directories {
            if self.read().plugins.values().any(|plugin| plugin.directory() == directory) {
                continue;
            }
            match self.load(&directory).await {
                Ok(plugin) => {
                    let (id, version) = (plugin.id().to_owned(), &plugin.manifest().version);
                    tracing::info!(plugin = id, version, sha256 = plugin.library_sha256(), "plugin loaded");
                    self.write().plugins.insert(id, Arc::new(plugin));
                }
                Err((manifest, reason)) => {
                    tracing::error!(directory = %directory.display(), %reason, "plugin skipped");
                    incompatible.push(Incompatible { directory, manifest, reason: Arc::new(reason) });
                }
            }
        }
        self.write().incompatible = incompatible;
        Ok(())
    }

    /// By id. Disabled and quarantined ones are there too.
    #[must_use]
    pub fn plugins(&self) -> Vec<Arc<Plugin>> {
        self.read().plugins.values().cloned().collect()
    }

    #[must_use]
    pub fn incompatible(&self) -> Vec<Incompatible> {
        self.read().incompatible.clone()
    }

    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<Plugin>> {
        self.read().plugins.get(id).cloned()
    }

    /// The usable ones of a kind, by id: enabled, not quarantined.
    #[must_use]
    pub fn of_kind(&self, kind: Kind) -> Vec<Arc<Plugin>> {
        self.read().plugins.values().filter(|plugin| plugin.kind() == kind && plugin.is_usable()).cloned().collect()
    }

    /// The usable runtime plugin that answers for a tool such as `node`. Where two do, the first by id.
    pub async fn runtime_for_tool(&self, tool: &str) -> Option<Arc<Plugin>> {
        self.runtime_where(|description| description.tools.iter().any(|known| known == tool)).await
    }

    /// The usable runtime plugin of a slug such as `python`. Where two have it, the first by id.
    pub async fn runtime(&self, slug: &str) -> Option<Arc<Plugin>> {
        self.runtime_where(|description| description.slug == slug).await
    }

    async fn runtime_where(&self, is_meant: impl Fn(&RuntimeDescription) -> bool) -> Option<Arc<Plugin>> {
        for plugin in self.of_kind(Kind::Runtime) {
            match plugin.runtime_describe().await {
                Ok(description) if is_meant(&description) => return Some(plugin),
                Ok(_) => {}
                Err(error) => tracing::warn!(plugin = plugin.id(), %error, "runtime passed over: it does not describe itself"),
            }
        }
        None
    }

    async fn load(&self, directory: &Path) -> Result<Plugin, (Option<Manifest>, LoadError)> {
        let manifest = manifest::read(directory).map_err(|reason| (None, reason))?;
        let refused = |reason| (Some(manifest.clone()), reason);
        if let Some(other) = self.get(&manifest.id) {
            return Err(refused(LoadError::IdTaken { id: manifest.id.clone(), by: other.directory().to_owned() }));
        }
        load(directory, manifest.clone(), &self.options).await.map_err(refused)
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        // Each change is one assignment or insertion, so a poisoned lock guards nothing half-made.
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn load(directory: &Path, manifest: Manifest, options: &Options) -> Result<Plugin, LoadError> {
    let work = {
        let directory = directory.to_owned();
        let approved = options.approved.get(&manifest.id).cloned();
        move || discovery::load(&directory, manifest, approved.as_deref())
    };
    let deadline = options.load_deadline;
    match within(deadline, work).await {
        Ok(loaded) => Ok(Plugin::new(loaded?, options.call_deadline)),
        Err(Missed::Overran) => Err(LoadError::Overran(deadline)),
        Err(Missed::Died) => Err(LoadError::Stopped("its thread died".into())),
        Err(Missed::NoThread(error)) => Err(LoadError::Stopped(error.to_string())),
    }
}
