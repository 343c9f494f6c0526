//! The images that are on the node.

use bollard::errors::Error;
use bollard::query_parameters::{CreateImageOptionsBuilder, RemoveImageOptionsBuilder};
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use serde::Deserialize;

use super::{BuildEngine, connection};

#[derive(Deserialize)]
struct Pruned {
    #[serde(rename = "SpaceReclaimed")]
    space_reclaimed: u64,
}

/// Seconds that the engine may take for one answer.
const ANSWER_SECONDS: u64 = 60;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// `sha256:…`, of the image's configuration.
    pub id: String,
    /// With the layers that it shares with others.
    pub bytes: u64,
    /// TCP ports of `EXPOSE`, in order.
    pub exposed_ports: Vec<u16>,
    /// `USER`; empty for root.
    pub user: String,
}

impl ImageFacts {
    /// Whether its processes run as root unless they are told otherwise.
    #[must_use]
    pub fn runs_as_root(&self) -> bool {
        matches!(self.user.split(':').next().unwrap_or_default(), "" | "0" | "root")
    }
}

#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error("the Docker engine does not answer: {0}")]
    Unreachable(String),
    #[error("the registry has no such image, or does not give it without signing in")]
    NotFound,
    #[error("{0}")]
    Failed(String),
}

impl BuildEngine {
    fn client(&self) -> Result<bollard::Docker, PullError> {
        bollard::Docker::connect_with_unix(&self.socket.to_string_lossy(), ANSWER_SECONDS, bollard::API_DEFAULT_VERSION).map_err(failed)
    }

    /// What an image is; `None` if it is not on the node.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn image(&self, reference: &str) -> Result<Option<ImageFacts>, PullError> {
        let image = match self.client()?.inspect_image(reference).await {
            Ok(image) => image,
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let config = image.config.unwrap_or_default();
        let ports = config.exposed_ports.unwrap_or_default();
        let mut exposed_ports: Vec<u16> = ports.iter().filter_map(|port| tcp_port(port)).collect();
        exposed_ports.sort_unstable();
        exposed_ports.dedup();
        Ok(Some(ImageFacts {
            id: image.id.unwrap_or_default(),
            bytes: u64::try_from(image.size.unwrap_or(0)).unwrap_or(0),
            exposed_ports,
            user: config.user.unwrap_or_default(),
        }))
    }

    /// Fetches an image from its registry. The stream tells what is done, and ends when the image is there or with the
    /// first error; dropping it ends the pull.
    ///
    /// # Errors
    /// See [`PullError`].
    pub fn pull(&self, reference: &str) -> Result<BoxStream<'static, Result<String, PullError>>, PullError> {
        let (name, tag) = name_and_tag(reference);
        let options = CreateImageOptionsBuilder::default().from_image(name).tag(tag).build();
        let client = self.client()?;
        let lines = client.create_image(Some(options), None, None).map(|answer| {
            let answer = answer.map_err(failed)?;
            if let Some(message) = answer.error_detail.and_then(|detail| detail.message) {
                return Err(judged(message));
            }
            // Transfers report themselves several times a second.
            let status = answer.status.unwrap_or_default();
            let passing =
                matches!(status.as_str(), "Downloading" | "Extracting" | "Waiting" | "Verifying Checksum" | "Pulling fs layer" | "");
            Ok((!passing).then(|| answer.id.map_or_else(|| status.clone(), |id| format!("{id}: {status}"))))
        });
        Ok(lines.filter_map(|line| std::future::ready(line.transpose())).boxed())
    }

    /// Takes an image's name away, and its layers where nothing else uses them.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn remove_image(&self, reference: &str) -> Result<(), PullError> {
        let options = RemoveImageOptionsBuilder::default().force(true).build();
        match self.client()?.remove_image(reference, Some(options), None).await {
            Ok(_) | Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    /// Removes what was least recently used of the build cache until it holds at most `keep_bytes`. Returns the bytes freed.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn prune_cache(&self, keep_bytes: u64) -> Result<u64, PullError> {
        // By hand: bollard knows only the name that the limit has since API 1.48, and an older engine would then remove all.
        let unreachable = |error: &dyn std::fmt::Display| PullError::Unreachable(error.to_string());
        let query = format!("all=true&keep-storage={keep_bytes}&reserved-space={keep_bytes}");
        let request = Request::post(format!("/build/prune?{query}")).header("Host", "docker").body(Empty::<Bytes>::new());
        let request = request.map_err(|error| unreachable(&error))?;
        let mut connection = connection::open(&self.socket).await.map_err(|error| unreachable(&error))?;
        let response = connection.send(request).await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|error| unreachable(&error))?.to_bytes();
        if !status.is_success() {
            return Err(PullError::Failed(super::progress::error_message(&body)));
        }
        Ok(serde_json::from_slice::<Pruned>(&body).map_or(0, |pruned| pruned.space_reclaimed))
    }

    /// Where the engine keeps images and builds.
    ///
    /// # Errors
    /// The engine does not answer.
    pub async fn storage_root(&self) -> Result<std::path::PathBuf, PullError> {
        let info = self.client()?.info().await.map_err(failed)?;
        Ok(info.docker_root_dir.unwrap_or_else(|| "/var/lib/docker".into()).into())
    }
}

/// `80/tcp` is 80.
fn tcp_port(text: &str) -> Option<u16> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    if protocol == "tcp" { port.parse().ok() } else { None }
}

/// The name and the tag or digest as the API takes them. Without a tag it would fetch all there are.
fn name_and_tag(reference: &str) -> (&str, &str) {
    if let Some((name, digest)) = reference.split_once('@') {
        return (name, digest);
    }
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"),
    }
}

fn failed(error: Error) -> PullError {
    match error {
        Error::DockerResponseServerError { status_code: 404, .. } => PullError::NotFound,
        Error::DockerResponseServerError { message, .. } => judged(message),
        Error::DockerStreamError { error } => judged(error),
        other => PullError::Unreachable(other.to_string()),
    }
}

fn judged(message: String) -> PullError {
    let lower = message.to_ascii_lowercase();
    let absent = ["manifest unknown", "not found", "pull access denied", "unauthorized", "repository does not exist", "no such image"];
    if absent.iter().any(|text| lower.contains(text)) { PullError::NotFound } else { PullError::Failed(message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_split_as_docker_does() {
        assert_eq!(name_and_tag("nginx"), ("nginx", "latest"));
        assert_eq!(name_and_tag("localhost:5000/a/b"), ("localhost:5000/a/b", "latest"));
        assert_eq!(name_and_tag("localhost:5000/a/b:1.2"), ("localhost:5000/a/b", "1.2"));
        assert_eq!(name_and_tag("a@sha256:00"), ("a", "sha256:00"));
        assert_eq!(name_and_tag("a:1@sha256:00"), ("a:1", "sha256:00"));
    }

    #[test]
    fn only_tcp_ports_count() {
        assert_eq!(tcp_port("80/tcp"), Some(80));
        assert_eq!(tcp_port("8080"), Some(8080));
        assert_eq!(tcp_port("53/udp"), None);
        assert_eq!(tcp_port("x/tcp"), None);
    }

    #[test]
    fn root_goes_by_several_names() {
        let runs = |user: &str| ImageFacts { id: String::new(), bytes: 0, exposed_ports: vec![], user: user.into() }.runs_as_root();
        assert!(runs("") && runs("0") && runs("root") && runs("0:0") && runs("root:staff"));
        assert!(!runs("1000") && !runs("node"));
    }
}
