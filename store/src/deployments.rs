//! Deployments and their steps: what was asked for, how far it came, and why it failed.

use std::collections::HashMap;

use serde_json::Value;
use slipway_model::{
    ApplicationId, DeploymentId, NodeId, OrganizationId, ReleaseId, Timestamp, UserId, Viewer,
    state::{DeploymentStatus, DeploymentTrigger, StepKind, StepStatus},
};

use crate::{Cursor, Listed, Order, Page, Slice, StoreError, Tx};

row! {
    pub struct Deployment {
        pub id: DeploymentId,
        pub organization_id: OrganizationId,
        pub application_id: ApplicationId,
        /// From 1, within the application.
        pub number: i64,
        pub status: DeploymentStatus,
        pub status_reason: Option<String>,
        /// The protocol's `TaskFailure`.
        pub failure: Option<Value>,
        pub trigger: DeploymentTrigger,
        /// What is deployed: the protocol's `SourceSpec`, or an image.
        pub source: Value,
        pub commit_sha: Option<String>,
        pub commit_message: Option<String>,
        pub branch: Option<String>,
        pub release_id: Option<ReleaseId>,
        pub rollback_of: Option<DeploymentId>,
        pub node_id: Option<NodeId>,
        pub plan: Option<Value>,
        pub plan_digest: Option<String>,
        pub tool_lock: Option<Value>,
        pub attempt: i64,
        pub created_by: Option<UserId>,
        pub created_at: Timestamp,
        pub started_at: Option<Timestamp>,
        pub finished_at: Option<Timestamp>,
    }
}

row! {
    pub struct DeploymentStep {
        pub deployment_id: DeploymentId,
        pub kind: StepKind,
        pub status: StepStatus,
        pub attempt: i64,
        pub message: Option<String>,
        pub started_at: Option<Timestamp>,
        pub finished_at: Option<Timestamp>,
    }
}

impl Listed for Deployment {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

pub async fn find(tx: &mut Tx, viewer: &Viewer, id: DeploymentId) -> Result<Option<Deployment>, StoreError> {
    fetch_optional!(tx, sql!("SELECT * FROM deployments WHERE id = $1", id).within_application("organization_id", "application_id", viewer))
}

pub async fn by_ids(tx: &mut Tx, viewer: &Viewer, ids: &[DeploymentId]) -> Result<HashMap<DeploymentId, Deployment>, StoreError> {
    let sql = sql!("SELECT * FROM deployments WHERE 1 = 1").any("id", ids.iter().copied()).within_application(
        "organization_id",
        "application_id",
        viewer,
    );
    let rows: Vec<Deployment> = fetch_all!(tx, sql)?;
    Ok(rows.into_iter().map(|deployment| (deployment.id, deployment)).collect())
}

/// Of each application, newest first.
pub async fn of_each_application(
    tx: &mut Tx,
    viewer: &Viewer,
    applications: &[ApplicationId],
    statuses: Option<&[DeploymentStatus]>,
    page: &Page,
) -> Result<HashMap<ApplicationId, Slice<Deployment>>, StoreError> {
    let list = |application| {
        let sql = sql!("SELECT * FROM deployments WHERE application_id = $1", application);
        match statuses {
            Some(statuses) => sql.any("status", statuses.iter().copied()),
            None => sql,
        }
    };
    tx.fetch_slices(
        applications,
        list,
        |sql| sql.within_application("organization_id", "application_id", viewer),
        |row: &Deployment| row.application_id,
        page,
        Order::NewestFirst,
    )
    .await
}

/// The number that the application's next deployment has. To be asked in the transaction that inserts it.
pub async fn next_number(tx: &mut Tx, application: ApplicationId) -> Result<i64, StoreError> {
    let (number,): (i64,) = fetch_one!(tx, "SELECT COALESCE(MAX(number), 0) + 1 FROM deployments WHERE application_id = $1", application)?;
    Ok(number)
}

/// The application's deployments that are in one of these states, oldest first.
pub async fn in_states(tx: &mut Tx, application: ApplicationId, states: &[DeploymentStatus]) -> Result<Vec<Deployment>, StoreError> {
    let sql = sql!("SELECT * FROM deployments WHERE application_id = $1", application).any("status", states.iter().copied());
    fetch_all!(tx, sql.push(" ORDER BY number"))
}

/// With all its steps pending.
pub async fn insert(tx: &mut Tx, deployment: &Deployment) -> Result<(), StoreError> {
    execute!(
        tx,
        "INSERT INTO deployments (id, organization_id, application_id, number, status, status_reason, failure, trigger, source,
             commit_sha, commit_message, branch, release_id, rollback_of, node_id, plan, plan_digest, tool_lock, attempt, created_by,
             created_at, started_at, finished_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)",
        deployment.id,
        deployment.organization_id,
        deployment.application_id,
        deployment.number,
        deployment.status,
        deployment.status_reason.as_ref(),
        deployment.failure.as_ref(),
        deployment.trigger,
        &deployment.source,
        deployment.commit_sha.as_ref(),
        deployment.commit_message.as_ref(),
        deployment.branch.as_ref(),
        deployment.release_id,
        deployment.rollback_of,
        deployment.node_id,
        deployment.plan.as_ref(),
        deployment.plan_digest.as_ref(),
        deployment.tool_lock.as_ref(),
        deployment.attempt,
        deployment.created_by,
        deployment.created_at,
        deployment.started_at,
        deployment.finished_at
    )?;
    for kind in StepKind::ALL {
        execute!(
            tx,
            "INSERT INTO deployment_steps (deployment_id, kind, status, attempt) VALUES ($1, $2, $3, $4)",
            deployment.id,
            *kind,
            StepStatus::Pending,
            deployment.attempt
        )?;
    }
    Ok(())
}

/// Writes what changes while it proceeds.
pub async fn update(tx: &mut Tx, deployment: &Deployment) -> Result<(), StoreError> {
    execute!(
        tx,
        "UPDATE deployments SET status = $2, status_reason = $3, failure = $4, commit_sha = $5, commit_message = $6, release_id = $7,
             node_id = $8, plan = $9, plan_digest = $10, tool_lock = $11, attempt = $12, started_at = $13, finished_at = $14
         WHERE id = $1",
        deployment.id,
        deployment.status,
        deployment.status_reason.as_ref(),
        deployment.failure.as_ref(),
        deployment.commit_sha.as_ref(),
        deployment.commit_message.as_ref(),
        deployment.release_id,
        deployment.node_id,
        deployment.plan.as_ref(),
        deployment.plan_digest.as_ref(),
        deployment.tool_lock.as_ref(),
        deployment.attempt,
        deployment.started_at,
        deployment.finished_at
    )?;
    Ok(())
}

/// In the order in which they are done.
pub async fn steps(tx: &mut Tx, viewer: &Viewer, deployment: DeploymentId) -> Result<Vec<DeploymentStep>, StoreError> {
    Ok(steps_of(tx, viewer, &[deployment]).await?.remove(&deployment).unwrap_or_default())
}

/// The steps of several deployments, each in the order in which they are done.
pub async fn steps_of(
    tx: &mut Tx,
    viewer: &Viewer,
    deployments: &[DeploymentId],
) -> Result<HashMap<DeploymentId, Vec<DeploymentStep>>, StoreError> {
    let sql = sql!("SELECT s.* FROM deployment_steps s JOIN deployments d ON d.id = s.deployment_id WHERE 1 = 1")
        .any("s.deployment_id", deployments.iter().copied())
        .within_application("d.organization_id", "d.application_id", viewer);
    let mut rows: Vec<DeploymentStep> = fetch_all!(tx, sql)?;
    rows.sort_by_key(|step| step.kind);
    let mut steps: HashMap<DeploymentId, Vec<DeploymentStep>> = HashMap::new();
    for step in rows {
        steps.entry(step.deployment_id).or_default().push(step);
    }
    Ok(steps)
}

/// A step that has not ended begins, or says something. One that ended stays as it is.
pub async fn begin_step(
    tx: &mut Tx,
    deployment: DeploymentId,
    kind: StepKind,
    message: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    execute!(
        tx,
        "UPDATE deployment_steps SET status = 'running', message = COALESCE($3, message), started_at = COALESCE(started_at, $4)
         WHERE deployment_id = $1 AND kind = $2 AND status IN ('pending', 'running')",
        deployment,
        kind,
        message,
        now
    )?;
    Ok(())
}

/// A step ends. One that ended stays as it is.
pub async fn end_step(
    tx: &mut Tx,
    deployment: DeploymentId,
    kind: StepKind,
    status: StepStatus,
    message: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    execute!(
        tx,
        "UPDATE deployment_steps SET status = $3, message = COALESCE($4, message), started_at = COALESCE(started_at, $5), finished_at = $5
         WHERE deployment_id = $1 AND kind = $2 AND status IN ('pending', 'running')",
        deployment,
        kind,
        status,
        message,
        now
    )?;
    Ok(())
}

/// Ends every step that has not ended: those under way as `running`, those to come as `pending`.
pub async fn end_steps(
    tx: &mut Tx,
    deployment: DeploymentId,
    running: StepStatus,
    pending: StepStatus,
    message: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    execute!(
        tx,
        "UPDATE deployment_steps SET status = $2, message = COALESCE($3, message), finished_at = $4
         WHERE deployment_id = $1 AND status = 'running'",
        deployment,
        running,
        message,
        now
    )?;
    execute!(tx, "UPDATE deployment_steps SET status = $2 WHERE deployment_id = $1 AND status = 'pending'", deployment, pending)?;
    Ok(())
}
