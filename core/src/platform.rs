//! What every rule needs at hand: the database, the clock, the keys, the plugins, the connected agents and the configuration.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::Deref,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use slipway_model::{Clock, Currency, Hostname, Timestamp};
use slipway_plugin_host::PluginHost;
use slipway_store::{Db, Keyring};
use url::Url;

use crate::{
    application_logs::Feeds, auth::Sights, billing, changes::Changes, crash::CrashPoints, fleet::Fleet, install::Installer,
    metrics::Metrics, operations::Wake,
};

/// How this control plane is set up. Read once, at the start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Holds uploads, the key file and, with SQLite, the database.
    pub data_dir: PathBuf,
    /// Of the public API.
    pub listen: SocketAddr,
    /// Of the agents' TLS listener. Port 0 takes any free one.
    pub agent_listen: SocketAddr,
    /// Names and addresses by which agents reach that listener: they go into its certificate.
    pub agent_hosts: Vec<String>,
    /// Where people reach the API.
    pub public_url: Url,
    /// An application's system domain is `slug.platform_domain`.
    pub platform_domain: Hostname,
    /// Shown in URLs of applications where visitors do not come in by the scheme's own port.
    pub ingress_port: Option<u16>,
    /// Of all money on this platform.
    pub currency: Currency,
    /// Whether anybody pays on this platform.
    pub billing: billing::Settings,
    /// `sqlite://path` or `postgres://…`.
    pub database_url: String,
    pub plugins_dir: PathBuf,
    /// The `slipway` binary, which also is the process of each plugin that did not come with the platform.
    pub program: PathBuf,
    /// What one token, or one address without any, may ask of the API.
    pub points_per_minute: u32,
    /// For a query or mutation of the API to answer.
    pub answer_within: Duration,
    /// Proxies in front of the public API: what they say of whom they were called by is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Enables what a person or a test at their own machine needs, such as crash points.
    pub development: bool,
}

impl Config {
    /// Of [`Config::points_per_minute`], unless somebody chose another number.
    pub const USUAL_POINTS_PER_MINUTE: u32 = 2_000;
    /// Of [`Config::answer_within`]. What takes longer is an operation.
    pub const USUAL_ANSWER_WITHIN: Duration = Duration::from_secs(10);
}

/// Cheap to clone; every clone is the same platform.
#[derive(Clone)]
pub struct Platform(Arc<Parts>);

pub struct Parts {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub keys: Arc<Keyring>,
    pub plugins: Arc<PluginHost>,
    pub fleet: Arc<Fleet>,
    pub changes: Changes,
    pub sights: Sights,
    /// What applications write, to those who follow it.
    pub logs: Feeds,
    pub wake: Wake,
    pub metrics: Metrics,
    pub installer: Installer,
    pub config: Config,
    pub crash: CrashPoints,
    /// When this process began to listen to agents: silence from before it says nothing about a node.
    pub started_at: Timestamp,
}

impl Platform {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Deref for Platform {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform").field("config", &self.config).finish_non_exhaustive()
    }
}
