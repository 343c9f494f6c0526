//! Traefik as a process that outlives the agent.
//!
//! It runs in a process group of its own and is not stopped with the agent: visitors are served while the agent restarts or is
//! upgraded. Beside it lies a note of its pid, its start time (a pid alone may have been given to another since) and the settings it runs
//! with. The next agent takes it over if all three still hold, and otherwise replaces it. [`stop`] ends it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use slipway_model::{Clock, Sha256Digest};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::settings::{Folders, render};
use super::traefik::reachable;
use crate::backoff::Backoff;
use crate::config::IngressConfig;
use crate::durable;

#[derive(Debug, thiserror::Error)]
pub enum IngressError {
    #[error("cannot run Traefik ({binary}): {source}")]
    Run { binary: PathBuf, source: io::Error },
    #[error("cannot read or write the ingress's files in {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("the ingress's internal address {0} must be a loopback address: it tells everything about the routes")]
    NotLoopback(SocketAddr),
    #[error("the ingress's settings cannot be written: {0}")]
    Settings(#[from] toml::ser::Error),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    pid: i32,
    /// In clock ticks since the machine started, as the kernel keeps it.
    started: u64,
    /// The machine's current run: start times begin anew with it.
    boot: String,
    settings: Sha256Digest,
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A Traefik that lives but does not answer for this long is replaced.
const MAX_SILENCE: Duration = Duration::from_secs(15);
const STOP_GRACE: Duration = Duration::from_secs(15);
const MAX_LOG_BYTES: u64 = 16 << 20;

/// Keeps one Traefik running.
pub struct Supervisor {
    config: IngressConfig,
    folders: Folders,
    settings: Sha256Digest,
    http: reqwest::Client,
    child: Option<Child>,
}

impl Supervisor {
    /// Writes Traefik's settings.
    ///
    /// # Errors
    /// See [`IngressError`].
    pub fn new(data_dir: &Path, config: &IngressConfig) -> Result<Self, IngressError> {
        if !config.internal_address.ip().is_loopback() {
            return Err(IngressError::NotLoopback(config.internal_address));
        }
        let folders = Folders::new(data_dir);
        let failed = |source| IngressError::Io { path: folders.root().to_owned(), source };
        folders.create().map_err(failed)?;
        let text = render(config, &folders)?;
        durable::write(&folders.configuration(), text.as_bytes()).map_err(failed)?;
        let settings = Sha256Digest::of(format!("{text}\n{}", identify(&config.traefik_binary)).as_bytes());
        let http = super::plain_http().map_err(|error| failed(io::Error::other(error)))?;
        Ok(Self { config: config.clone(), folders, settings, http, child: None })
    }

    /// Whether a Traefik of these settings is running already.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.note().is_some_and(|note| note.settings == self.settings && alive(&note))
    }

    /// Runs, restarts and replaces Traefik until `shutdown`, and leaves it running then.
    pub async fn supervise(mut self, clock: &dyn Clock, shutdown: CancellationToken) {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(30));
        let mut answered = Instant::now();
        loop {
            let wait = match self.look(&mut answered).await {
                Ok(true) => {
                    backoff.reset();
                    LOOK_EVERY
                }
                Ok(false) => Duration::from_millis(100),
                Err(error) => {
                    tracing::error!(%error, "the ingress is not running");
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
        if let Some(child) = &mut self.child
            && let Ok(Some(status)) = child.try_wait()
        {
            tracing::error!(%status, log = %self.folders.log().display(), "Traefik ended");
            self.child = None;
            return Err(IngressError::Run { binary: self.config.traefik_binary.clone(), source: io::Error::other(status.to_string()) });
        }
        self.bound_log();
        match self.note().filter(alive) {
            Some(note) if note.settings == self.settings => {
                if self.pings().await {
                    *answered = Instant::now();
                    return Ok(true);
                }
                if answered.elapsed() > MAX_SILENCE {
                    tracing::error!(pid = note.pid, "Traefik does not answer and is replaced");
                    end(&note, STOP_GRACE).await;
                    self.start().await?;
                    *answered = Instant::now();
                }
                Ok(false)
            }
            Some(other) => {
                tracing::info!(pid = other.pid, "Traefik runs with other settings and is replaced");
                end(&other, STOP_GRACE).await;
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
        // One that an agent started and died before it could note it still holds the ports.
        for orphan in orphans(&self.folders) {
            end(&orphan, STOP_GRACE).await;
        }
        let failed = |source| IngressError::Io { path: self.folders.root().to_owned(), source };
        let log = OpenOptions::new().create(true).append(true).open(self.folders.log()).map_err(failed)?;
        let errors = log.try_clone().map_err(failed)?;
        let child = Command::new(&self.config.traefik_binary)
            .arg(format!("--configFile={}", self.folders.configuration().display()))
            .current_dir(self.folders.root())
            // Traefik takes settings from TRAEFIK_ variables too; it gets none of ours.
            .env_clear()
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .process_group(0)
            .kill_on_drop(false)
            .spawn()
            .map_err(|source| IngressError::Run { binary: self.config.traefik_binary.clone(), source })?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        self.child = Some(child);
        let Some(note) = pid.and_then(|pid| {
            let (started, boot) = (start_time(pid)?, boot()?);
            Some(Note { pid, started, boot, settings: self.settings })
        }) else {
            return Ok(());
        };
        tracing::info!(pid = note.pid, web = %self.config.web_address, "Traefik started");
        let bytes = serde_json::to_vec(&note).map_err(|error| failed(error.into()))?;
        durable::write(&self.folders.process(), &bytes).map_err(failed)
    }

    fn note(&self) -> Option<Note> {
        read_note(&self.folders)
    }

    async fn pings(&self) -> bool {
        let url = format!("http://{}/ping", reachable(self.config.internal_address));
        let answer = self.http.get(url).timeout(Duration::from_secs(2)).send().await;
        answer.is_ok_and(|response| response.status().is_success())
    }

    /// Traefik only appends; its log holds what went wrong lately, and no more.
    fn bound_log(&self) {
        let path = self.folders.log();
        if fs::metadata(&path).is_ok_and(|data| data.len() > MAX_LOG_BYTES)
            && let Err(error) = File::options().write(true).open(&path).and_then(|file| file.set_len(0))
        {
            tracing::warn!(%error, log = %path.display(), "cannot shorten Traefik's log");
        }
    }
}

/// Ends this data folder's Traefik, if one runs. Visitors are no longer served.
///
/// # Errors
/// The note of it cannot be removed.
pub async fn stop(data_dir: &Path) -> Result<(), IngressError> {
    let folders = Folders::new(data_dir);
    for note in read_note(&folders).filter(alive).into_iter().chain(orphans(&folders)) {
        end(&note, STOP_GRACE).await;
        tracing::info!(pid = note.pid, "Traefik stopped");
    }
    match fs::remove_file(folders.process()) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(IngressError::Io { path: folders.process(), source }),
        _ => Ok(()),
    }
}

async fn end(note: &Note, grace: Duration) {
    let Some(pid) = Pid::from_raw(note.pid) else { return };
    for (signal, patience) in [(Signal::TERM, grace), (Signal::KILL, Duration::from_secs(5))] {
        let since = Instant::now();
        // Looked at again before each signal: the pid may be another's by now.
        if alive(note) {
            let _ = kill_process(pid, signal);
        }
        while alive(note) && since.elapsed() < patience {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Processes with our settings file on their command line.
fn orphans(folders: &Folders) -> Vec<Note> {
    let argument = format!("--configFile={}", folders.configuration().display());
    let Some(boot) = boot() else { return Vec::new() };
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let ours = pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == argument.as_bytes())
    });
    ours.filter_map(|pid| Some(Note { pid, started: start_time(pid)?, boot: boot.clone(), settings: Sha256Digest::of(b"") })).collect()
}

fn read_note(folders: &Folders) -> Option<Note> {
    serde_json::from_slice(&durable::read(&folders.process()).ok()??).ok()
}

fn alive(note: &Note) -> bool {
    boot().as_deref() == Some(note.boot.as_str()) && start_time(note.pid) == Some(note.started)
}

/// The kernel's start time of a process that is not a zombie.
fn start_time(pid: i32) -> Option<u64> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(stat: &str) -> Option<u64> {
    // The name, in parentheses, may contain anything; fields are counted from its end.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (state != "Z").then_some(())?;
    fields.nth(18)?.parse().ok()
}

fn boot() -> Option<String> {
    Some(fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned())
}

/// Another binary under the same name is another Traefik.
fn identify(binary: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let data = fs::metadata(binary).map(|data| format!("{}:{}:{}", data.ino(), data.len(), data.mtime())).unwrap_or_default();
    format!("{}:{data}", binary.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_time_is_found_behind_any_name_and_a_zombie_has_none() {
        let stat = "12 (a) S b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21";
        assert_eq!(parse_stat(stat), Some(4711));
        assert_eq!(parse_stat(&stat.replace(") S 1", ") Z 1")), None);
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(start_time(own).is_some_and(|started| started > 0));
    }
}
