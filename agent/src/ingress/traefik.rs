//! [`Ingress`] over Traefik's folder, its entry point for visitors and its API.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use slipway_model::{ApplicationId, Hostname};
use slipway_protocol::ROUTE_HEADER;

use super::counts::{self, Counted};
use super::settings::{Folders, OWN_ROUTE, OWN_ROUTE_FILE};
use super::{Ingress, RouteError, RouteFile, Seen, plain_http};
use crate::config::IngressConfig;

const ANSWER: Duration = Duration::from_secs(2);
/// A few kilobytes for each application.
const MAX_METRICS_BYTES: usize = 32 << 20;

pub struct Traefik {
    folders: Folders,
    web: SocketAddr,
    internal: SocketAddr,
    http: reqwest::Client,
}

impl Traefik {
    /// # Errors
    /// Its folders cannot be made.
    pub fn new(data_dir: &Path, config: &IngressConfig) -> io::Result<Self> {
        let folders = Folders::new(data_dir);
        folders.create()?;
        let http = plain_http().map_err(io::Error::other)?;
        let traefik = Self { folders, web: reachable(config.web_address), internal: reachable(config.internal_address), http };
        traefik.place(OWN_ROUTE_FILE, OWN_ROUTE).map_err(io::Error::other)?;
        Ok(traefik)
    }

    /// Writes aside, then renames: Traefik never sees a part of a file.
    fn place(&self, name: &str, text: &str) -> Result<(), RouteError> {
        let staged = self.folders.staging().join(name);
        let placed = self.folders.routes().join(name);
        let written = File::create(&staged).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_data()
        });
        written.map_err(|source| RouteError::Io { path: staged.clone(), source })?;
        fs::rename(&staged, &placed).map_err(|source| RouteError::Io { path: placed, source })
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folders.routes().join(file)
    }

    /// Whether Traefik's running configuration has this revision: for a route whose answer does not show it, such as a redirection.
    async fn loaded(&self, revision: &str) -> bool {
        let Ok(response) = self.http.get(format!("http://{}/api/rawdata", self.internal)).timeout(ANSWER).send().await else {
            return false;
        };
        let Ok(data) = response.json::<serde_json::Value>().await else { return false };
        let Some(middlewares) = data["middlewares"].as_object() else { return false };
        middlewares.values().any(|middleware| {
            let headers = middleware["headers"]["customResponseHeaders"].as_object();
            let ours = headers.is_some_and(|headers| {
                headers.iter().any(|(name, value)| name.eq_ignore_ascii_case(ROUTE_HEADER) && value.as_str() == Some(revision))
            });
            ours && middleware["status"] == "enabled" && middleware["usedBy"].as_array().is_some_and(|users| !users.is_empty())
        })
    }

    async fn look(&self, hostname: &Hostname, revision: &str) -> Seen {
        let request = self.http.head(format!("http://{}/", self.web)).header(http::header::HOST, hostname.as_str()).timeout(ANSWER);
        let request = request.header(http::header::ACCEPT, counts::PROBE_ACCEPT);
        match request.send().await {
            Ok(response) => match response.headers().get(ROUTE_HEADER).and_then(|value| value.to_str().ok()) {
                Some(seen) => Seen::Revision(seen.to_owned()),
                None if response.status().is_redirection() && self.loaded(revision).await => Seen::Revision(revision.to_owned()),
                None => Seen::Nothing,
            },
            Err(error) if error.is_connect() => Seen::Unreachable(crate::enroll::sources(&error)),
            // The application is slow; Traefik knows.
            Err(_) if self.loaded(revision).await => Seen::Revision(revision.to_owned()),
            Err(_) => Seen::Nothing,
        }
    }
}

impl Ingress for Traefik {
    fn files(&self) -> Result<Vec<RouteFile>, RouteError> {
        RouteFile::read_all(&self.folders.routes(), OWN_ROUTE_FILE)
    }

    fn put(&self, file: &RouteFile, content: &str) -> Result<(), RouteError> {
        let text = file.render(content)?;
        file.may_replace(&self.path(&file.file))?;
        self.place(&file.file, &text)
    }

    fn remove(&self, file: &RouteFile) -> Result<(), RouteError> {
        let path = self.path(&file.file);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(RouteError::Io { path, source }),
            _ => Ok(()),
        }
    }

    fn nudge(&self) -> Result<(), RouteError> {
        self.place(OWN_ROUTE_FILE, OWN_ROUTE)
    }

    fn seen<'a>(&'a self, hostname: &'a Hostname, revision: &'a str) -> BoxFuture<'a, Seen> {
        self.look(hostname, revision).boxed()
    }

    fn counted(&self) -> BoxFuture<'_, Result<BTreeMap<ApplicationId, Counted>, String>> {
        async {
            let asked = self.http.get(format!("http://{}/metrics", self.internal)).timeout(ANSWER).send().await;
            let mut answer = asked.map_err(|error| crate::enroll::sources(&error))?;
            let mut text = Vec::new();
            while let Some(chunk) = answer.chunk().await.map_err(|error| crate::enroll::sources(&error))? {
                if text.len() + chunk.len() > MAX_METRICS_BYTES {
                    return Err(format!("its answer is longer than {} MiB", MAX_METRICS_BYTES >> 20));
                }
                text.extend_from_slice(&chunk);
            }
            Ok(counts::parse(&String::from_utf8_lossy(&text)))
        }
        .boxed()
    }
}

/// An entry point that listens on every address is asked on the loopback one.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback: std::net::IpAddr =
            if address.is_ipv4() { std::net::Ipv4Addr::LOCALHOST.into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
        address.set_ip(loopback);
    }
    address
}
