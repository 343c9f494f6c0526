//! Starting and stopping a control plane.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use slipway_model::{Clock, Secret, system_clock};
use slipway_plugin_host::{OpenError, Options as PluginOptions, PluginHost, Trusted, shipped};
use slipway_store::{Db, Engine, Keyring, StoreError, crypt::CryptError, operations as queue, platform_secrets};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    Config, Parts, Platform,
    application_logs::Feeds,
    auth::Sights,
    billing::cycle,
    changes::Changes,
    crash::CrashPoints,
    fleet::{self, AgentListener, Fleet, ListenError},
    housekeeping, http,
    install::Installer,
    metrics::{self, Metrics},
    operations::{self, Wake},
    plugins, seed,
    tls::{Authority, TlsError},
};

const KEY_FILE: &str = "secret.key";
const CA_KEY: &str = "agent-ca-key";
const CA_CERTIFICATE: &str = "agent-ca-certificate";
/// How long requests under way may take when it stops.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the data directory {path} cannot be made: {cause}")]
    DataDirectory { path: String, cause: std::io::Error },
    #[error("the database cannot be used: {0}")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keys(#[from] CryptError),
    #[error("the plugins cannot be loaded: {0}")]
    Plugins(#[from] OpenError),
    #[error("the list of the plugins that came with the platform, in {path}, cannot be read: {cause}")]
    ShippedPlugins { path: String, cause: std::io::Error },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Agents(#[from] ListenError),
    #[error("the public listener cannot listen on {address}: {cause}")]
    Listen { address: SocketAddr, cause: std::io::Error },
    #[error("the platform cannot be prepared: {0}")]
    Prepare(crate::Error),
}

/// What a test chooses, beside the configuration.
#[derive(Debug, Clone)]
pub struct Setting {
    pub clock: Arc<dyn Clock>,
    pub crash: CrashPoints,
}

impl Setting {
    /// The machine's clock; crash points by the environment, in development.
    #[must_use]
    pub fn usual(config: &Config) -> Self {
        let crash = if config.development { CrashPoints::from_environment() } else { CrashPoints::default() };
        Self { clock: system_clock(), crash }
    }
}

/// A control plane at work. Dropping it ends it at once, as a crash would; [`Core::shutdown`] ends it in good order.
#[derive(Debug)]
pub struct Core {
    platform: Platform,
    address: SocketAddr,
    agent_address: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// Starts a control plane: opens everything, then serves.
///
/// # Errors
/// What cannot be opened, with what to look at.
pub async fn start(config: Config) -> Result<Core, StartError> {
    let setting = Setting::usual(&config);
    start_in(config, setting).await
}

/// As [`start`], with the clock and the crash points of a test.
///
/// # Errors
/// As [`start`].
pub async fn start_in(config: Config, setting: Setting) -> Result<Core, StartError> {
    let platform = open(config, setting).await?;
    seed::run(&platform).await.map_err(StartError::Prepare)?;
    if platform.db.engine() == Engine::Sqlite {
        // There is one process at a time on such a database: what the last one held need not wait for its lease.
        let mut tx = platform.db.begin().await?;
        queue::release_leases(&mut tx).await?;
        tx.commit().await?;
    }

    let agents = AgentListener::bind(&platform)?;
    let agent_address = agents.address();
    let address = platform.config.listen;
    let failed = |cause| StartError::Listen { address, cause };
    let socket = http::listen(address).map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;

    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(operations::run(platform.clone(), stop.clone()));
    tasks.spawn(fleet::watch_for_silence(platform.clone(), stop.clone()));
    tasks.spawn(cycle::run(platform.clone(), stop.clone()));
    tasks.spawn(metrics::run(platform.clone(), stop.clone()));
    tasks.spawn(housekeeping::run(platform.clone(), stop.clone()));
    tasks.spawn(plugins::watch_quarantines(platform.clone(), stop.clone()));
    tasks.spawn(plugins::follow(platform.clone(), stop.clone()));
    tasks.spawn(serve_agents(platform.clone(), agents, stop.clone()));
    tasks.spawn(serve_public(platform.clone(), socket, stop.clone()));
    tracing::info!(%address, agents = %agent_address, "control plane started");
    Ok(Core { platform, address, agent_address, stop, tasks })
}

async fn open(config: Config, setting: Setting) -> Result<Platform, StartError> {
    let Setting { clock, crash } = setting;
    let uploads = config.data_dir.join("uploads");
    std::fs::create_dir_all(&uploads).map_err(|cause| StartError::DataDirectory { path: uploads.display().to_string(), cause })?;
    let keys = Arc::new(Keyring::open_or_create(&config.data_dir.join(KEY_FILE), &*clock)?);
    let db = Db::connect(&config.database_url).await?;
    let authority = authority(&db, &keys, &*clock).await?;
    let plugins = PluginHost::open(&config.plugins_dir, plugin_options(&config)?).await?;
    let started_at = clock.now();
    Ok(Platform::new(Parts {
        db,
        clock,
        keys,
        plugins: Arc::new(plugins),
        fleet: Arc::new(Fleet::new(authority)),
        changes: Changes::default(),
        sights: Sights::default(),
        logs: Feeds::default(),
        wake: Wake::default(),
        metrics: Metrics::default(),
        installer: Installer::default(),
        config,
        crash,
        started_at,
    }))
}

fn plugin_options(config: &Config) -> Result<PluginOptions, StartError> {
    let unreadable = |cause| StartError::ShippedPlugins { path: config.plugins_dir.display().to_string(), cause };
    Ok(PluginOptions {
        trusted: Trusted::Those(shipped(&config.plugins_dir).map_err(unreadable)?),
        program: Some(config.program.clone()),
        compiled: Some(config.data_dir.join("plugins/.compiled")),
        ..PluginOptions::default()
    })
}

/// The agents' authority: made once, and the same from then on. Of two processes that start at once, both end with one.
async fn authority(db: &Db, keys: &Keyring, clock: &dyn Clock) -> Result<Authority, StartError> {
    let now = clock.now();
    let mut tx = db.begin().await?;
    let kept = platform_secrets::find(&mut tx, keys, CA_KEY).await?.zip(platform_secrets::find(&mut tx, keys, CA_CERTIFICATE).await?);
    let authority = match kept {
        Some((key, certificate)) => Authority::restore(certificate.expose().to_owned(), key)?,
        None => {
            let made = Authority::create(now)?;
            let key = platform_secrets::find_or_insert(&mut tx, keys, CA_KEY, made.key_pem(), now).await?;
            let certificate = Secret::new(made.certificate_pem());
            let certificate = platform_secrets::find_or_insert(&mut tx, keys, CA_CERTIFICATE, &certificate, now).await?;
            Authority::restore(certificate.expose().to_owned(), key)?
        }
    };
    tx.commit().await?;
    Ok(authority)
}

async fn serve_agents(p: Platform, listener: AgentListener, stop: CancellationToken) {
    let handle = axum_server::Handle::new();
    let serving = listener.serve(p.clone(), handle.clone());
    tokio::pin!(serving);
    let served = tokio::select! {
        served = &mut serving => served,
        () = stop.cancelled() => {
            p.fleet.disconnect_all();
            handle.graceful_shutdown(Some(SHUTDOWN_PATIENCE));
            serving.await
        }
    };
    if let Err(error) = served {
        tracing::error!(%error, "the agents' listener ended");
    }
}

async fn serve_public(p: Platform, listener: std::net::TcpListener, stop: CancellationToken) {
    let handle = axum_server::Handle::new();
    let serving = http::serve(p, listener, handle.clone());
    tokio::pin!(serving);
    let served = tokio::select! {
        served = &mut serving => served,
        () = stop.cancelled() => {
            handle.graceful_shutdown(Some(SHUTDOWN_PATIENCE));
            serving.await
        }
    };
    if let Err(error) = served {
        tracing::error!(%error, "the public listener ended");
    }
}

impl Core {
    #[must_use]
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Of the public listener.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Of the agents' listener.
    #[must_use]
    pub fn agent_address(&self) -> SocketAddr {
        self.agent_address
    }

    /// Stops taking work, finishes what is under way, and closes the database.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.platform.db.close().await;
        tracing::info!("control plane stopped");
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.platform.fleet.disconnect_all();
    }
}
