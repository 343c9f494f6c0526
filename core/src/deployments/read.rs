//! What is known of deployments.

use slipway_model::{DeploymentId, Viewer, state::DeploymentStatus};
use slipway_protocol::TaskFailure;
use slipway_store::{
    build_logs::{self, BuildLogLine},
    deployments::{self, Deployment},
    instances::Instance,
};

use crate::{Platform, error::Result};

/// Of the lines that are shown beside a failure.
pub const LAST_LINES: usize = 50;

/// Why it failed.
#[must_use]
pub fn failure(deployment: &Deployment) -> Option<TaskFailure> {
    deployment.failure.clone().and_then(|failure| serde_json::from_value(failure).ok())
}

/// Whether it was live once.
#[must_use]
pub fn can_rollback(deployment: &Deployment) -> bool {
    deployment.release_id.is_some() && matches!(deployment.status, DeploymentStatus::Live | DeploymentStatus::Superseded)
}

/// Whether it can still be called off.
#[must_use]
pub fn can_cancel(deployment: &Deployment) -> bool {
    deployment.status.may_become(DeploymentStatus::Canceled)
}

/// # Errors
/// Those of the database.
pub async fn find(p: &Platform, viewer: &Viewer, id: DeploymentId) -> Result<Option<Deployment>> {
    Ok(deployments::find(&mut p.db.read_as(viewer).await?, viewer, id).await?)
}

/// The end of what a failed deployment wrote: of the instance that failed, the first by process and index, else of its build log.
#[must_use]
pub fn last_lines(mut instances: Vec<Instance>, build_log: Vec<BuildLogLine>) -> Vec<String> {
    instances.sort_by(|a, b| (&a.process, a.instance_index, a.id).cmp(&(&b.process, b.instance_index, b.id)));
    let of_instance = instances.into_iter().filter_map(|row| row.last_lines).find(|lines| !lines.is_empty());
    let mut lines = of_instance.unwrap_or_else(|| build_log.into_iter().map(|line| line.message).collect());
    let skipped = lines.len().saturating_sub(LAST_LINES);
    lines.split_off(skipped)
}

/// Lines of the build log after number `after`, at most `most`, in order. A reader resumes with the last number it has seen.
///
/// # Errors
/// Those of the database.
pub async fn build_log(p: &Platform, viewer: &Viewer, id: DeploymentId, after: i64, most: i64) -> Result<Vec<BuildLogLine>> {
    Ok(build_logs::after(&mut p.db.read_as(viewer).await?, viewer, id, after, most).await?)
}

/// The number of the build log's last line; 0: there is none.
///
/// # Errors
/// Those of the database.
pub async fn build_log_length(p: &Platform, viewer: &Viewer, id: DeploymentId) -> Result<i64> {
    let mut tx = p.db.read().await?;
    if deployments::find(&mut tx, viewer, id).await?.is_none() {
        return Ok(0);
    }
    Ok(build_logs::last_number(&mut tx, id).await?)
}
