//! The agent as a whole: which parts there are, and who knows whom.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use slipway_buildpack_host::HostError;
use slipway_model::{Clock, Secret};
use slipway_protocol::DesiredProxy;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::blob::CoreBlobs;
use crate::build::{Builder, BuilderConfig};
use crate::docker::Docker;
use crate::engine::{Engine, EngineError};
use crate::images::{self, Ledger, Recording};
use crate::ingress::{self, Absent, Ingress, IngressError, Proxy, Supervisor, Traefik};
use crate::reconcile::{Reconciler, Signals};
use crate::record::{Desired, Record, RecordError};
use crate::samples::Sampler;
use crate::session::{EngineHealth, Session};
use crate::steady::Steady;
use crate::task::TaskRunner;
use crate::tasks::{self, Dispatcher, Tasks};
use crate::tls::TlsError;
use crate::{Config, Identity, IdentityError, durable, tls};

#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("this machine is no node yet: enroll it with the token that the control plane gives out")]
    NotEnrolled,
    #[error("another agent is running with the data folder {0}")]
    AlreadyRunning(PathBuf),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Ingress(#[from] IngressError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("cannot prepare to fetch files from the control plane: {0}")]
    Blobs(#[from] reqwest::Error),
    #[error("cannot prepare to run buildpacks: {0}")]
    Buildpacks(#[from] HostError),
    #[error("cannot use the agent's data folder {path}: {source}")]
    Data { path: PathBuf, source: io::Error },
    #[error("a part of the agent broke off: {0}")]
    Broken(String),
}

/// How often the engine is asked whether it is there: a silent one is reported within two of these.
const ENGINE_LOOK: Duration = Duration::from_secs(5);
const SWEEP_EVERY: Duration = Duration::from_secs(3600);
/// A source that was planned and not built within this time is not going to be.
const SOURCE_AGE: Duration = Duration::from_secs(24 * 3600);
const BUILD_CACHE_BYTES: u64 = 20 << 30;
/// How long parts may take to end.
const END_PATIENCE: Duration = Duration::from_secs(10);

/// Runs this machine's agent until `shutdown`.
///
/// Containers and the ingress go on after it: the next agent takes them over. The ingress is ended by [`stop_ingress`] alone.
///
/// # Errors
/// It cannot begin, or a part of it broke off.
pub async fn run(config: Config, clock: Arc<dyn Clock>, shutdown: CancellationToken) -> Result<(), AgentError> {
    let _lock = lock_folder(&config.data_dir)?;
    loop {
        // Which proxy serves is settled when the parts are put together. Another one is like another agent: they begin anew.
        let end = shutdown.child_token();
        let was_another_asked_for = serve(config.clone(), Arc::clone(&clock), end).await?;
        if !was_another_asked_for || shutdown.is_cancelled() {
            return Ok(());
        }
        tracing::info!("another ingress is asked for; the agent begins anew");
    }
}

/// One run of the parts. `true`: the core asks for another proxy than they know.
async fn serve(config: Config, clock: Arc<dyn Clock>, shutdown: CancellationToken) -> Result<bool, AgentError> {
    let identity = Identity::load(&config.data_dir)?.ok_or(AgentError::NotEnrolled)?;
    let record = Arc::new(Record::open(&config.data_dir)?);
    let proxy = record.watch().borrow().as_ref().and_then(|desired| desired.proxy.clone());
    let (token, token_seen) = watch::channel(None);
    let docker: Arc<dyn Engine> = Arc::new(Docker::new(&config.docker_socket, identity.node)?);
    let (ingress, supervisor, ingress_problem) = way_in(&config, proxy.as_ref())?;
    let blobs = Arc::new(CoreBlobs::new(config.core_url.clone(), tls::trusting(&identity.ca_pem)?, token_seen)?);
    let builds = BuilderConfig {
        ca_bundle: config.ca_bundle.clone(),
        buildpack_compiler: config.buildpack_compiler.clone(),
        allow_private_sources: config.allow_private_sources,
        allowed_sources: config.allowed_sources.clone(),
        concurrent_builds: tasks::BUILDS_AT_ONCE,
        ..BuilderConfig::new(&config.data_dir, &config.docker_socket)
    };
    let builder = Arc::new(Builder::new(builds, Arc::clone(&clock), blobs)?);
    let ledger = Arc::new(Ledger::open(&config.data_dir).map_err(|source| data(&config, source))?);
    let recording = Recording { builder: Arc::clone(&builder) as _, ledger: Arc::clone(&ledger), clock: Arc::clone(&clock) };
    let runner = Arc::new(Dispatcher { engine: Arc::clone(&docker), builder: Arc::new(recording) });

    let mut desired = record.watch();
    let mut parts =
        Parts { config, identity, clock: Arc::clone(&clock), record, engine: docker, ingress, ingress_problem, runner, ledger, token };
    parts.config.timing.reconcile = parts.config.timing.reconcile.max(Duration::from_millis(100));
    let (ready, mut is_ready) = watch::channel(false);
    let mut running = parts.start(ready, &shutdown)?;
    let (stop, mut known) = (shutdown.clone(), desired.clone());
    if let Some(supervisor) = supervisor {
        running.spawn(async move {
            // One that serves already goes on; one that does not must not begin before its routes are right, nor before the core has
            // said that it is this one.
            if !supervisor.is_running() {
                tokio::select! {
                    ready = async {
                        known.wait_for(Option::is_some).await.is_ok() && is_ready.wait_for(|ready| *ready).await.is_ok()
                    } => if !ready { return },
                    () = stop.cancelled() => return,
                }
            }
            supervisor.supervise(&*clock, stop).await;
        });
    }
    let stop = shutdown.clone();
    running.spawn(async move {
        while stop.run_until_cancelled(tokio::time::sleep(SWEEP_EVERY)).await.is_some() {
            builder.sweep(SOURCE_AGE, BUILD_CACHE_BYTES).await;
        }
    });
    let other = async move {
        let is_other = |desired: &Desired| desired.as_ref().is_some_and(|desired| desired.proxy != proxy);
        let is_asked_for = desired.wait_for(is_other).await.is_ok();
        if !is_asked_for {
            // The record is gone, and with it the agent.
            std::future::pending::<()>().await;
        }
    };
    let ended = until_the_end(running, shutdown.clone());
    tokio::pin!(ended, other);
    tokio::select! {
        ended = &mut ended => ended.map(|()| false),
        () = &mut other => {
            shutdown.cancel();
            ended.await.map(|()| true)
        }
    }
}

/// The ingress that the core asked for, who keeps it running, and why it cannot be run.
type WayIn = (Arc<dyn Ingress>, Option<Supervisor>, watch::Receiver<Option<String>>);

fn way_in(config: &Config, proxy: Option<&DesiredProxy>) -> Result<WayIn, AgentError> {
    let (ingress, supervisor): (Arc<dyn Ingress>, _) = match proxy {
        None => {
            let traefik = Traefik::new(&config.data_dir, &config.ingress).map_err(|source| data(config, source))?;
            (Arc::new(traefik), Supervisor::new(&config.data_dir, &config.ingress)?)
        }
        Some(proxy) => match Proxy::new(&config.data_dir, &config.ingress, proxy) {
            Ok(ingress) => (Arc::new(ingress), Supervisor::of_proxy(&config.data_dir, &config.ingress, proxy)?),
            Err(IngressError::NoProxy(problem)) => {
                tracing::error!(problem, "visitors cannot be served");
                let known = watch::channel(Some(problem.clone())).1;
                return Ok((Arc::new(Absent(problem)), None, known));
            }
            Err(error) => return Err(error.into()),
        },
    };
    let problem = supervisor.problem();
    Ok((ingress, Some(supervisor), problem))
}

/// Ends the ingress that [`run`] left running. Visitors are no longer served.
///
/// # Errors
/// Its note cannot be removed.
pub async fn stop_ingress(config: &Config) -> Result<(), IngressError> {
    ingress::stop(&config.data_dir).await
}

/// What an agent is put together from; the pretend one of [`crate::sim`] has other parts.
pub(crate) struct Parts {
    pub config: Config,
    pub identity: Identity,
    pub clock: Arc<dyn Clock>,
    pub record: Arc<Record>,
    pub engine: Arc<dyn Engine>,
    pub ingress: Arc<dyn Ingress>,
    /// Why it cannot be run.
    pub ingress_problem: watch::Receiver<Option<String>>,
    pub runner: Arc<dyn TaskRunner>,
    pub ledger: Arc<Ledger>,
    pub token: watch::Sender<Option<Secret>>,
}

impl Parts {
    /// Starts the session, the reconciler and the watch over the engine.
    pub fn start(self, ready: watch::Sender<bool>, shutdown: &CancellationToken) -> Result<JoinSet<()>, AgentError> {
        let record = self.record;
        let tasks = Tasks::open(&self.config.data_dir, Arc::clone(&self.clock), self.runner, shutdown.clone())
            .map_err(|source| data(&self.config, source))?;
        let (observed, observed_seen) = watch::channel(None);
        let (containers, containers_seen) = watch::channel(0);
        let (health, health_seen) = watch::channel(EngineHealth::default());
        let (samples, samples_seen) = watch::channel(None);
        let sampler = Sampler {
            engine: Arc::clone(&self.engine),
            ingress: Arc::clone(&self.ingress),
            observed: observed_seen.clone(),
            clock: Arc::clone(&self.clock),
            data_dir: self.config.data_dir.clone(),
            every: self.config.timing.sample.max(Duration::from_millis(100)),
            samples,
        };
        let reconciler = Reconciler::new(
            Arc::clone(&self.engine),
            self.ingress,
            Arc::clone(&record),
            Steady::new(&*self.clock),
            self.config.timing.reconcile,
            Signals { observed, containers, ready, tasks: tasks.containers(), ingress_problem: self.ingress_problem },
        )?;
        let sweep = images::sweep(Arc::clone(&self.engine), self.ledger, record.watch(), Arc::clone(&self.clock), shutdown.clone());
        let session = Session {
            tls: Arc::new(tls::trusting(&self.identity.ca_pem)?),
            config: self.config,
            identity: std::sync::Mutex::new(self.identity),
            clock: self.clock,
            record,
            tasks,
            engine: Arc::clone(&self.engine),
            engine_health: health_seen,
            containers: containers_seen,
            observed: observed_seen,
            samples: samples_seen,
            token: self.token,
        };
        let mut running = JoinSet::new();
        running.spawn(watch_engine(self.engine, health, shutdown.clone()));
        running.spawn(reconciler.run(shutdown.clone()));
        running.spawn(session.run(shutdown.clone()));
        running.spawn(sweep);
        running.spawn(sampler.run(shutdown.clone()));
        Ok(running)
    }
}

/// Waits for `shutdown`, then for the parts. A part that ends before breaks the agent off: half an agent is worse than a restart.
pub(crate) async fn until_the_end(mut running: JoinSet<()>, shutdown: CancellationToken) -> Result<(), AgentError> {
    let broken = tokio::select! {
        () = shutdown.cancelled() => None,
        ended = running.join_next() => Some(match ended {
            Some(Err(error)) => error.to_string(),
            Some(Ok(())) | None => "it ended by itself".to_owned(),
        }),
    };
    let was_asked = shutdown.is_cancelled();
    shutdown.cancel();
    let ending = async { while running.join_next().await.is_some() {} };
    if tokio::time::timeout(END_PATIENCE, ending).await.is_err() {
        tracing::warn!("parts of the agent did not end in time and are dropped");
    }
    match broken {
        Some(reason) if !was_asked => Err(AgentError::Broken(reason)),
        _ => Ok(()),
    }
}

async fn watch_engine(engine: Arc<dyn Engine>, health: watch::Sender<EngineHealth>, shutdown: CancellationToken) {
    loop {
        let current = match engine.ping().await {
            Ok(facts) => EngineHealth { answers: true, facts },
            Err(error) => {
                if health.borrow().answers {
                    tracing::error!(%error, "the container engine does not answer");
                }
                EngineHealth { answers: false, facts: health.borrow().facts.clone() }
            }
        };
        health.send_if_modified(|known| {
            let differs = *known != current;
            *known = current;
            differs
        });
        if shutdown.run_until_cancelled(tokio::time::sleep(ENGINE_LOOK)).await.is_none() {
            return;
        }
    }
}

/// Two agents on one data folder would undo each other's work.
pub(crate) fn lock_folder(data_dir: &Path) -> Result<File, AgentError> {
    let unusable = |source| AgentError::Data { path: data_dir.to_owned(), source };
    let file = durable::private_folder(data_dir).and_then(|()| File::create(data_dir.join("agent.lock"))).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AgentError::AlreadyRunning(data_dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

pub(crate) fn data(config: &Config, source: io::Error) -> AgentError {
    AgentError::Data { path: config.data_dir.clone(), source }
}
