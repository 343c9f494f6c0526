//! What is done to an application as a whole: restart, stop, start, scale, delete (R12, R17). Each is an operation, recorded before
//! this answers.

use slipway_model::{
    ApplicationId, InstanceId, ReleaseId, Viewer,
    state::{ApplicationStatus, OperationKind, SuspensionReason},
};
use slipway_protocol::TaskFailure;
use slipway_store::{
    Tx,
    applications::{self, Application},
    instances::{self, Instance},
    operations::Operation,
    plans, suspensions,
};

use crate::{
    Platform,
    billing::reserve,
    deployments::{self, editable, tell},
    error::{Error, Result, UserError, UserErrorCode, UserErrorData},
    events, instances as rules,
    operations::{self, NewOperation, Origin, Payload},
    quotas::{self, More},
    rollout,
};

/// New instances of the same release, and then the old ones go: no visitor notices.
///
/// # Errors
/// Nothing of it runs.
pub async fn restart(p: &Platform, viewer: &Viewer, id: ApplicationId) -> Result<(Application, Operation)> {
    let mut tx = p.db.begin().await?;
    let application = editable(&mut tx, viewer, id, "id").await?;
    if application.stopped {
        return Err(UserError::invalid_state("The application is stopped. Start it instead.").into());
    }
    released(&application)?;
    enqueue(p, tx, viewer, application, OperationKind::Restart, Origin::Release).await
}

/// A new instance of the same release, and then this one goes: no visitor notices.
///
/// # Errors
/// It does not run, or a change that is under way brought it.
pub async fn restart_instance(p: &Platform, viewer: &Viewer, id: InstanceId) -> Result<(Instance, Operation)> {
    let mut tx = p.db.begin().await?;
    let missing = || UserError::not_found("id", "application instance");
    let seen = instances::find(&mut tx, viewer, id).await?.ok_or_else(missing)?;
    let application = editable(&mut tx, viewer, seen.application_id, "id").await?;
    // As it is now that its application is held.
    let instance = instances::find(&mut tx, viewer, id).await?.ok_or_else(missing)?;
    if !instance.desired || instance.status.is_terminal() {
        return Err(UserError::invalid_state("The instance does not run any more.").into());
    }
    if application.current_release_id != Some(instance.release_id) || rules::coming(&mut tx, application.id).await?.contains(&id) {
        return Err(UserError::invalid_state("The instance is just coming, or just being replaced.").into());
    }
    let (_, operation) = enqueue_with(p, tx, viewer, application, OperationKind::Restart, |release| Payload {
        only: Some(id),
        ..Payload::of(Origin::Release, release)
    })
    .await?;
    Ok((instance, operation))
}

/// Ends all its instances, and with them what they cost (R12.4). Its releases and settings stay.
///
/// # Errors
/// It is stopped, or was never deployed.
pub async fn stop(p: &Platform, viewer: &Viewer, id: ApplicationId) -> Result<(Application, Operation)> {
    let mut tx = p.db.begin().await?;
    let mut application = editable(&mut tx, viewer, id, "id").await?;
    if application.stopped {
        return Err(UserError::invalid_state("The application is stopped already.").into());
    }
    released(&application)?;
    applications::set_stopped(&mut tx, viewer, id, true).await?;
    application.stopped = true;
    enqueue(p, tx, viewer, application, OperationKind::Stop, Origin::Nothing).await
}

/// Runs its current release again.
///
/// # Errors
/// It is not stopped, or was never deployed.
pub async fn start(p: &Platform, viewer: &Viewer, id: ApplicationId) -> Result<(Application, Operation)> {
    let mut tx = p.db.begin().await?;
    let mut application = editable(&mut tx, viewer, id, "id").await?;
    released(&application)?;
    let runs = !application.stopped && application.status != ApplicationStatus::Crashed;
    if runs {
        return Err(UserError::invalid_state("The application is not stopped.").into());
    }
    let cost = if application.stopped {
        let plan = plans::find(&mut tx, application.plan_id).await?.ok_or(Error::NotFound)?;
        reserve::More::instances(&plan, application.desired_instances)
    } else {
        reserve::More::Beginning
    };
    reserve::check(&mut tx, p, application.organization_id, cost).await?;
    applications::set_stopped(&mut tx, viewer, id, false).await?;
    applications::set_status(&mut tx, viewer, id, ApplicationStatus::Deploying, None).await?;
    application.stopped = false;
    application.status = ApplicationStatus::Deploying;
    enqueue(p, tx, viewer, application, OperationKind::Start, Origin::Release).await
}

/// An application of which another number of instances is wanted.
#[derive(Debug, Clone)]
pub struct Scaled {
    pub application: Application,
    /// `None`: nothing of it runs.
    pub operation: Option<Operation>,
    /// Instances that were wanted before.
    pub before: i64,
}

/// Changes how many web instances there are. What does not run has so many when it does, and needs no operation for it.
///
/// # Errors
/// A number beyond the plan's; a stale version.
pub async fn scale(p: &Platform, viewer: &Viewer, id: ApplicationId, count: i64, expected_version: Option<i64>) -> Result<Scaled> {
    let mut tx = p.db.begin().await?;
    let mut application = editable(&mut tx, viewer, id, "id").await?;
    if expected_version.is_some_and(|expected| expected != application.version) {
        return Err(UserError::stale(application.version).into());
    }
    let plan = plans::find(&mut tx, application.plan_id).await?.ok_or(Error::NotFound)?;
    if count < 1 {
        return Err(UserError::invalid("instances", "Use at least 1. To run none, stop the application.").into());
    }
    if count > plan.max_instances {
        let message = format!("The plan {} grants up to {} instances.", plan.name, plan.max_instances);
        let used = application.desired_instances;
        let error = UserError::new(UserErrorCode::QuotaExceeded, "instances", message);
        return Err(error.with(UserErrorData::Quota { limit: plan.max_instances, used }).into());
    }
    let more = More { applications: 0, instances: count - application.desired_instances };
    if more.instances > 0 {
        quotas::check(&mut tx, viewer, application.organization_id, more).await?;
        // What is stopped is not paid for until it starts.
        if !application.stopped {
            let cost = reserve::More::instances(&plan, more.instances);
            reserve::check(&mut tx, p, application.organization_id, cost).await?;
        }
    }
    let (before, version) = (application.desired_instances, application.version);
    application.desired_instances = count;
    application.version += 1;
    application.updated_at = p.now();
    applications::update(&mut tx, viewer, &application, version).await?;
    if application.stopped || application.current_release_id.is_none() {
        tx.commit().await?;
        tell(p, application.organization_id, id, None, &[]);
        return Ok(Scaled { application, operation: None, before });
    }
    // Whether instances come or go is decided when its turn comes.
    let (application, operation) = enqueue(p, tx, viewer, application, OperationKind::Scale, Origin::Nothing).await?;
    Ok(Scaled { application, operation: Some(operation), before })
}

/// Removes it: what is under way is called off, its containers, routes and images go, and its slug is free again.
///
/// # Errors
/// `confirm_slug` is not its slug.
pub async fn delete(p: &Platform, viewer: &Viewer, id: ApplicationId, confirm_slug: &str) -> Result<Operation> {
    let mut tx = p.db.begin().await?;
    let application = deletable(&mut tx, viewer, id).await?;
    crate::applications::require(viewer, application.organization_id, slipway_model::Role::Admin, "id", "application")?;
    if application.slug.as_str() != confirm_slug {
        return Err(UserError::invalid("confirmSlug", format!("To delete it, repeat its slug: {}.", application.slug)).into());
    }
    let failure = TaskFailure::new(rollout::CANCELED, "The application is being deleted.");
    let (mut tx, nodes) = deployments::abandon_all(p, tx, &application, &failure).await?;
    applications::set_status(&mut tx, viewer, id, ApplicationStatus::Deleting, None).await?;
    let running = instances::desired_of(&mut tx, viewer, id).await?;
    events::record(&mut tx, p, &application, "application.deleting", format!("{} is being deleted.", application.name)).await?;
    let mut nodes = nodes;
    nodes.extend(running.iter().map(|row| row.node_id));
    let (_, operation) = enqueue(p, tx, viewer, application, OperationKind::Delete, Origin::Nothing).await?;
    for node in nodes {
        p.fleet.nudge(node);
    }
    Ok(operation)
}

/// What is suspended for want of money may go as well.
async fn deletable(tx: &mut Tx, viewer: &Viewer, id: ApplicationId) -> Result<Application> {
    let suspension = suspensions::find(tx, viewer, id).await?;
    if suspension.is_some_and(|suspension| suspension.reason == SuspensionReason::InsufficientBalance) {
        return Ok(applications::lock(tx, viewer, id).await?.ok_or_else(|| UserError::not_found("id", "application"))?);
    }
    editable(tx, viewer, id, "id").await
}

fn released(application: &Application) -> Result<()> {
    match application.current_release_id {
        Some(_) => Ok(()),
        None => Err(UserError::invalid_state("The application has never been deployed.").into()),
    }
}

async fn enqueue(
    p: &Platform,
    tx: Tx,
    viewer: &Viewer,
    application: Application,
    kind: OperationKind,
    origin: Origin,
) -> Result<(Application, Operation)> {
    enqueue_with(p, tx, viewer, application, kind, |release| Payload::of(origin, release)).await
}

async fn enqueue_with(
    p: &Platform,
    mut tx: Tx,
    viewer: &Viewer,
    application: Application,
    kind: OperationKind,
    payload: impl FnOnce(Option<ReleaseId>) -> Payload,
) -> Result<(Application, Operation)> {
    let operation = NewOperation {
        kind,
        organization: application.organization_id,
        application: application.id,
        deployment: None,
        payload: payload(application.current_release_id),
        created_by: viewer.user_id(),
    };
    let operation = operations::enqueue(&mut tx, p, operation).await?;
    tx.commit().await?;
    tell(p, application.organization_id, application.id, None, &[]);
    Ok((application, operation))
}
