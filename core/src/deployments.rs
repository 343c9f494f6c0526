//! Deployments: asking for one, calling one off, and going back to an earlier one.

mod cancel;
mod read;
mod source;

use slipway_model::{
    ApplicationId, DeploymentId, OrganizationId, ReleaseId, Role, Sha256Digest, Timestamp, Viewer,
    state::{ApplicationStatus, DeploymentStatus, DeploymentTrigger, OperationKind, OperationStatus},
};
use slipway_protocol::{SourceSpec, TaskFailure};
use slipway_store::{
    Tx,
    applications::{self, Application},
    deployments::{self, Deployment},
    idempotency::{self, Request, Seen},
    operations::{self as queue, Operation},
    plans, releases as stored,
};

pub(crate) use cancel::abandon_all;
pub use cancel::cancel;
pub use read::{LAST_LINES, build_log, build_log_length, can_cancel, can_rollback, failure, find, last_lines};
pub use source::{DeploySource, DeploymentSource};
use source::{read_source, source};

use crate::{
    Platform,
    applications::require,
    billing::reserve,
    changes::Changed,
    error::{Error, Result, UserError, UserErrorCode},
    events,
    operations::{self, NewOperation, Origin, Payload},
    rollout,
};

/// The runtime that stands for Dockerfiles and ready images: switched off, neither is taken (R2.4).
const IMAGE_RUNTIME: &str = "docker";
const LONGEST_KEY: usize = 200;

#[derive(Debug, Clone)]
pub struct DeployRequest {
    pub application: ApplicationId,
    /// `None`: the newest of the application's source.
    pub source: Option<DeploySource>,
    /// Whether it is built without what earlier builds have left. From then on the application's caches are those of this build.
    pub fresh: bool,
    /// The same key and input within a day give the same deployment.
    pub idempotency_key: Option<String>,
    pub trigger: DeploymentTrigger,
}

/// Asks for a deployment. It is recorded with its operation before this answers (R7).
///
/// # Errors
/// Refusals of the input, and of the application's state.
pub async fn request(p: &Platform, viewer: &Viewer, request: DeployRequest) -> Result<(Deployment, Operation)> {
    let takes_images = p.plugins.runtime(IMAGE_RUNTIME).await.is_some();
    let mut tx = p.db.begin().await?;
    let application = editable(&mut tx, viewer, request.application, "id").await?;
    let id = DeploymentId::new(&*p.clock);
    let fresh = if request.fresh { "\nfresh" } else { "" };
    let input = format!("{}\n{:?}{fresh}", application.id, request.source);
    if let Some(before) = repeated(&mut tx, p, viewer, &application, "applicationDeploy", request.idempotency_key, &input, id).await? {
        return Ok(before);
    }
    let source = source(&mut tx, p, viewer, &application, request.source).await?;
    let origin = match source {
        DeploymentSource::Code(_) => Origin::Source,
        DeploymentSource::Image(_) if !takes_images => {
            let message = "Ready images are switched off on this platform.";
            return Err(UserError::new(UserErrorCode::Unsupported, "source.image", message).into());
        }
        DeploymentSource::Image(_) if request.fresh => {
            return Err(UserError::invalid("clearCache", "A ready image is not built: there is no cache of it.").into());
        }
        DeploymentSource::Image(_) => Origin::Image,
    };
    let (trigger, fresh) = (request.trigger, request.fresh);
    let new = New { id, source, origin, trigger, release: None, rollback_of: None, until: None, fresh };
    start(p, tx, viewer, &application, new).await
}

/// Deploys again what a deployment deployed, with the application's settings as they are now.
///
/// # Errors
/// As [`request`].
pub async fn redeploy(p: &Platform, viewer: &Viewer, id: DeploymentId, key: Option<String>) -> Result<(Deployment, Operation)> {
    again(p, viewer, id, key, DeploymentTrigger::Redeploy, None).await
}

/// Deploys the application's present source again because its variables have changed (R9.5). `None`: it was never deployed, so
/// that there is nothing to change.
///
/// # Errors
/// As [`request`].
pub async fn redeploy_for_variables(p: &Platform, viewer: &Viewer, application: ApplicationId) -> Result<Option<(Deployment, Operation)>> {
    let row = applications::find(&mut p.db.read_as(viewer).await?, viewer, application).await?;
    let row = row.ok_or_else(|| UserError::not_found("id", "application"))?;
    match row.current_deployment_id.filter(|_| row.current_release_id.is_some()) {
        Some(current) => again(p, viewer, current, None, DeploymentTrigger::EnvChange, None).await.map(Some),
        None => Ok(None),
    }
}

async fn again(
    p: &Platform,
    viewer: &Viewer,
    id: DeploymentId,
    key: Option<String>,
    trigger: DeploymentTrigger,
    until: Option<Timestamp>,
) -> Result<(Deployment, Operation)> {
    let mut tx = p.db.begin().await?;
    let earlier = visible(&mut tx, viewer, id).await?;
    let application = editable(&mut tx, viewer, earlier.application_id, "id").await?;
    let new_id = DeploymentId::new(&*p.clock);
    if let Some(before) = repeated(&mut tx, p, viewer, &application, "deploymentRedeploy", key, &id.to_string(), new_id).await? {
        return Ok(before);
    }
    let source = match read_source(&earlier)? {
        DeploymentSource::Code(SourceSpec::Git { url, branch, commit }) => {
            DeploymentSource::Code(SourceSpec::Git { url, branch, commit: earlier.commit_sha.clone().or(commit) })
        }
        other => other,
    };
    let origin = if matches!(source, DeploymentSource::Image(_)) { Origin::Image } else { Origin::Source };
    let new = New { id: new_id, source, origin, trigger, release: None, rollback_of: None, until, fresh: false };
    start(p, tx, viewer, &application, new).await
}

/// Deploys what an application has live once more, for its node is to be left: a release lives on the node that built it, so that it
/// is built again on another one. What is not done `until` then stays where it is.
///
/// # Errors
/// It has nothing live.
pub(crate) async fn move_away(p: &Platform, application: &Application, until: Timestamp) -> Result<(Deployment, Operation)> {
    let live = application.current_deployment_id.ok_or_else(|| UserError::invalid_state("The application has nothing live."))?;
    again(p, &Viewer::Platform, live, None, DeploymentTrigger::Redeploy, Some(until)).await
}

/// Goes back to what a deployment brought: the same image and the same variables, without a build.
///
/// # Errors
/// It never became live, or its image is not kept any more.
pub async fn rollback(p: &Platform, viewer: &Viewer, id: DeploymentId, key: Option<String>) -> Result<(Deployment, Operation)> {
    let mut tx = p.db.begin().await?;
    let earlier = visible(&mut tx, viewer, id).await?;
    let application = editable(&mut tx, viewer, earlier.application_id, "id").await?;
    let new_id = DeploymentId::new(&*p.clock);
    if let Some(before) = repeated(&mut tx, p, viewer, &application, "deploymentRollback", key, &id.to_string(), new_id).await? {
        return Ok(before);
    }
    let release = earlier.release_id.filter(|_| can_rollback(&earlier));
    let release = release.ok_or_else(|| UserError::invalid_state("That deployment was never live, so there is nothing to return to."))?;
    let kept = stored::newest(&mut tx, application.id, crate::releases::KEPT).await?;
    if !kept.iter().any(|kept| kept.id == release) && application.current_release_id != Some(release) {
        let message = format!("Only the last {} releases are kept; this one is older. Deploy its commit again.", crate::releases::KEPT);
        return Err(UserError::invalid_state(message).into());
    }
    let new = New {
        id: new_id,
        source: read_source(&earlier)?,
        origin: Origin::Release,
        trigger: DeploymentTrigger::Rollback,
        release: Some(release),
        rollback_of: Some(earlier.id),
        until: None,
        fresh: false,
    };
    let commit = (earlier.commit_sha.clone(), earlier.commit_message.clone());
    start_at(p, tx, viewer, &application, new, commit).await
}

struct New {
    id: DeploymentId,
    source: DeploymentSource,
    origin: Origin,
    trigger: DeploymentTrigger,
    release: Option<ReleaseId>,
    rollback_of: Option<DeploymentId>,
    /// See [`Payload::until`].
    until: Option<Timestamp>,
    /// See [`Payload::fresh`].
    fresh: bool,
}

async fn start(p: &Platform, tx: Tx, viewer: &Viewer, application: &Application, new: New) -> Result<(Deployment, Operation)> {
    start_at(p, tx, viewer, application, new, (None, None)).await
}

/// Records the deployment and its operation. One that waits for its turn is left out for this one.
async fn start_at(
    p: &Platform,
    mut tx: Tx,
    viewer: &Viewer,
    application: &Application,
    new: New,
    (commit_sha, commit_message): (Option<String>, Option<String>),
) -> Result<(Deployment, Operation)> {
    let now = p.now();
    let more = if application.stopped {
        let plan = plans::find(&mut tx, application.plan_id).await?.ok_or(Error::NotFound)?;
        reserve::More::instances(&plan, application.desired_instances)
    } else if application.current_release_id.is_none() {
        reserve::More::Beginning
    } else {
        reserve::More::Nothing
    };
    reserve::check(&mut tx, p, application.organization_id, more).await?;
    let mut nodes = Vec::new();
    let superseded = TaskFailure::new(rollout::CANCELED, "A newer deployment was asked for before this one began.");
    for waiting in queue::unfinished_of(&mut tx, application.id).await? {
        if waiting.kind != OperationKind::Deploy || waiting.status != OperationStatus::Queued {
            continue;
        }
        // A worker may take it at this moment: then it goes on, and this one waits.
        if !queue::end(&mut tx, waiting.id, OperationStatus::Canceled, Some(&superseded.message), now).await? {
            continue;
        }
        let ended = queue::find(&mut tx, &Viewer::Platform, waiting.id).await?.ok_or(Error::NotFound)?;
        let (back, touched) = operations::abandon(p, tx, ended, application.clone(), DeploymentStatus::Superseded, &superseded).await?;
        tx = back;
        nodes.extend(touched);
    }
    let (branch, commit) = match &new.source {
        DeploymentSource::Code(SourceSpec::Git { branch, commit, .. }) => (Some(branch.to_string()), commit.clone()),
        _ => (None, None),
    };
    let deployment = Deployment {
        id: new.id,
        organization_id: application.organization_id,
        application_id: application.id,
        number: deployments::next_number(&mut tx, application.id).await?,
        status: DeploymentStatus::Queued,
        status_reason: None,
        failure: None,
        trigger: new.trigger,
        source: serde_json::to_value(&new.source).map_err(|error| Error::internal(anyhow::Error::from(error)))?,
        commit_sha: commit_sha.or(commit),
        commit_message,
        branch,
        release_id: new.release,
        rollback_of: new.rollback_of,
        node_id: None,
        plan: None,
        plan_digest: None,
        tool_lock: None,
        attempt: 1,
        created_by: viewer.user_id(),
        created_at: now,
        started_at: None,
        finished_at: None,
    };
    deployments::insert(&mut tx, &deployment).await?;
    let operation = NewOperation {
        kind: OperationKind::Deploy,
        organization: application.organization_id,
        application: application.id,
        deployment: Some(deployment.id),
        payload: Payload { until: new.until, fresh: new.fresh, ..Payload::of(new.origin, new.release) },
        created_by: viewer.user_id(),
    };
    let operation = operations::enqueue(&mut tx, p, operation).await?;
    if application.current_release_id.is_none() || application.status == ApplicationStatus::Stopped {
        // What serves keeps its status; what does not, is on its way.
        applications::set_status(&mut tx, &Viewer::Platform, application.id, ApplicationStatus::Deploying, None).await?;
    }
    events::record(&mut tx, p, application, "deployment.requested", format!("Deployment {} was asked for.", deployment.number)).await?;
    p.crash.reach("deploy.before_request").await;
    slipway_store::audit::note_subject(new.id);
    tx.commit().await?;
    p.crash.reach("deploy.after_request").await;
    tell(p, application.organization_id, application.id, Some(deployment.id), &nodes);
    Ok((deployment, operation))
}

/// After a commit: whoever watches, the workers, and the nodes.
pub(crate) fn tell(
    p: &Platform,
    organization: OrganizationId,
    application: ApplicationId,
    deployment: Option<DeploymentId>,
    nodes: &[slipway_model::NodeId],
) {
    p.changes.publish(Some(organization), Changed::Application(application));
    if let Some(deployment) = deployment {
        p.changes.publish(Some(organization), Changed::Deployment(deployment));
    }
    p.changes.publish(Some(organization), Changed::Events);
    for node in nodes {
        p.fleet.nudge(*node);
    }
    p.wake.wake();
}

/// An application that the viewer may change, held until the transaction ends.
pub(crate) async fn editable(tx: &mut Tx, viewer: &Viewer, id: ApplicationId, path: &str) -> Result<Application> {
    let application = applications::lock(tx, viewer, id).await?.ok_or_else(|| UserError::not_found(path, "application"))?;
    require(viewer, application.organization_id, Role::Member, path, "application")?;
    match application.status {
        ApplicationStatus::Deleting => Err(UserError::invalid_state("The application is being deleted.").into()),
        ApplicationStatus::Suspended => Err(UserError::invalid_state("The application is suspended.").into()),
        _ => Ok(application),
    }
}

async fn visible(tx: &mut Tx, viewer: &Viewer, id: DeploymentId) -> Result<Deployment> {
    Ok(deployments::find(tx, viewer, id).await?.ok_or_else(|| UserError::not_found("id", "deployment"))?)
}

/// The answer that the same request got before, if it was made before.
#[expect(clippy::too_many_arguments, reason = "each is one part of what a request is recognised by")]
async fn repeated(
    tx: &mut Tx,
    p: &Platform,
    viewer: &Viewer,
    application: &Application,
    mutation: &str,
    key: Option<String>,
    input: &str,
    id: DeploymentId,
) -> Result<Option<(Deployment, Operation)>> {
    let Some(key) = key else { return Ok(None) };
    if key.is_empty() || key.len() > LONGEST_KEY {
        return Err(UserError::invalid("idempotencyKey", format!("Use 1 to {LONGEST_KEY} characters.")).into());
    }
    let request = Request { organization: application.organization_id, mutation, key: &key, input: Sha256Digest::of(input.as_bytes()) };
    match idempotency::remember(tx, viewer, request, id, p.now()).await? {
        Seen::First => Ok(None),
        Seen::Differently => {
            let message = "This key was used for another request within the last day. Use another key.";
            Err(UserError::conflict("idempotencyKey", message).into())
        }
        Seen::Before(before) => {
            let deployment = visible(tx, viewer, DeploymentId::from_uuid(before)).await?;
            let operation = queue::of_deployment(tx, viewer, deployment.id).await?.ok_or(Error::NotFound)?;
            Ok(Some((deployment, operation)))
        }
    }
}
