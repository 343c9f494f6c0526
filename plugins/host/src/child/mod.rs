//! A plugin in a process of its own: started when it is needed, and started again when it has ended.

mod confine;
mod frames;
pub(crate) mod inside;
mod limits;
mod process;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use sha2::{Digest, Sha256};
use slipway_plugin_abi::status;
use tokio::time::{Instant, timeout, timeout_at};

use self::{
    frames::Begin,
    process::{Lost, Process},
};
use crate::{LoadError, Misconduct, discovery::read_approved, library::RawReply, plugin::Unanswered, runner::loaded};

pub use limits::Limits;

/// Users of plugins' processes are numbered from here, where no system gives out numbers.
const FIRST_USER: u32 = 0x7000_0000;

#[derive(Debug)]
pub(crate) struct Native {
    program: PathBuf,
    library: PathBuf,
    /// Of the library that was approved: no other is ever started.
    sha256: String,
    begin: Begin,
    load_deadline: Duration,
    run: tokio::sync::Mutex<Run>,
    /// The settings in force, as a request, which a new process is given before anything else.
    settings: Mutex<Option<Arc<[u8]>>>,
    starts: AtomicU64,
    message_version: AtomicU32,
}

#[derive(Debug, Default)]
struct Run {
    process: Option<Arc<Process>>,
    /// Ends in a row, without an answer in between.
    failures: u32,
    not_before: Option<Instant>,
}

/// What a native plugin is started from.
#[derive(Debug)]
pub(crate) struct Origin<'a> {
    pub program: &'a Path,
    pub id: &'a str,
    pub library: PathBuf,
    pub sha256: &'a str,
    pub manifest_versions: [u32; 2],
    pub limits: Limits,
    pub load_deadline: Duration,
}

impl Native {
    /// Starts it once, to see that it can be.
    pub async fn open(origin: Origin<'_>) -> Result<Self, LoadError> {
        let Origin { program, id, library, sha256, manifest_versions, limits, load_deadline } = origin;
        let native = Self {
            program: program.to_owned(),
            library,
            sha256: sha256.to_owned(),
            begin: Begin { library_bytes: 0, manifest_versions, limits, user: user(id) },
            load_deadline,
            run: tokio::sync::Mutex::default(),
            settings: Mutex::default(),
            starts: AtomicU64::new(0),
            message_version: AtomicU32::new(0),
        };
        let process = native.start().await?;
        native.message_version.store(process.message_version, Relaxed);
        native.run.lock().await.process = Some(Arc::new(process));
        Ok(native)
    }

    /// Times that it was started again.
    pub fn restarts(&self) -> u64 {
        self.starts.load(Relaxed).saturating_sub(1)
    }

    /// The same library speaks the same version each time.
    pub fn message_version(&self) -> u32 {
        self.message_version.load(Relaxed)
    }

    /// Settings that the plugin has accepted.
    pub fn keep_settings(&self, request: Arc<[u8]>) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = Some(request);
    }

    /// Ends its process. The next call starts one.
    pub async fn stop(&self) {
        self.run.lock().await.process = None;
    }

    pub async fn call(&self, request: &[u8], deadline: Duration) -> Result<RawReply, Unanswered> {
        let until = Instant::now() + deadline;
        let overran = || Unanswered::Misconduct(Misconduct::Overran(deadline));
        let process = match timeout_at(until, self.running()).await {
            Ok(running) => running?,
            Err(_) => return Err(Unanswered::NotMade("its process has not started in time".into())),
        };
        match timeout_at(until, process.call(request)).await {
            Ok(Ok(reply)) => {
                let mut run = self.run.lock().await;
                run.failures = 0;
                Ok(reply)
            }
            Ok(Err(Lost::Ended(how))) => {
                self.failed(&process).await;
                Err(Misconduct::Ended(how).into())
            }
            Ok(Err(Lost::EndedBeside(how))) => Err(Unanswered::NotMade(format!("its process {how} while it answered another call"))),
            Err(_) => {
                process.kill();
                self.failed(&process).await;
                Err(overran())
            }
        }
    }

    /// Counts the end of a process.
    async fn failed(&self, ended: &Arc<Process>) {
        let mut run = self.run.lock().await;
        if run.process.as_ref().is_some_and(|process| Arc::ptr_eq(process, ended)) {
            run.rest();
        }
    }

    async fn running(&self) -> Result<Arc<Process>, Unanswered> {
        let mut run = self.run.lock().await;
        if let Some(process) = run.process.as_ref().filter(|process| process.is_running()) {
            return Ok(Arc::clone(process));
        }
        if run.process.is_some() {
            // It ended while nobody asked it anything.
            run.rest();
        }
        if let Some(left) = run.not_before.and_then(|then| then.checked_duration_since(Instant::now())) {
            let left = left.as_secs_f32();
            return Err(Unanswered::NotMade(format!(
                "its process has ended {} times in a row; it is started again in {left:.1} s",
                run.failures
            )));
        }
        match self.start_configured().await {
            Ok(process) => {
                let process = Arc::new(process);
                run.process = Some(Arc::clone(&process));
                Ok(process)
            }
            Err(error) => {
                run.rest();
                Err(error)
            }
        }
    }

    async fn start_configured(&self) -> Result<Process, Unanswered> {
        let process = self.start().await.map_err(|error| Unanswered::NotMade(error.to_string()))?;
        let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(settings) = settings {
            match process.call(&settings).await {
                Ok(RawReply { status: status::OK, bytes: Ok(_) }) => {}
                Ok(_) => return Err(Unanswered::NotMade("it no longer takes the settings that it had taken before".into())),
                Err(Lost::Ended(how) | Lost::EndedBeside(how)) => return Err(Misconduct::Ended(how).into()),
            }
        }
        Ok(process)
    }

    async fn start(&self) -> Result<Process, LoadError> {
        let (path, sha256) = (self.library.clone(), self.sha256.clone());
        let library = loaded(self.load_deadline, move || read_approved(&path, &sha256)).await?;
        let begin = Begin { library_bytes: library.len() as u64, ..self.begin };
        self.starts.fetch_add(1, Relaxed);
        let started = timeout(self.load_deadline, Process::start(&self.program, &begin, &library)).await;
        match started {
            Ok(Ok(Ok(process))) => Ok(process),
            Ok(Ok(Err(reason))) => Err(LoadError::NotStarted(reason)),
            Ok(Err(error)) => Err(LoadError::Stopped(format!("{} cannot be run: {error}", self.program.display()))),
            Err(_) => Err(LoadError::Overran(self.load_deadline)),
        }
    }
}

impl Run {
    fn rest(&mut self) {
        self.process = None;
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(Instant::now() + limits::rest(self.failures));
    }
}

/// A user for each plugin: its threads are counted by themselves, and it has no power over the processes of others.
fn user(id: &str) -> u32 {
    let digest = Sha256::digest(id.as_bytes());
    FIRST_USER + (u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]) & 0x0fff_ffff)
}
