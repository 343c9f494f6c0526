//! What people may do to an operation: call it off, or have it tried once more.

use slipway_model::{
    OperationId, Viewer,
    state::{DeploymentStatus, OperationKind, OperationStatus},
};
use slipway_protocol::TaskFailure;
use slipway_store::{
    applications, deployments as stored,
    operations::{self as queue, Operation},
};

use super::{Payload, abandon};
use crate::{
    Platform,
    deployments::{self, editable, tell},
    error::{Error, Result, UserError},
    lifecycle,
    rollout::{self, Step},
};

/// Calls an operation off, and takes away what it has brought.
///
/// # Errors
/// It has ended, it is too late for that, or what it does is undone by its opposite.
pub async fn cancel(p: &Platform, viewer: &Viewer, id: OperationId) -> Result<Operation> {
    let seen = found(p, viewer, id).await?;
    if let Some(deployment) = seen.deployment_id {
        deployments::cancel(p, viewer, deployment).await?;
        return found(p, viewer, id).await;
    }
    let opposite = match seen.kind {
        OperationKind::Deploy | OperationKind::Restart | OperationKind::Start => None,
        OperationKind::Stop => Some("What stops is not called off. Start the application again."),
        OperationKind::Scale => Some("A change of the number of instances is not called off. Change it back."),
        OperationKind::Delete => Some("What is being deleted cannot be kept."),
    };
    let mut tx = p.db.begin().await?;
    let application = seen.application_id.ok_or_else(missing)?;
    let application = editable(&mut tx, viewer, application, "id").await?;
    if let Some(opposite) = opposite {
        return Err(UserError::invalid_state(opposite).into());
    }
    let failure = TaskFailure::new(rollout::CANCELED, "It was called off.");
    let held = queue::find(&mut tx, &Viewer::Platform, id).await?.ok_or_else(missing)?;
    if held.step.as_deref().is_some_and(|step| matches!(Step::named(step), Step::Swap | Step::Drain | Step::Done)) {
        return Err(UserError::invalid_state("Visitors are being switched to the new instances already: it is too late.").into());
    }
    // From here on its worker writes nothing more.
    if !queue::end(&mut tx, id, OperationStatus::Canceled, Some(&failure.message), p.now()).await? {
        return Err(UserError::invalid_state(format!("The operation has ended already: it is {}.", held.status)).into());
    }
    let ended = queue::find(&mut tx, &Viewer::Platform, id).await?.ok_or(Error::NotFound)?;
    let (organization, application_id) = (application.organization_id, application.id);
    let (tx, nodes) = abandon(p, tx, ended, application, DeploymentStatus::Canceled, &failure).await?;
    tx.commit().await?;
    tell(p, organization, application_id, None, &nodes);
    p.changes.publish(Some(organization), crate::changes::Changed::Operation(id));
    found(p, viewer, id).await
}

/// Asks for the same again, with the settings as they are now. It is another operation: what has ended stays as it ended.
///
/// # Errors
/// It has not failed, or what it was about is not there any more.
pub async fn retry(p: &Platform, viewer: &Viewer, id: OperationId) -> Result<Operation> {
    let seen = found(p, viewer, id).await?;
    let application = seen.application_id.ok_or_else(missing)?;
    // Who may only look is told so before anything else.
    let mut tx = p.db.begin().await?;
    let application = editable(&mut tx, viewer, application, "id").await?;
    drop(tx);
    match seen.status {
        OperationStatus::Failed | OperationStatus::Canceled => {}
        OperationStatus::Queued | OperationStatus::Running => {
            return Err(UserError::invalid_state("The operation has not ended yet.").into());
        }
        OperationStatus::Succeeded => return Err(UserError::invalid_state("The operation has done what it was to do.").into()),
    }
    let id = application.id;
    Ok(match seen.kind {
        OperationKind::Deploy => {
            let deployment = seen.deployment_id.ok_or_else(missing)?;
            let row = stored::find(&mut p.db.read_as(viewer).await?, viewer, deployment).await?.ok_or_else(missing)?;
            match row.rollback_of {
                Some(earlier) => deployments::rollback(p, viewer, earlier, None).await?.1,
                None => deployments::redeploy(p, viewer, deployment, None).await?.1,
            }
        }
        OperationKind::Restart => match Payload::from_json(&seen.payload)?.only {
            Some(instance) => lifecycle::restart_instance(p, viewer, instance).await?.1,
            None => lifecycle::restart(p, viewer, id).await?.1,
        },
        OperationKind::Stop => lifecycle::stop(p, viewer, id).await?.1,
        OperationKind::Start => lifecycle::start(p, viewer, id).await?.1,
        OperationKind::Scale => {
            let scaled = lifecycle::scale(p, viewer, id, application.desired_instances, None).await?.operation;
            scaled.ok_or_else(|| UserError::invalid_state("The application does not run: it has so many instances when it does."))?
        }
        OperationKind::Delete => lifecycle::delete(p, viewer, id, application.slug.as_str()).await?,
    })
}

async fn found(p: &Platform, viewer: &Viewer, id: OperationId) -> Result<Operation> {
    let tx = &mut p.db.read_as(viewer).await?;
    let operation = queue::find(tx, viewer, id).await?.ok_or_else(missing)?;
    let Some(application) = operation.application_id else { return Err(missing().into()) };
    applications::find(tx, viewer, application).await?.ok_or_else(missing)?;
    Ok(operation)
}

fn missing() -> UserError {
    UserError::not_found("id", "operation")
}
