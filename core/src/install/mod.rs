//! How a bare machine becomes a node: a script, the agent's binary, and the digests that bind them together (R3.2, F45).
//!
//! The API shows the script's digest with the token, to an administrator who is signed in; the script carries the digests of what it
//! fetches. So nothing that was changed on its way is run.

use std::{
    env,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};
use slipway_model::Sha256Digest;
use tokio::sync::OnceCell;

use crate::Config;

const TEMPLATE: &str = include_str!("install.sh");

/// What is offered to new nodes. Cheap to clone; looked at when somebody first asks.
#[derive(Debug, Clone, Default)]
pub struct Installer(Arc<OnceCell<Offer>>);

/// The script, and what it fetches.
#[derive(Debug)]
pub struct Offer {
    pub script: String,
    pub script_sha256: Sha256Digest,
    pub slipway: Artifact,
    /// Where this machine has one.
    pub traefik: Option<Artifact>,
}

/// A program, as it was when it was looked at.
#[derive(Debug, Clone)]
pub struct Artifact {
    pub path: PathBuf,
    pub sha256: Sha256Digest,
    pub bytes: u64,
}

impl Installer {
    /// # Errors
    /// This program's own file cannot be read.
    pub async fn offer(&self, config: &Config) -> io::Result<&Offer> {
        self.0
            .get_or_try_init(|| async {
                let programs = tokio::task::spawn_blocking(|| {
                    let slipway = env::current_exe()?;
                    let traefik = traefik(&slipway).map(|path| look(&path)).transpose()?;
                    Ok::<_, io::Error>((look(&slipway)?, traefik))
                });
                let (slipway, traefik) = programs.await.map_err(io::Error::other)??;
                let script = render(config, &slipway, traefik.as_ref());
                Ok(Offer { script_sha256: Sha256Digest::of(script.as_bytes()), script, slipway, traefik })
            })
            .await
    }
}

/// Where agents reach this control plane.
#[must_use]
pub fn core_url(config: &Config) -> String {
    let host = config.agent_hosts.first().map_or("127.0.0.1", String::as_str);
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    format!("https://{host}:{}", config.agent_listen.port())
}

fn render(config: &Config, slipway: &Artifact, traefik: Option<&Artifact>) -> String {
    let values = [
        ("@URL@", config.public_url.as_str().trim_end_matches('/').to_owned()),
        ("@CORE@", core_url(config)),
        ("@ARCH@", env::consts::ARCH.to_owned()),
        ("@SLIPWAY_SHA256@", slipway.sha256.to_string()),
        ("@TRAEFIK_SHA256@", traefik.map(|traefik| traefik.sha256.to_string()).unwrap_or_default()),
    ];
    // They stand within single quotes.
    values.into_iter().fold(TEMPLATE.to_owned(), |script, (name, value)| script.replace(name, &value.replace('\'', "'\\''")))
}

/// The one that was named, that beside this program, or the first in the path.
fn traefik(slipway: &Path) -> Option<PathBuf> {
    let named = env::var_os("SLIPWAY_TRAEFIK").map(PathBuf::from);
    let beside = slipway.parent().map(|folder| folder.join("traefik"));
    let in_path = env::var_os("PATH").map(|path| env::split_paths(&path).map(|folder| folder.join("traefik")).collect::<Vec<_>>());
    named.into_iter().chain(beside).chain(in_path.into_iter().flatten()).find(|path| path.is_file())
}

fn look(path: &Path) -> io::Result<Artifact> {
    let mut file = std::fs::File::open(path)?;
    let (mut hasher, mut buffer, mut bytes) = (Sha256::new(), vec![0; 1 << 20], 0);
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        bytes += count as u64;
    }
    Ok(Artifact { path: path.to_owned(), sha256: Sha256Digest::from_bytes(hasher.finalize().into()), bytes })
}
