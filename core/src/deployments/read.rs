//! What is known of deployments.

use slipway_model::{ApplicationId, DeploymentId, Viewer, state::DeploymentStatus};
use slipway_protocol::TaskFailure;
use slipway_store::{
    Page, Slice,
    build_logs::{self, BuildLogLine},
    deployments::{self, Deployment, DeploymentStep},
    instances::{self, Instance},
};

use crate::{Platform, error::Result};

/// Of the lines that are shown beside a failure.
const LAST_LINES: usize = 50;

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

/// Newest first.
///
/// # Errors
/// Those of the database.
pub async fn list(
    p: &Platform,
    viewer: &Viewer,
    application: ApplicationId,
    status: Option<Vec<DeploymentStatus>>,
    page: &Page,
) -> Result<Slice<Deployment>> {
    Ok(deployments::of_application(&mut p.db.read_as(viewer).await?, viewer, application, status.as_deref(), page).await?)
}

/// In the order in which they are done.
///
/// # Errors
/// Those of the database.
pub async fn steps(p: &Platform, viewer: &Viewer, id: DeploymentId) -> Result<Vec<DeploymentStep>> {
    Ok(deployments::steps(&mut p.db.read_as(viewer).await?, viewer, id).await?)
}

/// The instances that it brought, by process and index.
///
/// # Errors
/// Those of the database.
pub async fn instances(p: &Platform, viewer: &Viewer, id: DeploymentId) -> Result<Vec<Instance>> {
    let mut rows = instances::of_deployment(&mut p.db.read_as(viewer).await?, viewer, id, &Page::first(Page::MOST)).await?.items;
    rows.sort_by(|a, b| (&a.process, a.instance_index, a.id).cmp(&(&b.process, b.instance_index, b.id)));
    Ok(rows)
}

/// The end of what a failed deployment wrote: of the instance that failed, else of its build log.
///
/// # Errors
/// Those of the database.
pub async fn last_lines(p: &Platform, viewer: &Viewer, deployment: &Deployment) -> Result<Vec<String>> {
    let rows = instances(p, viewer, deployment.id).await?;
    let of_instance = rows.into_iter().filter_map(|row| row.last_lines).find(|lines| !lines.is_empty());
    let mut lines = match of_instance {
        Some(lines) => lines,
        None => {
            let mut tx = p.db.read().await?;
            let last = build_logs::last_number(&mut tx, deployment.id).await?;
            let from = last.saturating_sub(LAST_LINES as i64).max(0);
            build_logs::after(&mut tx, viewer, deployment.id, from, LAST_LINES as i64).await?.into_iter().map(|line| line.message).collect()
        }
    };
    let skipped = lines.len().saturating_sub(LAST_LINES);
    Ok(lines.split_off(skipped))
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
