//! One loaded plugin: who it is, whether it may be called, and one call.

use std::{path::Path, path::PathBuf, sync::Arc, time::Duration};

use slipway_plugin_abi::{
    Manifest,
    manifest::Kind,
    messages::{PluginError, Reply, Request, RuntimeDescription},
    status,
};
use tokio::sync::{Mutex, Semaphore};

use crate::{
    CallError, Misconduct, STRIKES, Stats,
    conduct::Conduct,
    deadline::{Missed, within},
    discovery::Loaded,
    library::{Library, RawReply},
    reply::shortened,
    settings::Settings,
};

/// Calls of one plugin that may be under way at once, those included that were abandoned and never ended.
const CONCURRENT_CALLS: usize = 16;

/// The WebAssembly component that a runtime plugin brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buildpack {
    pub path: PathBuf,
    /// Lower-case hexadecimal, of the file as it was when the plugin was loaded.
    pub sha256: String,
    pub size_bytes: u64,
}

/// Enabled when it is loaded. Shared as an `Arc`; every method may be called from any task.
#[derive(Debug)]
pub struct Plugin {
    manifest: Manifest,
    directory: PathBuf,
    library: Library,
    library_sha256: String,
    buildpack: Option<Buildpack>,
    deadline: Duration,
    conduct: Conduct,
    places: Arc<Semaphore>,
    pub(crate) settings: Settings,
    /// Held across `describe` and `configure`, so that an answer from before new settings is not kept.
    pub(crate) description: Mutex<Option<RuntimeDescription>>,
}

impl Plugin {
    pub(crate) fn new(loaded: Loaded, deadline: Duration) -> Self {
        let Loaded { directory, manifest, settings, library, library_sha256, buildpack } = loaded;
        Self {
            manifest,
            directory,
            library,
            library_sha256,
            buildpack,
            deadline,
            conduct: Conduct::new(),
            places: Arc::new(Semaphore::new(CONCURRENT_CALLS)),
            settings,
            description: Mutex::default(),
        }
    }

    #[must_use]
    pub fn id(&self) -> &str {
        &self.manifest.id
    }

    #[must_use]
    pub fn kind(&self) -> Kind {
        self.manifest.kind
    }

    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Lower-case hexadecimal, of the file as it was before it was loaded.
    #[must_use]
    pub fn library_sha256(&self) -> &str {
        &self.library_sha256
    }

    #[must_use]
    pub fn buildpack(&self) -> Option<&Buildpack> {
        self.buildpack.as_ref()
    }

    /// The version of the messages that it and the host agreed on.
    #[must_use]
    pub fn message_version(&self) -> u32 {
        self.library.message_version
    }

    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.conduct.is_enabled()
    }

    /// Takes effect on the next call; a call under way goes on.
    pub fn set_enabled(&self, enabled: bool) {
        self.conduct.set_enabled(enabled);
    }

    /// What it did last, while it is quarantined.
    #[must_use]
    pub fn quarantined_for(&self) -> Option<Misconduct> {
        self.conduct.quarantined_for()
    }

    /// Ends the quarantine and forgets the strikes.
    pub fn release(&self) {
        self.conduct.release();
    }

    /// Enabled and not quarantined.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.is_enabled() && self.quarantined_for().is_none()
    }

    #[must_use]
    pub fn stats(&self) -> Stats {
        self.conduct.stats()
    }

    /// Refuses to call a plugin of another kind, a disabled or a quarantined one.
    pub(crate) fn admit(&self, asked: Kind) -> Result<(), CallError> {
        if asked != self.kind() {
            return Err(CallError::WrongKind { plugin: self.id().to_owned(), is: self.kind(), asked });
        }
        if !self.is_enabled() {
            return Err(CallError::Disabled { plugin: self.id().to_owned() });
        }
        self.admit_unless_quarantined()
    }

    /// For settings, which a disabled plugin takes as well.
    pub(crate) fn admit_unless_quarantined(&self) -> Result<(), CallError> {
        match self.quarantined_for() {
            Some(last) => Err(CallError::Quarantined { plugin: self.id().to_owned(), last: last.to_string() }),
            None => Ok(()),
        }
    }

    /// Makes one call that has been admitted. `read` takes the answer out of the reply, or says why it is unusable.
    pub(crate) async fn ask<T>(&self, request: Request, read: impl FnOnce(Reply) -> Result<T, String>) -> Result<T, CallError> {
        let outcome = self.call(request).await.and_then(|raw| decode(raw).and_then(|reply| Ok(read(reply).map_err(Misconduct::BadReply)?)));
        match outcome {
            Ok(answer) => Ok(answer),
            Err(Unanswered::Refused(error)) => {
                self.conduct.refused();
                Err(CallError::Refused(error))
            }
            Err(Unanswered::Misconduct(misconduct)) => {
                self.struck(&misconduct);
                Err(CallError::Misconduct { plugin: self.id().to_owned(), misconduct })
            }
            Err(Unanswered::Busy) => {
                self.conduct.failed();
                Err(CallError::Busy { plugin: self.id().to_owned(), deadline: self.deadline })
            }
            Err(Unanswered::NotMade(cause)) => {
                self.conduct.failed();
                Err(CallError::NotMade { plugin: self.id().to_owned(), cause })
            }
        }
    }

    async fn call(&self, request: Request) -> Result<RawReply, Unanswered> {
        let request = serde_json::to_vec(&request).map_err(|error| Unanswered::NotMade(error.to_string()))?;
        let place = tokio::time::timeout(self.deadline, self.places.clone().acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Err(Unanswered::Busy) };
        self.conduct.called();
        let library = self.library;
        let call = move || {
            let reply = library.call(&request);
            drop(place);
            reply
        };
        within(self.deadline, call).await.map_err(|missed| match missed {
            Missed::Overran => Misconduct::Overran(self.deadline).into(),
            Missed::Died => Unanswered::NotMade("its thread died".into()),
            Missed::NoThread(error) => Unanswered::NotMade(error.to_string()),
        })
    }

    fn struck(&self, misconduct: &Misconduct) {
        let strikes = self.conduct.strike(misconduct.clone());
        if strikes == STRIKES {
            tracing::error!(plugin = self.id(), strikes, %misconduct, "plugin quarantined");
        } else {
            tracing::warn!(plugin = self.id(), strikes, %misconduct, "strike against plugin");
        }
    }
}

pub(crate) enum Unanswered {
    Refused(PluginError),
    Misconduct(Misconduct),
    Busy,
    NotMade(String),
}

impl From<Misconduct> for Unanswered {
    fn from(misconduct: Misconduct) -> Self {
        Self::Misconduct(misconduct)
    }
}

pub(crate) fn decode(raw: RawReply) -> Result<Reply, Unanswered> {
    let bytes = raw.bytes.map_err(Misconduct::BadReply)?;
    let text = || shortened(&String::from_utf8_lossy(&bytes));
    let not_json = |error: serde_json::Error| Misconduct::BadReply(error.to_string());
    match raw.status {
        status::OK => Ok(serde_json::from_slice(&bytes).map_err(not_json)?),
        status::ERROR => Err(Unanswered::Refused(serde_json::from_slice(&bytes).map_err(not_json)?)),
        status::PANIC => Err(Misconduct::Panicked(text()).into()),
        status::BAD_REQUEST => Err(Misconduct::NotUnderstood(text()).into()),
        other => Err(Misconduct::BadReply(format!("the unknown status {other}")).into()),
    }
}
