//! What is deployed: what was asked for, or the application's own source.

use serde::{Deserialize, Serialize};
use slipway_model::{ImageRef, ImageSource, Source, UploadId, Viewer};
use slipway_protocol::SourceSpec;
use slipway_store::{Tx, applications::Application, deployments::Deployment, uploads};

use crate::{
    Platform,
    error::{Error, Result, UserError, UserErrorCode},
};

/// What a deployment deploys, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DeploymentSource {
    Code(SourceSpec),
    Image(ImageSource),
}

/// What is to be deployed, where that is not the application's own source as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeploySource {
    Upload(UploadId),
    /// A full commit id of the application's repository.
    Commit(String),
    Image(ImageRef),
}

/// What a request means, with the application's own source where it says nothing.
pub(super) async fn source(
    tx: &mut Tx,
    p: &Platform,
    viewer: &Viewer,
    application: &Application,
    asked: Option<DeploySource>,
) -> Result<DeploymentSource> {
    match (asked, &application.source) {
        (Some(DeploySource::Upload(id)), _) => uploaded(tx, p, viewer, application, id).await,
        (Some(DeploySource::Commit(commit)), Some(Source::Git(git))) => {
            let is_commit = matches!(commit.len(), 40 | 64) && commit.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            if !is_commit {
                return Err(UserError::invalid("source.commitSha", "Give the full commit id: 40 lower-case hexadecimal characters.").into());
            }
            Ok(DeploymentSource::Code(SourceSpec::Git {
                url: git.repository_url.clone(),
                branch: git.branch.clone(),
                commit: Some(commit),
            }))
        }
        (Some(DeploySource::Commit(_)), _) => {
            Err(UserError::invalid("source.commitSha", "The application's source is no Git repository.").into())
        }
        (Some(DeploySource::Image(image)), None | Some(Source::Image(_))) => Ok(DeploymentSource::Image(ImageSource { image })),
        (Some(DeploySource::Image(_)), _) => Err(UserError::invalid("source.image", "The application's source is no image.").into()),
        (None, Some(Source::Git(git))) => {
            Ok(DeploymentSource::Code(SourceSpec::Git { url: git.repository_url.clone(), branch: git.branch.clone(), commit: None }))
        }
        (None, Some(Source::Image(source))) => Ok(DeploymentSource::Image(source.clone())),
        (None, None | Some(Source::Upload)) => {
            let message = "Upload an archive first, and deploy it by the id of its upload.";
            Err(UserError::new(UserErrorCode::Required, "source.uploadId", message).into())
        }
    }
}

async fn uploaded(tx: &mut Tx, p: &Platform, viewer: &Viewer, application: &Application, id: UploadId) -> Result<DeploymentSource> {
    let missing = || UserError::not_found("source.uploadId", "upload");
    let upload = uploads::find(tx, viewer, id).await?.filter(|upload| upload.application_id == application.id).ok_or_else(missing)?;
    let (Some(sha256), Some(size), Some(_)) = (upload.sha256, upload.size_bytes, upload.received_at) else {
        return Err(UserError::new(
            UserErrorCode::InvalidState,
            "source.uploadId",
            "The archive has not arrived yet. Send it to the upload's URL first.",
        )
        .into());
    };
    if uploads::consume(tx, viewer, id, p.now()).await?.is_none() {
        let message = "This upload was deployed before, or has expired. Upload the archive again.";
        return Err(UserError::new(UserErrorCode::InvalidState, "source.uploadId", message).into());
    }
    Ok(DeploymentSource::Code(SourceSpec::Upload { sha256, size_bytes: size.unsigned_abs() }))
}

pub(super) fn read_source(deployment: &Deployment) -> Result<DeploymentSource> {
    serde_json::from_value(deployment.source.clone())
        .map_err(|error| Error::internal(anyhow::Error::from(error).context("a deployment's source")))
}
