//! What the agent is told when it is started.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Config {
    /// Everything the agent keeps: its identity, its record of what is desired, task journals, build work and the ingress's files.
    pub data_dir: PathBuf,
    /// The core's agent listener, `https://host:port`.
    pub core_url: url::Url,
    pub docker_socket: PathBuf,
    pub ingress: IngressConfig,
    /// What the node calls itself when it enrolls.
    pub node_name: String,
    /// PEM file with further certificate authorities that builds are to trust.
    pub ca_bundle: Option<PathBuf>,
    /// The `slipway` binary, where buildpacks are to be compiled in a process of their own.
    pub buildpack_compiler: Option<PathBuf>,
    /// Whether sources may be fetched from addresses that are not on the public internet.
    pub allow_private_sources: bool,
    /// Networks that sources may be fetched from besides the public internet.
    pub allowed_sources: slipway_outbound::Policy,
    /// Address at which visitors reach the node's ingress.
    pub public_address: Option<String>,
    pub timing: Timing,
}

#[derive(Debug, Clone)]
pub struct IngressConfig {
    pub traefik_binary: PathBuf,
    /// Where visitors come in over HTTP.
    pub web_address: SocketAddr,
    /// Where visitors come in over TLS.
    pub websecure: Option<SocketAddr>,
    /// API, ping and metrics; must be a loopback address.
    pub internal_address: SocketAddr,
    /// Other proxies that the core may ask for, by name, and the program that each one is.
    pub proxies: BTreeMap<String, PathBuf>,
}

/// How often things happen. Tests make them quicker.
#[derive(Debug, Clone)]
pub struct Timing {
    pub heartbeat: Duration,
    /// First and longest wait before another attempt to reach the core.
    pub reconnect: (Duration, Duration),
    /// How long a task event may stay without acknowledgement before it is sent again on the same connection.
    pub resend: Duration,
    /// How long after a session's start the core may take to name every task that it still wants.
    pub settle: Duration,
    /// How often the machine is compared with what is desired even if nothing seems to have changed.
    pub reconcile: Duration,
    /// How often it is looked at what is used.
    pub sample: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(slipway_protocol::HEARTBEAT_SECONDS),
            reconnect: (Duration::from_millis(500), Duration::from_secs(30)),
            resend: Duration::from_secs(10),
            settle: Duration::from_secs(30),
            reconcile: Duration::from_secs(5),
            sample: Duration::from_secs(slipway_protocol::SAMPLE_SECONDS),
        }
    }
}
