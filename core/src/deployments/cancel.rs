//! Calling deployments off.

use slipway_model::{
    DeploymentId, Viewer,
    state::{DeploymentStatus, OperationStatus},
};
use slipway_protocol::TaskFailure;
use slipway_store::{
    Tx,
    applications::Application,
    deployments::{self, Deployment},
    operations as queue,
};

use super::{can_cancel, editable, tell, visible};
use crate::{
    Platform,
    error::{Error, Result, UserError},
    operations, rollout,
};

/// Calls a deployment off, and takes away what it has brought. Once the route is being switched it is too late.
///
/// # Errors
/// It has ended, or its switch has begun.
pub async fn cancel(p: &Platform, viewer: &Viewer, id: DeploymentId) -> Result<Deployment> {
    let mut tx = p.db.begin().await?;
    let seen = visible(&mut tx, viewer, id).await?;
    let application = editable(&mut tx, viewer, seen.application_id, "id").await?;
    let operation = queue::of_deployment(&mut tx, &Viewer::Platform, id).await?;
    let failure = TaskFailure::new(rollout::CANCELED, "The deployment was canceled.");
    let operation = operation.filter(|operation| !operation.status.is_terminal());
    let Some(operation) = operation else { return Err(too_late(&seen).into()) };
    // From here on its worker writes nothing more.
    let is_ended = queue::end(&mut tx, operation.id, OperationStatus::Canceled, Some(&failure.message), p.now()).await?;
    let now = visible(&mut tx, viewer, id).await?;
    if !is_ended || !can_cancel(&now) {
        return Err(too_late(&now).into());
    }
    let operation = queue::find(&mut tx, &Viewer::Platform, operation.id).await?.ok_or(Error::NotFound)?;
    let (mut tx, nodes) = operations::abandon(p, tx, operation, application, DeploymentStatus::Canceled, &failure).await?;
    let canceled = visible(&mut tx, viewer, id).await?;
    tx.commit().await?;
    tell(p, canceled.organization_id, canceled.application_id, Some(id), &nodes);
    Ok(canceled)
}

fn too_late(deployment: &Deployment) -> UserError {
    match deployment.status {
        DeploymentStatus::Swapping => {
            UserError::invalid_state("Visitors are being switched to it at this moment. Roll back once it is live.")
        }
        status => UserError::invalid_state(format!("The deployment has ended already: it is {status}.")),
    }
}

/// Ends every change of an application that is under way or waits, as before it is deleted. Gives the nodes to nudge.
pub(crate) async fn abandon_all(
    p: &Platform,
    mut tx: Tx,
    application: &Application,
    failure: &TaskFailure,
) -> Result<(Tx, Vec<slipway_model::NodeId>)> {
    let mut touched = Vec::new();
    for operation in queue::unfinished_of(&mut tx, application.id).await? {
        if !queue::end(&mut tx, operation.id, OperationStatus::Canceled, Some(&failure.message), p.now()).await? {
            continue;
        }
        let operation = queue::find(&mut tx, &Viewer::Platform, operation.id).await?.ok_or(Error::NotFound)?;
        let settled = match operation.deployment_id {
            Some(id) => deployments::find(&mut tx, &Viewer::Platform, id).await?.is_some_and(|deployment| deployment.status.is_terminal()),
            None => false,
        };
        if settled {
            continue;
        }
        let (back, nodes) = operations::abandon(p, tx, operation, application.clone(), DeploymentStatus::Canceled, failure).await?;
        tx = back;
        touched.extend(nodes);
    }
    Ok((tx, touched))
}
