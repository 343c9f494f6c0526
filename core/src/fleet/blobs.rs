//! Downloads for agents: uploaded archives and buildpack components, by what they contain.
//!
//! A node gets only what an unfinished task of its own names. Anything else does not exist for it.

use std::path::PathBuf;

use axum::{
    body::Body,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use slipway_model::{NodeId, Sha256Digest};
use slipway_protocol::{SourceSpec, TaskSpec};
use slipway_store::tasks;
use tokio_util::io::ReaderStream;

use super::desired;
use crate::Platform;

pub(super) async fn download(State(p): State<Platform>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
    let Some(node) = token.and_then(|token| p.fleet.node_of_token(token)) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let Ok(digest) = name.parse::<Sha256Digest>() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let file = match find(&p, node, digest).await {
        Ok(Some(path)) => tokio::fs::File::open(path).await,
        Ok(None) => return StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(%node, %digest, error = format!("{error:#}"), "a download failed");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    match file {
        Ok(file) => ([(header::CONTENT_TYPE, "application/octet-stream")], Body::from_stream(ReaderStream::new(file))).into_response(),
        Err(error) => {
            tracing::error!(%node, %digest, %error, "a file that a task names cannot be opened");
            StatusCode::NOT_FOUND.into_response()
        }
    }
}

async fn find(p: &Platform, node: NodeId, digest: Sha256Digest) -> anyhow::Result<Option<PathBuf>> {
    let mut tx = p.db.read().await?;
    let unfinished = tasks::unfinished_of_node(&mut tx, node).await?;
    drop(tx);
    for task in unfinished {
        match desired::task(p, task)?.spec {
            TaskSpec::Plan(plan) => {
                if is_upload(&plan.source, digest) {
                    return Ok(Some(upload_path(p, digest)));
                }
                if plan.buildpacks.iter().any(|buildpack| buildpack.sha256 == digest) {
                    return Ok(buildpack_path(p, digest));
                }
            }
            TaskSpec::Build(build) if is_upload(&build.source, digest) => return Ok(Some(upload_path(p, digest))),
            TaskSpec::Build(_) | TaskSpec::Pull(_) | TaskSpec::Run(_) => {}
        }
    }
    Ok(None)
}

fn is_upload(source: &SourceSpec, digest: Sha256Digest) -> bool {
    matches!(source, SourceSpec::Upload { sha256, .. } if *sha256 == digest)
}

/// Where an upload lies, once it has been received whole.
pub(crate) fn upload_path(p: &Platform, digest: Sha256Digest) -> PathBuf {
    p.config.data_dir.join("uploads").join(digest.to_string())
}

fn buildpack_path(p: &Platform, digest: Sha256Digest) -> Option<PathBuf> {
    p.plugins.buildpack(&digest.to_string())
}
