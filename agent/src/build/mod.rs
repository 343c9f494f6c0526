//! Sources into images: the tasks that plan, build and pull.
//!
//! Nothing a customer gives is run by the agent itself. Sources are fetched by argument lists and unpacked beneath one directory,
//! buildpacks run in the WebAssembly sandbox, and commands run where the engine builds. What cannot be limited by Docker's API is
//! limited from outside: see [`ceiling`] and [`disk_guard`].

mod ceiling;
mod context;
mod disk_guard;
mod failure;
mod git;
mod image;
mod log;
mod plan;
mod progress;
mod pull;
mod remote_add;
mod scrub;
mod source;
mod workspace;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use slipway_buildpack_host::{Buildpack, Host, HostError};
use slipway_model::{Clock, Secret, Sha256Digest};
use slipway_outbound::Policy;
use slipway_protocol::{BuildLimits, Outcome, Task, TaskEventKind, TaskFailure, TaskSpec};
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::{blob::BlobSource, docker::buildkit::BuildEngine, task::TaskRunner};
use log::TaskLog;
pub use slipway_unpack as unpack;
use unpack::UnpackLimits;
use workspace::Workspace;

#[derive(Debug, Clone)]
pub struct BuilderConfig {
    /// The agent's folder: `builds/`, `blobs/` and `buildpacks/` below it belong to the builder.
    pub data_dir: PathBuf,
    pub docker_socket: PathBuf,
    /// Further certificate authorities, for builds and for fetching sources: a PEM file.
    pub ca_bundle: Option<PathBuf>,
    /// The `slipway` binary, where buildpacks are to be compiled in a process of their own.
    pub buildpack_compiler: Option<PathBuf>,
    /// Also fetches sources from addresses that are not on the public internet, and lets Dockerfiles have the engine fetch from anywhere.
    pub allow_private_sources: bool,
    /// Otherwise, where sources may be fetched from besides the public internet.
    pub allowed_sources: Policy,
    /// Builds at one time; others wait.
    pub concurrent_builds: usize,
    /// Longest time to fetch a source.
    pub fetch_time: Duration,
    /// Disk space that builds leave free.
    pub reserve_bytes: u64,
    pub unpack: UnpackLimits,
}

impl BuilderConfig {
    #[must_use]
    pub fn new(data_dir: &Path, docker_socket: &Path) -> Self {
        Self {
            data_dir: data_dir.to_owned(),
            docker_socket: docker_socket.to_owned(),
            ca_bundle: None,
            buildpack_compiler: None,
            allow_private_sources: false,
            allowed_sources: Policy::public(),
            concurrent_builds: 1,
            fetch_time: Duration::from_secs(5 * 60),
            reserve_bytes: 1 << 30,
            unpack: UnpackLimits::default(),
        }
    }

    fn git_limits(&self) -> git::GitLimits {
        git::GitLimits {
            time: self.fetch_time,
            bytes: self.unpack.total_bytes,
            files: self.unpack.entries,
            policy: if self.allow_private_sources { Policy::anywhere() } else { self.allowed_sources.clone() },
            ca_bundle: self.ca_bundle.clone(),
        }
    }
}

/// Carries out [`TaskSpec::Plan`], [`TaskSpec::Build`] and [`TaskSpec::Pull`].
pub struct Builder {
    config: BuilderConfig,
    clock: Arc<dyn Clock>,
    blobs: Arc<dyn BlobSource>,
    engine: BuildEngine,
    host: Host,
    /// Buildpacks that are loaded. There are a handful, and their compiled code is shared.
    buildpacks: Mutex<HashMap<(String, Sha256Digest), Buildpack>>,
    slots: Semaphore,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Builder {
    /// # Errors
    /// The buildpack sandbox cannot be set up in the data directory.
    pub fn new(config: BuilderConfig, clock: Arc<dyn Clock>, blobs: Arc<dyn BlobSource>) -> Result<Self, HostError> {
        let mut host = Host::new(config.data_dir.join("buildpacks"))?;
        if let Some(program) = &config.buildpack_compiler {
            host = host.compiling_with(program);
        }
        let engine = BuildEngine::new(&config.docker_socket);
        let slots = Semaphore::new(config.concurrent_builds.max(1));
        Ok(Self { config, clock, blobs, engine, host, buildpacks: Mutex::default(), slots })
    }

    /// Removes sources whose build never came, and the oldest of the build cache beyond `cache_bytes`. To be called now and then.
    pub async fn sweep(&self, age: Duration, cache_bytes: u64) {
        let (data_dir, now) = (self.config.data_dir.clone(), self.clock.now());
        match tokio::task::spawn_blocking(move || workspace::sweep(&data_dir, now, age)).await {
            Ok(Ok(removed)) => tracing::debug!(removed, "swept old sources"),
            Ok(Err(error)) => tracing::warn!(%error, "cannot sweep old sources"),
            Err(error) => tracing::warn!(%error, "sweeping stopped"),
        }
        match self.engine.prune_cache(cache_bytes).await {
            Ok(freed) => tracing::debug!(freed, "pruned the build cache"),
            Err(error) => tracing::warn!(%error, "cannot prune the build cache"),
        }
    }

    async fn carry_out(&self, task: &Task, events: mpsc::Sender<TaskEventKind>) -> Outcome {
        const NONE: [&Secret; 0] = [];
        let usual = BuildLimits::default().log_bytes;
        match &task.spec {
            TaskSpec::Plan(spec) => {
                let mut log = TaskLog::new(events, usual, NONE);
                self.plan(task, spec, &mut log).await
            }
            TaskSpec::Build(spec) => {
                let mut log = TaskLog::new(events, spec.limits.log_bytes, spec.secrets.values());
                self.build(task, spec, &mut log).await
            }
            TaskSpec::Pull(spec) => {
                let mut log = TaskLog::new(events, usual, NONE);
                self.pull(spec, &mut log).await
            }
            TaskSpec::Run(_) => Outcome::Failed(TaskFailure::new("NODE_FAULT", "the builder was given a task that is not its own")),
        }
    }

    /// What was broken off leaves no source behind.
    async fn give_up(&self, task: &Task, outcome: Outcome) -> Outcome {
        source::remove(&Workspace::of(&self.config.data_dir, task.deployment)).await;
        outcome
    }
}

impl TaskRunner for Builder {
    fn run<'a>(&'a self, task: &'a Task, events: mpsc::Sender<TaskEventKind>, cancel: CancellationToken) -> BoxFuture<'a, Outcome> {
        async move {
            let left = (task.deadline - self.clock.now()).to_std().unwrap_or_default();
            // Dropping the work ends the programs, connections and threads that it started.
            tokio::select! {
                biased;
                () = cancel.cancelled() => self.give_up(task, Outcome::Canceled).await,
                outcome = tokio::time::timeout(left, self.carry_out(task, events)) => match outcome {
                    Ok(outcome) => outcome,
                    Err(_) => {
                        let failure = TaskFailure::new("BUILD_TIMED_OUT", "the deployment's time was up before this was done").fix("Deploy again.");
                        self.give_up(task, Outcome::Failed(failure)).await
                    }
                },
            }
        }
        .boxed()
    }
}
