//! The proxy as a process that outlives the agent.
//!
//! It runs in a process group of its own and is not stopped with the agent: visitors are served while the agent restarts or is
//! upgraded. Beside it lies a note of the process and the settings it runs with. The next agent takes it over if both still hold, and
//! otherwise replaces it. [`stop`] ends it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use slipway_model::Clock;
use slipway_protocol::DesiredProxy;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::note::{self, Note};
use super::program::Program;
use super::settings::Folders;
use crate::backoff::Backoff;
use crate::config::IngressConfig;
use crate::durable;

#[derive(Debug, thiserror::Error)]
pub enum IngressError {
    #[error("cannot run {name} ({binary}): {source}")]
    Run { name: String, binary: PathBuf, source: io::Error },
    #[error("{0}")]
    NoProxy(String),
    #[error("cannot read or write the ingress's files in {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("the ingress's internal address {0} must be a loopback address: it tells everything about the routes")]
    NotLoopback(SocketAddr),
    #[error("the ingress's settings cannot be written: {0}")]
    Settings(#[from] toml::ser::Error),
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A proxy that lives but does not answer for this long is replaced.
const MAX_SILENCE: Duration = Duration::from_secs(15);
const STOP_GRACE: Duration = Duration::from_secs(15);
const MAX_LOG_BYTES: u64 = 16 << 20;

/// A proxy that ends may have met its predecessor's ports. One that ends as often as this, and never answers, cannot be run.
const HOPELESS: u32 = 3;

/// Keeps one proxy running.
pub struct Supervisor {
    program: Program,
    http: reqwest::Client,
    child: Option<Child>,
    /// Ends since it answered last.
    failures: u32,
    problem: watch::Sender<Option<String>>,
}

impl Supervisor {
    /// Writes Traefik's settings.
    ///
    /// # Errors
    /// See [`IngressError`].
    pub fn new(data_dir: &Path, config: &IngressConfig) -> Result<Self, IngressError> {
        Self::of(Program::traefik(data_dir, config)?)
    }

    /// Of another proxy than Traefik, whose files [`Proxy::new`](super::Proxy::new) has written.
    ///
    /// # Errors
    /// See [`IngressError`].
    pub fn of_proxy(data_dir: &Path, config: &IngressConfig, proxy: &DesiredProxy) -> Result<Self, IngressError> {
        Self::of(Program::proxy(data_dir, config, proxy)?)
    }

    fn of(program: Program) -> Result<Self, IngressError> {
        let failed = |source| IngressError::Io { path: program.folders.root().to_owned(), source };
        let http = super::plain_http().map_err(|error| failed(io::Error::other(error)))?;
        Ok(Self { program, http, child: None, failures: 0, problem: watch::Sender::new(None) })
    }

    /// Why the proxy cannot be run, once that is plain.
    #[must_use]
    pub fn problem(&self) -> watch::Receiver<Option<String>> {
        self.problem.subscribe()
    }

    fn failed(&mut self, error: &IngressError) {
        self.failures = self.failures.saturating_add(1);
        let is_plain = matches!(error, IngressError::Run { source, .. } if matches!(
            source.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
        ));
        if is_plain || self.failures >= HOPELESS {
            let log = self.program.folders.log();
            self.problem.send_replace(Some(format!("{error}; its log is {} on the node", log.display())));
        }
    }

    fn well(&mut self) {
        self.failures = 0;
        if self.problem.borrow().is_some() {
            self.problem.send_replace(None);
        }
    }

    /// Whether a proxy of these settings is running already.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.note().is_some_and(|note| note.settings == self.program.settings && note.is_alive())
    }

    /// Runs, restarts and replaces the proxy until `shutdown`, and leaves it running then.
    pub async fn supervise(mut self, clock: &dyn Clock, shutdown: CancellationToken) {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(30));
        let mut answered = Instant::now();
        loop {
            let wait = match self.look(&mut answered).await {
                Ok(true) => {
                    backoff.reset();
                    self.well();
                    LOOK_EVERY
                }
                Ok(false) => Duration::from_millis(100),
                Err(error) => {
                    tracing::error!(%error, "the ingress is not running");
                    self.failed(&error);
                    backoff.next(clock)
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// `true` if it answers.
    async fn look(&mut self, answered: &mut Instant) -> Result<bool, IngressError> {
        let name = self.program.name.as_str();
        if let Some(child) = &mut self.child
            && let Ok(Some(status)) = child.try_wait()
        {
            tracing::error!(%status, log = %self.program.folders.log().display(), "{name} ended");
            self.child = None;
            return Err(self.not_run(io::Error::other(status.to_string())));
        }
        self.bound_log();
        match self.note().filter(Note::is_alive) {
            Some(note) if note.settings == self.program.settings => {
                if self.answers().await {
                    *answered = Instant::now();
                    return Ok(true);
                }
                if answered.elapsed() > MAX_SILENCE {
                    tracing::error!(pid = note.pid, "{name} does not answer and is replaced");
                    note.end(STOP_GRACE).await;
                    self.start().await?;
                    *answered = Instant::now();
                }
                Ok(false)
            }
            Some(other) => {
                tracing::info!(pid = other.pid, "an ingress runs with other settings and is replaced");
                other.end(STOP_GRACE).await;
                self.start().await?;
                *answered = Instant::now();
                Ok(false)
            }
            None => {
                self.start().await?;
                *answered = Instant::now();
                Ok(false)
            }
        }
    }

    async fn start(&mut self) -> Result<(), IngressError> {
        let Program { name, binary, arguments, folders, settings, .. } = &self.program;
        // One that an agent started and died before it could note it still holds the ports.
        for orphan in note::running(binary, folders.root()) {
            orphan.end(STOP_GRACE).await;
        }
        let failed = |source| IngressError::Io { path: folders.root().to_owned(), source };
        let log = OpenOptions::new().create(true).append(true).open(folders.log()).map_err(failed)?;
        let errors = log.try_clone().map_err(failed)?;
        let child = Command::new(binary)
            .args(arguments)
            .current_dir(folders.root())
            // Proxies take settings from variables too; they get none of ours.
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .kill_on_drop(false)
            .spawn()
            .map_err(|source| self.not_run(source))?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        let note = pid.and_then(|pid| Note::of(pid, *settings));
        if let Some(note) = note {
            tracing::info!(pid = note.pid, "{name} started");
            let bytes = serde_json::to_vec(&note).map_err(|error| failed(error.into()))?;
            durable::write(folders.process(), &bytes).map_err(failed)?;
        }
        self.child = Some(child);
        Ok(())
    }

    fn not_run(&self, source: io::Error) -> IngressError {
        IngressError::Run { name: self.program.name.clone(), binary: self.program.binary.clone(), source }
    }

    fn note(&self) -> Option<Note> {
        Note::read(&self.program.folders)
    }

    async fn answers(&self) -> bool {
        let answer = self.http.get(&self.program.url).timeout(Duration::from_secs(2)).send().await;
        answer.is_ok_and(|response| self.program.any_answer || response.status().is_success())
    }

    /// Proxies only append; the log holds what went wrong lately, and no more.
    fn bound_log(&self) {
        let path = self.program.folders.log();
        if fs::metadata(&path).is_ok_and(|data| data.len() > MAX_LOG_BYTES)
            && let Err(error) = File::options().write(true).open(&path).and_then(|file| file.set_len(0))
        {
            tracing::warn!(%error, log = %path.display(), "cannot shorten the ingress's log");
        }
    }
}

/// Ends this data folder's ingress, if one runs. Visitors are no longer served.
///
/// # Errors
/// The note of it cannot be removed.
pub async fn stop(data_dir: &Path) -> Result<(), IngressError> {
    let folders = Folders::new(data_dir);
    let orphans = note::with_argument(&format!("--configFile={}", folders.configuration().display()));
    for note in Note::read(&folders).filter(Note::is_alive).into_iter().chain(orphans) {
        note.end(STOP_GRACE).await;
        tracing::info!(pid = note.pid, "the ingress stopped");
    }
    match fs::remove_file(folders.process()) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(IngressError::Io { path: folders.process().to_owned(), source }),
        _ => Ok(()),
    }
}
