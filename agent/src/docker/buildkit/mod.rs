//! Builds images with the engine's own BuildKit, and has and measures them.
//!
//! A build is two connections to the engine's socket: `POST /build`, which takes the context as a stream and answers with the progress, and
//! `POST /session`, over which BuildKit asks us (gRPC) for the secrets that the build mounts. bollard offers either the stream or the secrets,
//! so these two requests are made here; its types are used for what goes over them. Dropping the future of a build closes both, upon which
//! the engine stops the step that runs.

mod connection;
mod images;
mod progress;
mod session;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::{Request, body::Frame};
use slipway_model::Secret;
use tokio::sync::mpsc;
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use uuid::Uuid;

pub use images::{ImageFacts, PullError};
pub use progress::{BuildEvent, Vertex, VertexLog};

/// The image builder of one Docker engine.
#[derive(Debug, Clone)]
pub struct BuildEngine {
    socket: PathBuf,
}

/// What is to be built. The context comes apart from it, as a tar stream.
#[derive(Debug, Clone)]
pub struct BuildRequest {
    /// Names this build to the engine: never used twice.
    pub id: Uuid,
    /// What the image is called.
    pub image: String,
    /// Path of the Dockerfile in the context.
    pub dockerfile: String,
    pub target: Option<String>,
    pub args: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    /// By the ids under which the Dockerfile mounts them.
    pub secrets: BTreeMap<String, Secret>,
    /// Whether any command may use the network. Docker 20.10 can only decide this for a build as a whole.
    pub network: bool,
    /// Whether every command is run, even where nothing changed since it last was.
    pub fresh: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("the Docker engine does not answer: {0}")]
    Unreachable(#[source] io::Error),
    #[error("the Docker engine broke off: {0}")]
    Interrupted(String),
    /// The engine's own words, for example about a command that failed. The events say which.
    #[error("{0}")]
    Failed(String),
}

impl BuildEngine {
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Builds, and sends what happens to `events`, waiting where nobody reads them.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub async fn build(
        &self,
        request: BuildRequest,
        context: mpsc::Receiver<io::Result<Bytes>>,
        events: &mpsc::Sender<BuildEvent>,
    ) -> Result<(), BuildError> {
        let session = session::open(&self.socket, request.id, request.secrets.clone()).await.map_err(BuildError::Unreachable)?;
        let body = StreamBody::new(ReceiverStream::new(context).map(|chunk| chunk.map(Frame::data)));
        let http = Request::post(format!("/build?{}", query(&request, session.id())))
            .header("Host", "docker")
            .header("Content-Type", "application/x-tar")
            .body(body)
            .map_err(|error| BuildError::Interrupted(error.to_string()))?;
        let mut connection = connection::open(&self.socket).await.map_err(BuildError::Unreachable)?;
        let response = connection.send(http).await.map_err(|error| BuildError::Interrupted(connection::reason(&error)))?;
        let status = response.status();
        let mut body = response.into_body();
        if !status.is_success() {
            let bytes = body.collect().await.map_err(|error| BuildError::Interrupted(connection::reason(&error)))?.to_bytes();
            return Err(BuildError::Failed(progress::error_message(&bytes)));
        }
        let mut messages = progress::Messages::default();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| BuildError::Interrupted(connection::reason(&error)))?;
            let Ok(bytes) = frame.into_data() else { continue };
            for event in messages.take(&bytes).map_err(BuildError::Interrupted)? {
                // Nobody reads any more: the build is about to be dropped.
                let _ = events.send(event).await;
            }
        }
        messages.end().map_err(BuildError::Failed)
    }
}

/// The parameters of `POST /build` (Docker API 1.41).
fn query(request: &BuildRequest, session: &str) -> String {
    let json = |map: &BTreeMap<String, String>| serde_json::to_string(map).unwrap_or_else(|_| "{}".into());
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("version", "2")
        .append_pair("session", session)
        .append_pair("t", &request.image)
        .append_pair("dockerfile", &request.dockerfile)
        .append_pair("labels", &json(&request.labels))
        .append_pair("buildargs", &json(&request.args))
        .append_pair("networkmode", if request.network { "default" } else { "none" });
    if request.fresh {
        query.append_pair("nocache", "1");
    }
    if let Some(target) = &request.target {
        query.append_pair("target", target);
    }
    query.finish()
}
