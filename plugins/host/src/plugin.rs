//! One loaded plugin: who it is, whether it may be called, and one call.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use slipway_plugin_abi::{
    Manifest,
    manifest::Kind,
    messages::{PluginError, Reply, Request, RuntimeDescription},
    status,
};
use tokio::sync::{Mutex, Notify, Semaphore};

use crate::{
    CallError, Isolation, Misconduct, STRIKES, Stats, conduct::Conduct, discovery::Examined, library::RawReply, reply::shortened,
    runner::Runner, settings::Settings,
};

/// Calls of one plugin that may be under way at once, those included that were abandoned and never ended.
const CONCURRENT_CALLS: u32 = 16;
/// Shorter ones are found in too many texts by chance.
const SHORTEST_SECRET: usize = 4;

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
    runner: Runner,
    library_sha256: String,
    buildpack: Option<Buildpack>,
    deadline: Duration,
    conduct: Conduct,
    places: Arc<Semaphore>,
    /// Told when it is quarantined.
    quarantines: Arc<Notify>,
    /// Texts of its settings that must not be seen, wherever it repeats them.
    secrets: std::sync::Mutex<Vec<String>>,
    is_quarantine_recorded: AtomicBool,
    /// What whoever keeps its settings calls the ones that it has.
    settings_name: std::sync::Mutex<Option<String>>,
    pub(crate) settings: Settings,
    /// Held across `describe` and `configure`, so that an answer from before new settings is not kept.
    pub(crate) description: Mutex<Option<RuntimeDescription>>,
}

impl Plugin {
    pub(crate) fn new(examined: Examined, runner: Runner, deadline: Duration, quarantines: Arc<Notify>) -> Self {
        let Examined { directory, manifest, settings, library: _, library_sha256, buildpack } = examined;
        Self {
            manifest,
            directory,
            runner,
            library_sha256,
            buildpack,
            deadline,
            conduct: Conduct::new(),
            places: Arc::new(Semaphore::new(CONCURRENT_CALLS as usize)),
            quarantines,
            secrets: std::sync::Mutex::default(),
            is_quarantine_recorded: AtomicBool::new(false),
            settings_name: std::sync::Mutex::default(),
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
        self.runner.message_version()
    }

    /// Where its code runs.
    #[must_use]
    pub fn isolation(&self) -> Isolation {
        self.runner.isolation()
    }

    /// The names of its settings that are secrets.
    #[must_use]
    pub fn secret_settings(&self) -> Vec<&str> {
        self.settings.secret_names()
    }

    /// What the settings that it has were called with [`Plugin::call_settings`].
    #[must_use]
    pub fn settings_name(&self) -> Option<String> {
        self.settings_name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives the settings that it has taken a name, by which whoever keeps them tells whether it has the latest.
    pub fn call_settings(&self, name: Option<String>) {
        *self.settings_name.lock().unwrap_or_else(PoisonError::into_inner) = name;
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

    /// Puts it into quarantine for what is recorded of it.
    pub fn quarantine(&self, reason: String) {
        self.conduct.quarantine(reason);
        self.note_quarantine_recorded();
    }

    /// Whether its quarantine is recorded: one that is not, nobody else can have ended.
    #[must_use]
    pub fn is_quarantine_recorded(&self) -> bool {
        self.is_quarantine_recorded.load(Ordering::Relaxed)
    }

    pub fn note_quarantine_recorded(&self) {
        self.is_quarantine_recorded.store(true, Ordering::Relaxed);
    }

    /// Ends the quarantine and forgets the strikes.
    pub fn release(&self) {
        self.is_quarantine_recorded.store(false, Ordering::Relaxed);
        self.conduct.release();
    }

    /// Enabled and not quarantined.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.is_enabled() && self.quarantined_for().is_none()
    }

    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { restarts: self.runner.restarts(), ..self.conduct.stats() }
    }

    /// Waits until no call is under way, for `patience` at most, and ends what runs; the next call starts it again.
    pub async fn pause(&self, patience: Duration) {
        if tokio::time::timeout(patience, self.places.acquire_many(CONCURRENT_CALLS)).await.is_ok() {
            self.runner.stop().await;
        }
    }

    /// Waits until no call is under way, for `patience` at most, and ends what runs. Calls that come later are refused: whoever
    /// still holds this plugin holds one that has been replaced or removed.
    pub async fn retire(&self, patience: Duration) {
        let idle = tokio::time::timeout(patience, self.places.acquire_many(CONCURRENT_CALLS)).await;
        if idle.is_err() {
            tracing::warn!(plugin = self.id(), version = self.manifest.version, "calls of a retired plugin are still under way");
        }
        self.places.close();
        drop(idle);
        self.runner.stop().await;
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
            Err(Unanswered::Refused(PluginError { code, message, fix })) => {
                self.conduct.refused();
                let (message, fix) = (self.veiled(message), fix.map(|fix| self.veiled(fix)));
                Err(CallError::Refused(PluginError { code, message, fix }))
            }
            Err(Unanswered::Misconduct(misconduct)) => {
                let misconduct = misconduct.worded(|text| self.veiled(text));
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
        let place = match tokio::time::timeout(self.deadline, self.places.clone().acquire_owned()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(Unanswered::NotMade("it has been replaced or removed".into())),
            Err(_) => return Err(Unanswered::Busy),
        };
        self.conduct.called();
        let begun = Instant::now();
        let outcome = self.runner.call(request, self.deadline, place).await;
        self.conduct.took(begun.elapsed());
        outcome
    }

    /// Notes settings that it has accepted.
    pub(crate) fn keep_settings(&self, request: &Request) {
        let Request::Configure(settings) = request else { return };
        let secrets = self.settings.secrets(settings);
        *self.secrets.lock().unwrap_or_else(PoisonError::into_inner) = secrets;
        if let Ok(request) = serde_json::to_vec(request) {
            self.runner.keep_settings(request.into());
        }
    }

    /// What it wrote, without the secrets that it was given.
    fn veiled(&self, text: String) -> String {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().filter(|secret| secret.len() >= SHORTEST_SECRET).fold(text, |text, secret| text.replace(secret.as_str(), "…"))
    }

    fn struck(&self, misconduct: &Misconduct) {
        let strikes = self.conduct.strike(misconduct.clone());
        if strikes == STRIKES {
            tracing::error!(plugin = self.id(), strikes, %misconduct, "plugin quarantined");
            self.quarantines.notify_one();
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
