//! What a machine fetches that is to become a node. For everybody: there is no secret in it.

use axum::{
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use tokio_util::io::ReaderStream;

use crate::{Platform, install::Artifact};

pub(super) async fn script(State(platform): State<Platform>) -> Response {
    match platform.installer.offer(&platform.config).await {
        Ok(offer) => ([(header::CONTENT_TYPE, "text/x-shellscript; charset=utf-8")], offer.script.clone()).into_response(),
        Err(error) => unreadable(&error),
    }
}

pub(super) async fn download(State(platform): State<Platform>, Path(name): Path<String>) -> Response {
    let offer = match platform.installer.offer(&platform.config).await {
        Ok(offer) => offer,
        Err(error) => return unreadable(&error),
    };
    let artifact = match name.as_str() {
        "slipway" => Some(&offer.slipway),
        "traefik" => offer.traefik.as_ref(),
        _ => None,
    };
    match artifact {
        Some(artifact) => send(artifact).await,
        None => (StatusCode::NOT_FOUND, "There is no such program here.\n").into_response(),
    }
}

/// What has changed since it was looked at is found out by who fetches it: its digest is another one.
async fn send(artifact: &Artifact) -> Response {
    match tokio::fs::File::open(&artifact.path).await {
        Ok(file) => {
            let headers =
                [(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (header::ETAG, format!("\"{}\"", artifact.sha256))];
            (headers, Body::from_stream(ReaderStream::with_capacity(file, 64 * 1024))).into_response()
        }
        Err(error) => unreadable(&error),
    }
}

fn unreadable(error: &std::io::Error) -> Response {
    tracing::error!(%error, "a program that new nodes need cannot be read");
    (StatusCode::SERVICE_UNAVAILABLE, "The platform cannot read its own program.\n").into_response()
}
