//! Work for agents, and how far they have come with it.

use std::collections::HashMap;

use serde_json::Value;
use slipway_model::{
    ApplicationId, DeploymentId, NodeId, OperationId, OrganizationId, TaskId, Timestamp, Viewer,
    state::{TaskKind, TaskStatus},
};

use crate::{StoreError, Tx};

row! {
    pub struct Task {
        pub id: TaskId,
        pub organization_id: OrganizationId,
        pub application_id: ApplicationId,
        pub deployment_id: DeploymentId,
        pub operation_id: Option<OperationId>,
        pub node_id: NodeId,
        pub kind: TaskKind,
        pub status: TaskStatus,
        /// The protocol's `TaskSpec`, sealed: it carries secrets.
        pub spec_ciphertext: Vec<u8>,
        /// The protocol's `Outcome`.
        pub outcome: Option<Value>,
        /// Of its events, up to which all are stored.
        pub last_sequence: i64,
        pub deadline: Timestamp,
        pub created_at: Timestamp,
        pub finished_at: Option<Timestamp>,
    }
}

pub async fn find(tx: &mut Tx, id: TaskId) -> Result<Option<Task>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM tasks WHERE id = $1", id)
}

/// What the node has to do, oldest first.
pub async fn unfinished_of_node(tx: &mut Tx, node: NodeId) -> Result<Vec<Task>, StoreError> {
    fetch_all!(tx, "SELECT * FROM tasks WHERE node_id = $1 AND status IN ('queued', 'running') ORDER BY created_at, id", node)
}

pub async fn of_deployment(tx: &mut Tx, deployment: DeploymentId) -> Result<Vec<Task>, StoreError> {
    fetch_all!(tx, "SELECT * FROM tasks WHERE deployment_id = $1 ORDER BY created_at, id", deployment)
}

/// What each deployment's build came to: the protocol's `Outcome` of its last build task that has ended; the others are left out.
pub async fn build_outcomes_of(
    tx: &mut Tx,
    viewer: &Viewer,
    deployments: &[DeploymentId],
) -> Result<HashMap<DeploymentId, Value>, StoreError> {
    let sql = sql!("SELECT deployment_id, outcome FROM tasks WHERE kind = $1 AND outcome IS NOT NULL", TaskKind::Build)
        .any("deployment_id", deployments.iter().copied())
        .within_application("organization_id", "application_id", viewer);
    let rows: Vec<(DeploymentId, Value)> = fetch_all!(tx, sql.push(" ORDER BY created_at, id"))?;
    Ok(rows.into_iter().collect())
}

pub async fn insert(tx: &mut Tx, task: &Task) -> Result<(), StoreError> {
    execute!(
        tx,
        "INSERT INTO tasks (id, organization_id, application_id, deployment_id, operation_id, node_id, kind, status, spec_ciphertext,
             outcome, last_sequence, deadline, created_at, finished_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        task.id,
        task.organization_id,
        task.application_id,
        task.deployment_id,
        task.operation_id,
        task.node_id,
        task.kind,
        task.status,
        &task.spec_ciphertext,
        task.outcome.as_ref(),
        task.last_sequence,
        task.deadline,
        task.created_at,
        task.finished_at
    )?;
    Ok(())
}

/// Counts one event: the next after `sequence - 1`, of a task that has not ended. `false`: it was counted before, comes too
/// early, or the task has ended.
pub async fn count_event(tx: &mut Tx, id: TaskId, sequence: i64) -> Result<bool, StoreError> {
    let rows = execute!(
        tx,
        "UPDATE tasks SET last_sequence = $2, status = 'running'
         WHERE id = $1 AND last_sequence = $2 - 1 AND status IN ('queued', 'running')",
        id,
        sequence
    )?;
    Ok(rows == 1)
}

/// `false`: it has ended before.
pub async fn finish(tx: &mut Tx, id: TaskId, status: TaskStatus, outcome: &Value, now: Timestamp) -> Result<bool, StoreError> {
    let rows = execute!(
        tx,
        "UPDATE tasks SET status = $2, outcome = $3, finished_at = $4 WHERE id = $1 AND status IN ('queued', 'running')",
        id,
        status,
        outcome,
        now
    )?;
    Ok(rows == 1)
}

/// Cancels what an operation still has agents do. Gives their nodes.
pub async fn cancel_of_operation(tx: &mut Tx, operation: OperationId, now: Timestamp) -> Result<Vec<NodeId>, StoreError> {
    let rows: Vec<(NodeId,)> = fetch_all!(
        tx,
        "UPDATE tasks SET status = 'canceled', finished_at = $2 WHERE operation_id = $1 AND status IN ('queued', 'running')
         RETURNING node_id",
        operation,
        now
    )?;
    Ok(rows.into_iter().map(|(node,)| node).collect())
}
