//! The plugins of a platform: those that loaded, and those that did not, with the reason.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use slipway_buildpack_host::Responders;
use slipway_plugin_abi::{Manifest, manifest::Kind, messages::RuntimeDescription};
use tokio::sync::Notify;

use crate::{
    Buildpack, LoadError, Plugin, ProcessLimits, discovery, manifest,
    runner::{Runner, loaded, start_engine},
};

/// Which native libraries may run in the host's own process.
#[derive(Debug, Clone, Default)]
pub enum Trusted {
    /// Every one, as where a plugin's own author tries it.
    #[default]
    Every,
    /// Those of this SHA-256, in lower-case hexadecimal. Any other runs in a process of its own.
    Those(BTreeSet<String>),
}

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
    pub trusted: Trusted,
    /// The `slipway` binary, whose `plugin-host` a plugin's process is. Without it, what is not trusted does not run.
    pub program: Option<PathBuf>,
    /// Of each such process.
    pub limits: ProcessLimits,
    /// A directory of the platform's own for compiled components. Without it, none run.
    pub compiled: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            call_deadline: Duration::from_secs(5),
            load_deadline: Duration::from_secs(30),
            approved: BTreeMap::new(),
            trusted: Trusted::Every,
            program: None,
            limits: ProcessLimits::default(),
            compiled: None,
        }
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

impl Incompatible {
    /// Whether its manifest says that it is the plugin of that id.
    #[must_use]
    pub fn is(&self, id: &str) -> bool {
        self.manifest.as_ref().is_some_and(|manifest| manifest.id == id)
    }
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
    /// For components, once there is one.
    engine: Mutex<Option<Responders>>,
    quarantines: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Known {
    plugins: BTreeMap<String, Arc<Plugin>>,
    /// Buildpacks of versions that were replaced: builds that began with one end with it.
    former: Vec<Buildpack>,
    incompatible: Vec<Incompatible>,
}

impl PluginHost {
    /// Loads every plugin in `directory`, each of which is a directory with a `plugin.toml`.
    ///
    /// # Errors
    /// Only when `directory` itself cannot be listed. A plugin that cannot be loaded is logged and found in
    /// [`PluginHost::incompatible`].
    pub async fn open(directory: impl Into<PathBuf>, options: Options) -> Result<Self, OpenError> {
        let host = Self {
            directory: directory.into(),
            options,
            known: RwLock::default(),
            scanning: tokio::sync::Mutex::default(),
            engine: Mutex::default(),
            quarantines: Arc::default(),
        };
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

    /// Loads a plugin that did not come with the platform from a directory of its own, without making it known: never into this
    /// process, and only if its library is the approved one.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn load_apart(&self, directory: &Path, approved: Option<&str>) -> Result<Arc<Plugin>, LoadError> {
        let manifest = manifest::read(directory)?;
        Ok(Arc::new(self.run(directory, manifest, approved.map(str::to_owned), false).await?))
    }

    /// Makes a loaded plugin known, in place of another version of it, which is given back: it is to be retired.
    pub fn put(&self, plugin: Arc<Plugin>) -> Option<Arc<Plugin>> {
        let mut known = self.write();
        known.incompatible.retain(|broken| !broken.is(plugin.id()));
        let replaced = known.plugins.insert(plugin.id().to_owned(), plugin);
        known.former.extend(replaced.as_ref().and_then(|replaced| replaced.buildpack().cloned()));
        replaced
    }

    /// Where the buildpack of that SHA-256 lies, of a plugin or of a version of one that was replaced since this host began.
    #[must_use]
    pub fn buildpack(&self, sha256: &str) -> Option<PathBuf> {
        let known = self.read();
        let mut all = known.plugins.values().filter_map(|plugin| plugin.buildpack()).chain(&known.former);
        all.find(|buildpack| buildpack.sha256 == sha256).map(|buildpack| buildpack.path.clone())
    }

    /// Forgets a plugin, which is given back: it is to be retired.
    pub fn remove(&self, id: &str) -> Option<Arc<Plugin>> {
        let mut known = self.write();
        known.incompatible.retain(|broken| !broken.is(id));
        known.plugins.remove(id)
    }

    /// Notes that a plugin of another directory could not be loaded. Of the same directory, the last reason counts.
    pub fn note_incompatible(&self, broken: Incompatible) {
        let mut known = self.write();
        known.incompatible.retain(|other| other.directory != broken.directory);
        known.incompatible.push(broken);
    }

    /// While it is held, nobody else changes which plugins there are.
    pub async fn exclusively(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.scanning.lock().await
    }

    /// Told each time that a plugin is quarantined. For one listener.
    #[must_use]
    pub fn quarantines(&self) -> Arc<Notify> {
        Arc::clone(&self.quarantines)
    }

    async fn load(&self, directory: &Path) -> Result<Plugin, (Option<Manifest>, LoadError)> {
        let manifest = manifest::read(directory).map_err(|reason| (None, reason))?;
        let refused = |reason| (Some(manifest.clone()), reason);
        if let Some(other) = self.get(&manifest.id) {
            return Err(refused(LoadError::IdTaken { id: manifest.id.clone(), by: other.directory().to_owned() }));
        }
        let approved = self.options.approved.get(&manifest.id).cloned();
        self.run(directory, manifest.clone(), approved, true).await.map_err(refused)
    }

    async fn run(&self, directory: &Path, manifest: Manifest, approved: Option<String>, may_be_trusted: bool) -> Result<Plugin, LoadError> {
        let options = &self.options;
        let directory = directory.to_owned();
        let look = move || discovery::examine(&directory, manifest, approved.as_deref());
        let examined = loaded(options.load_deadline, look).await?;
        let is_trusted = may_be_trusted
            && match &options.trusted {
                Trusted::Every => true,
                Trusted::Those(sums) => sums.contains(&examined.library_sha256),
            };
        let runner = Runner::start(&examined, options, is_trusted, || self.engine()).await?;
        Ok(Plugin::new(examined, runner, options.call_deadline, Arc::clone(&self.quarantines)))
    }

    fn engine(&self) -> Result<Responders, LoadError> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*engine {
            return Ok(engine.clone());
        }
        let started = start_engine(&self.options)?;
        Ok(engine.insert(started).clone())
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        // Each change is one assignment or insertion, so a poisoned lock guards nothing half-made.
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}
