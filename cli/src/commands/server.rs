use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use slipway_core::{
    Config,
    billing::{Mode, Settings},
};
use slipway_model::{Currency, Hostname};
use url::Url;

use crate::{logging, shutdown};

/// What the control plane is told, by `slipway server` and `slipway up` alike.
#[derive(Args)]
pub struct ControlPlane {
    /// Folder for the database, uploads and keys.
    #[arg(long, default_value = "/var/lib/slipway", env = "SLIPWAY_DATA")]
    pub data: PathBuf,
    /// Address of the API.
    #[arg(long, default_value = "127.0.0.1:7766")]
    pub listen: SocketAddr,
    /// Address that agents connect to, by TLS.
    #[arg(long, default_value = "127.0.0.1:7767")]
    pub agent_listen: SocketAddr,
    /// Name or address by which agents reach this machine; may be given several times.
    #[arg(long = "agent-host", default_values_t = [String::from("127.0.0.1"), String::from("localhost")])]
    pub agent_hosts: Vec<String>,
    /// Applications answer at NAME.DOMAIN.
    #[arg(long, default_value = "localhost")]
    pub domain: Hostname,
    /// Where people reach the API [default: http:// and the listen address].
    #[arg(long)]
    pub public_url: Option<Url>,
    /// Database, as sqlite://PATH or postgres://... [default: SQLite in the data folder].
    #[arg(long, env = "SLIPWAY_DATABASE_URL", hide_env_values = true)]
    pub database: Option<String>,
    /// Folder of the plugins [default: `plugins` beside the binary].
    #[arg(long)]
    pub plugins: Option<PathBuf>,
    /// Currency of all prices, by its ISO 4217 code.
    #[arg(long, default_value = "EUR")]
    pub currency: Currency,
    /// Whether organizations pay from wallets (`prepaid`), or nobody pays (`off`).
    #[arg(long, env = "SLIPWAY_BILLING", default_value = "off")]
    pub billing: Mode,
    /// Let administrators of an organization record payments into its wallet themselves.
    #[arg(long)]
    pub customers_top_up: bool,
    /// Points of the API's cost that one token, or one address without any, may spend in a minute.
    #[arg(long, default_value_t = Config::USUAL_POINTS_PER_MINUTE)]
    pub points_per_minute: u32,
    /// Address of a proxy in front of the API, whose `X-Forwarded-For` tells who calls; may be given several times.
    #[arg(long = "trusted-proxy")]
    pub trusted_proxies: Vec<IpAddr>,
    /// Allow what only a developer's machine should: introspection and GraphiQL for everybody, crash points.
    #[arg(long)]
    pub development: bool,
}

impl ControlPlane {
    pub fn into_config(self, ingress_port: Option<u16>) -> Result<Config> {
        std::fs::create_dir_all(&self.data).with_context(|| format!("{} cannot be made", self.data.display()))?;
        let data_dir = self.data.canonicalize()?;
        let public_url = match self.public_url {
            Some(url) => url,
            None => format!("http://{}", self.listen).parse()?,
        };
        Ok(Config {
            database_url: self.database.unwrap_or_else(|| format!("sqlite://{}", data_dir.join("slipway.db").display())),
            data_dir,
            listen: self.listen,
            agent_listen: self.agent_listen,
            agent_hosts: self.agent_hosts,
            public_url,
            platform_domain: self.domain,
            ingress_port,
            currency: self.currency,
            billing: Settings { mode: self.billing, customers_top_up: self.customers_top_up },
            plugins_dir: plugins_dir(self.plugins.as_deref())?,
            program: std::env::current_exe()?,
            points_per_minute: self.points_per_minute,
            answer_within: Config::USUAL_ANSWER_WITHIN,
            trusted_proxies: self.trusted_proxies,
            development: self.development,
        })
    }
}

/// The folder that was named, or the one beside the binary.
pub fn plugins_dir(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(directory) = named {
        return Ok(directory.to_owned());
    }
    let binary = std::env::current_exe()?.canonicalize()?;
    Ok(binary.parent().context("a binary lies in a folder")?.join("plugins"))
}

#[derive(Args)]
pub struct Server {
    #[command(flatten)]
    control_plane: ControlPlane,
    /// Port at which visitors reach the applications, where it is not that of the URL's scheme.
    #[arg(long)]
    ingress_port: Option<u16>,
}

impl Server {
    pub async fn run(self) -> Result<ExitCode> {
        logging::start();
        let core = slipway_core::start(self.control_plane.into_config(self.ingress_port)?).await?;
        shutdown::requested().await?;
        core.shutdown().await;
        Ok(ExitCode::SUCCESS)
    }
}
