use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use slipway_agent::{Config, IngressConfig, Timing};
use slipway_model::{Secret, system_clock};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::exit::Failure;
use crate::{logging, shutdown};

#[derive(Subcommand)]
pub enum Agent {
    /// Join this machine to a control plane, with a token from `slipway node invite`.
    Enroll {
        #[command(flatten)]
        machine: Machine,
        /// The token; read from standard input when left out.
        #[arg(long, env = "SLIPWAY_JOIN_TOKEN", hide_env_values = true)]
        token: Option<String>,
    },
    /// Run the agent of an enrolled machine.
    Run {
        #[command(flatten)]
        machine: Machine,
    },
    /// Stop the ingress that the agent left running, and remove every container and network that it made.
    Purge {
        /// Folder of the agent's identity and record.
        #[arg(long, default_value = "/var/lib/slipway-agent", env = "SLIPWAY_AGENT_DATA")]
        data: PathBuf,
        /// Docker's socket.
        #[arg(long, default_value = "/var/run/docker.sock")]
        docker: PathBuf,
    },
}

/// What an agent is told about its machine and its core.
#[derive(Args)]
pub struct Machine {
    /// Folder for the agent's identity and record.
    #[arg(long, default_value = "/var/lib/slipway-agent", env = "SLIPWAY_AGENT_DATA")]
    data: PathBuf,
    /// Address of the control plane's agent listener.
    #[arg(long, default_value = "https://127.0.0.1:7767")]
    core: Url,
    /// What this machine is called [default: its host name].
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    ingress: Ingress,
}

/// How visitors reach this machine, and what builds need.
#[derive(Args)]
pub struct Ingress {
    /// Address for visitors.
    #[arg(long, default_value = "0.0.0.0:80")]
    pub ingress: SocketAddr,
    /// Loopback address of Traefik's own API.
    #[arg(long, default_value = "127.0.0.1:7768")]
    pub ingress_internal: SocketAddr,
    /// Traefik's binary [default: $SLIPWAY_TRAEFIK, then beside this binary, then in PATH, then in the set-up's cache].
    #[arg(long, env = "SLIPWAY_TRAEFIK", hide_env_values = true)]
    pub traefik: Option<PathBuf>,
    /// A proxy that an ingress plugin may have this machine run in Traefik's place, such as nginx=/usr/sbin/nginx; may be given several
    /// times.
    #[arg(long = "proxy", value_name = "NAME=PATH", env = "SLIPWAY_PROXY", value_delimiter = ',', value_parser = proxy)]
    pub proxies: Vec<(String, PathBuf)>,
    /// Docker's socket.
    #[arg(long, default_value = "/var/run/docker.sock")]
    pub docker: PathBuf,
    /// Certificates that builds trust besides their image's own, for networks that inspect TLS [default: $SSL_CERT_FILE].
    #[arg(long, env = "SLIPWAY_BUILD_CA")]
    pub build_ca: Option<PathBuf>,
    /// Let builds fetch Git repositories from addresses that are not on the public internet.
    #[arg(long)]
    pub allow_private_sources: bool,
    /// Networks that builds may fetch Git repositories from besides the public internet, such as 10.1.0.0/16, with commas between them.
    #[arg(long, default_value = "", hide_default_value = true, env = "SLIPWAY_ALLOWED_SOURCES")]
    pub allowed_sources: slipway_agent::SourcePolicy,
}

impl Ingress {
    pub fn into_config(self, data_dir: PathBuf, core_url: Url, name: Option<String>) -> Result<Config> {
        std::fs::create_dir_all(&data_dir).with_context(|| format!("{} cannot be made", data_dir.display()))?;
        let traefik_binary = match traefik(self.traefik) {
            Ok(path) => path,
            // A machine with another proxy can do without, as long as nobody asks for it.
            Err(_) if !self.proxies.is_empty() => PathBuf::from("traefik"),
            Err(error) => return Err(error),
        };
        Ok(Config {
            data_dir: data_dir.canonicalize()?,
            core_url,
            docker_socket: self.docker,
            ingress: IngressConfig {
                traefik_binary,
                web_address: self.ingress,
                websecure: None,
                internal_address: self.ingress_internal,
                proxies: self.proxies.into_iter().collect(),
            },
            node_name: name.unwrap_or_else(host_name),
            buildpack_compiler: std::env::current_exe().ok(),
            ca_bundle: self.build_ca.or_else(|| std::env::var_os("SSL_CERT_FILE").map(PathBuf::from)).filter(|path| path.is_file()),
            allow_private_sources: self.allow_private_sources,
            allowed_sources: self.allowed_sources,
            public_address: None,
            timing: Timing::default(),
        })
    }
}

impl Machine {
    fn into_config(self) -> Result<Config> {
        self.ingress.into_config(self.data, self.core, self.name)
    }
}

impl Agent {
    pub async fn run(self) -> Result<ExitCode> {
        logging::start();
        let clock = system_clock();
        match self {
            Self::Enroll { machine, token } => {
                let token = match token {
                    Some(token) => token,
                    None => std::io::read_to_string(std::io::stdin())?,
                };
                let identity = slipway_agent::enroll(&machine.into_config()?, &Secret::new(token.trim()), &*clock).await?;
                println!("Enrolled as {}", identity.node);
            }
            Self::Run { machine } => {
                let shutdown = CancellationToken::new();
                let agent = slipway_agent::run(machine.into_config()?, clock, shutdown.clone());
                tokio::pin!(agent);
                tokio::select! {
                    ended = &mut agent => ended?,
                    signal = shutdown::requested() => {
                        signal?;
                        shutdown.cancel();
                        agent.await?;
                    }
                }
            }
            Self::Purge { data, docker } => {
                let purged = slipway_agent::purge(&data, &docker).await?;
                println!("{} containers removed", purged.containers);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// `NAME=PATH`.
fn proxy(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or_else(|| "say NAME=PATH, such as nginx=/usr/sbin/nginx".to_owned())?;
    let path = PathBuf::from(path);
    if !path.is_file() {
        return Err(format!("{} is not a file", path.display()));
    }
    Ok((name.to_owned(), path))
}

/// The binary that was named, or the first that is found.
fn traefik(named: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = named {
        return if path.is_file() { Ok(path) } else { Err(Failure::new("NOT_FOUND", format!("{} is not a file", path.display())).into()) };
    }
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(|directory| directory.join("traefik")));
    let in_path =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).map(|directory| directory.join("traefik")).collect::<Vec<_>>());
    let cache = std::env::var_os("SLIPWAY_CACHE").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/slipway")));
    let cached = cache.map(|directory| directory.join("bin/traefik"));
    let mut candidates = beside.into_iter().chain(in_path.into_iter().flatten()).chain(cached);
    candidates.find(|path| path.is_file()).ok_or_else(|| {
        Failure::new("NOT_FOUND", "Traefik 3, the ingress, was not found")
            .fix("setup/traefik.sh obtains it; or name it with --traefik")
            .into()
    })
}

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "node".into(), |name| name.trim().to_owned())
}
