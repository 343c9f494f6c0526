//! What is run as the ingress: a program, its arguments and files, and how it is seen to be well.

use std::io;
use std::path::{Path, PathBuf};

use slipway_model::Sha256Digest;
use slipway_protocol::DesiredProxy;

use super::process::IngressError;
use super::settings::{Folders, render};
use super::traefik::reachable;
use crate::config::IngressConfig;
use crate::durable;

#[derive(Debug, Clone)]
pub(super) struct Program {
    /// For the log.
    pub name: String,
    pub binary: PathBuf,
    pub arguments: Vec<String>,
    pub folders: Folders,
    /// Of its files, its arguments and its binary: another one is another ingress.
    pub settings: Sha256Digest,
    /// Asked once a second.
    pub url: String,
    /// Any answer at all will do; else it has to be a good one.
    pub any_answer: bool,
}

impl Program {
    /// Traefik; writes its settings.
    pub fn traefik(data_dir: &Path, config: &IngressConfig) -> Result<Self, IngressError> {
        if !config.internal_address.ip().is_loopback() {
            return Err(IngressError::NotLoopback(config.internal_address));
        }
        let folders = Folders::new(data_dir);
        let failed = |source| IngressError::Io { path: folders.root().to_owned(), source };
        folders.create().map_err(failed)?;
        let text = render(config, &folders)?;
        durable::write(&folders.configuration(), text.as_bytes()).map_err(failed)?;
        Ok(Self {
            name: "Traefik".into(),
            binary: config.traefik_binary.clone(),
            arguments: vec![format!("--configFile={}", folders.configuration().display())],
            settings: Sha256Digest::of(format!("{text}\n{}", identify(&config.traefik_binary)).as_bytes()),
            folders,
            url: format!("http://{}/ping", reachable(config.internal_address)),
            any_answer: false,
        })
    }

    /// Another proxy, whose files are in place.
    pub fn proxy(data_dir: &Path, config: &IngressConfig, proxy: &DesiredProxy) -> Result<Self, IngressError> {
        let binary = binary(config, proxy).map_err(IngressError::NoProxy)?;
        let folders = Folders::of_proxy(data_dir, &proxy.program);
        let arguments: Vec<String> = proxy.run.iter().map(|argument| fill(argument, folders.root(), config)).collect();
        let described = serde_json::to_string(proxy)
            .map_err(|error| IngressError::Io { path: folders.root().to_owned(), source: io::Error::from(error) })?;
        Ok(Self {
            name: proxy.program.clone(),
            settings: Sha256Digest::of(format!("{described}\n{}\n{}", config.web_address, identify(&binary)).as_bytes()),
            binary,
            arguments,
            folders,
            url: format!("http://{}/", reachable(config.web_address)),
            any_answer: true,
        })
    }
}

/// The program that the machine's administrator named for it; else what to do.
pub(super) fn binary(config: &IngressConfig, proxy: &DesiredProxy) -> Result<PathBuf, String> {
    let name = &proxy.program;
    let found = config.proxies.get(name).filter(|path| path.is_file()).cloned();
    found.ok_or_else(|| format!("this node has no {name}: start its agent with `--proxy {name}=/path/to/{name}`"))
}

/// A text of the proxy's, for files below `root`.
pub(super) fn fill(text: &str, root: &Path, config: &IngressConfig) -> String {
    text.replace("@routes@", &root.join("routes").to_string_lossy())
        .replace("@root@", &root.to_string_lossy())
        .replace("@web@", &config.web_address.to_string())
}

/// Another binary under the same name is another program.
fn identify(binary: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let data = std::fs::metadata(binary).map(|data| format!("{}:{}:{}", data.ino(), data.len(), data.mtime())).unwrap_or_default();
    format!("{}:{data}", binary.display())
}
