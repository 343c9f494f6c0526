//! Durable work. A worker takes an operation by a lease and a fence; whatever it writes, it writes only while it holds both.

use std::collections::HashMap;

use serde_json::Value;
use slipway_model::{
    ApplicationId, DeploymentId, OperationId, OrganizationId, Timestamp, UserId, Viewer,
    state::{OperationKind, OperationStatus},
};

use crate::{Cursor, Engine, Listed, Order, Page, Slice, Sql, StoreError, Tx};

row! {
    pub struct Operation {
        pub id: OperationId,
        pub organization_id: Option<OrganizationId>,
        pub kind: OperationKind,
        pub status: OperationStatus,
        pub application_id: Option<ApplicationId>,
        pub deployment_id: Option<DeploymentId>,
        /// What its worker has to remember between steps.
        pub payload: Value,
        pub step: Option<String>,
        /// Failed tries of the present step.
        pub attempt: i64,
        pub max_attempts: i64,
        pub lease_owner: Option<String>,
        pub lease_until: Option<Timestamp>,
        /// Counts its claims. Only the worker of the latest may write.
        pub fence: i64,
        pub next_run_at: Timestamp,
        /// By then it has ended, if its turn has come: its time counts from there.
        pub deadline: Timestamp,
        pub error: Option<String>,
        pub created_by: Option<UserId>,
        pub created_at: Timestamp,
        pub started_at: Option<Timestamp>,
        pub finished_at: Option<Timestamp>,
    }
}

impl Listed for Operation {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

pub async fn find(tx: &mut Tx, viewer: &Viewer, id: OperationId) -> Result<Option<Operation>, StoreError> {
    fetch_optional!(tx, sql!("SELECT * FROM operations WHERE id = $1", id).within_application("organization_id", "application_id", viewer))
}

pub async fn by_ids(tx: &mut Tx, viewer: &Viewer, ids: &[OperationId]) -> Result<HashMap<OperationId, Operation>, StoreError> {
    let sql = sql!("SELECT * FROM operations WHERE 1 = 1").any("id", ids.iter().copied()).within_application(
        "organization_id",
        "application_id",
        viewer,
    );
    let rows: Vec<Operation> = fetch_all!(tx, sql)?;
    Ok(rows.into_iter().map(|operation| (operation.id, operation)).collect())
}

/// Of each application, newest first.
pub async fn of_each_application(
    tx: &mut Tx,
    viewer: &Viewer,
    applications: &[ApplicationId],
    page: &Page,
) -> Result<HashMap<ApplicationId, Slice<Operation>>, StoreError> {
    let list = |application| sql!("SELECT * FROM operations WHERE application_id = $1", application);
    tx.fetch_slices(
        applications,
        list,
        |sql| sql.within_application("organization_id", "application_id", viewer),
        |row: &Operation| row.application_id,
        page,
        Order::NewestFirst,
    )
    .await
}

/// Newest first.
pub async fn of_application(tx: &mut Tx, viewer: &Viewer, application: ApplicationId, page: &Page) -> Result<Slice<Operation>, StoreError> {
    let sql = sql!("SELECT * FROM operations WHERE application_id = $1", application).within_application(
        "organization_id",
        "application_id",
        viewer,
    );
    tx.fetch_slice(sql, page, Order::NewestFirst).await
}

/// Newest first, of every organization that the viewer sees.
pub async fn list(tx: &mut Tx, viewer: &Viewer, statuses: Option<&[OperationStatus]>, page: &Page) -> Result<Slice<Operation>, StoreError> {
    let mut sql = sql!("SELECT * FROM operations WHERE 1 = 1").within_application("organization_id", "application_id", viewer);
    if let Some(statuses) = statuses {
        sql = sql.any("status", statuses.iter().copied());
    }
    tx.fetch_slice(sql, page, Order::NewestFirst).await
}

pub async fn of_deployment(tx: &mut Tx, viewer: &Viewer, deployment: DeploymentId) -> Result<Option<Operation>, StoreError> {
    let sql = sql!("SELECT * FROM operations WHERE deployment_id = $1", deployment).within_application(
        "organization_id",
        "application_id",
        viewer,
    );
    fetch_optional!(tx, sql.push(" ORDER BY created_at DESC, id DESC LIMIT 1"))
}

/// Those of an application that have not ended, oldest first.
pub async fn unfinished_of(tx: &mut Tx, application: ApplicationId) -> Result<Vec<Operation>, StoreError> {
    fetch_all!(
        tx,
        "SELECT * FROM operations WHERE application_id = $1 AND status IN ('queued', 'running') ORDER BY created_at, id",
        application
    )
}

pub async fn insert(tx: &mut Tx, operation: &Operation) -> Result<(), StoreError> {
    execute!(
        tx,
        "INSERT INTO operations (id, organization_id, kind, status, application_id, deployment_id, payload, step, attempt,
             max_attempts, lease_owner, lease_until, fence, next_run_at, deadline, error, created_by, created_at, started_at,
             finished_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        operation.id,
        operation.organization_id,
        operation.kind,
        operation.status,
        operation.application_id,
        operation.deployment_id,
        &operation.payload,
        operation.step.as_ref(),
        operation.attempt,
        operation.max_attempts,
        operation.lease_owner.as_ref(),
        operation.lease_until,
        operation.fence,
        operation.next_run_at,
        operation.deadline,
        operation.error.as_ref(),
        operation.created_by,
        operation.created_at,
        operation.started_at,
        operation.finished_at
    )?;
    Ok(())
}

/// Takes the operation that has waited longest, and counts its fence up. An application's operations run one after another, in
/// the order in which they were asked for.
pub async fn claim(tx: &mut Tx, owner: &str, now: Timestamp, lease_until: Timestamp) -> Result<Option<Operation>, StoreError> {
    const DUE: &str = "SELECT o.id FROM operations o
        WHERE o.status IN ('queued', 'running') AND o.next_run_at <= $1 AND (o.lease_until IS NULL OR o.lease_until <= $1)
          AND NOT EXISTS (
              SELECT 1 FROM operations e WHERE e.application_id = o.application_id AND e.status IN ('queued', 'running')
                AND (e.created_at, e.id) < (o.created_at, o.id))
        ORDER BY o.next_run_at, o.id LIMIT 1";
    // What another worker is about to take is passed over rather than waited for. SQLite has one writer anyway.
    let due = match tx.engine() {
        Engine::Postgres => Sql::new(DUE).push(" FOR UPDATE OF o SKIP LOCKED"),
        Engine::Sqlite => Sql::new(DUE),
    };
    let Some((id,)): Option<(OperationId,)> = fetch_optional!(tx, due.bind(now))? else { return Ok(None) };
    let operation = fetch_one!(
        tx,
        "UPDATE operations SET status = 'running', lease_owner = $2, lease_until = $4, fence = fence + 1,
             started_at = COALESCE(started_at, $3)
         WHERE id = $1 RETURNING *",
        id,
        owner,
        now,
        lease_until
    )?;
    Ok(Some(operation))
}

/// Gives back every lease. For a control plane that starts and knows that it is the only one: whoever held them is gone, and if
/// not, its fence is old by its next claim.
pub async fn release_leases(tx: &mut Tx) -> Result<u64, StoreError> {
    execute!(tx, "UPDATE operations SET lease_owner = NULL, lease_until = NULL, fence = fence + 1 WHERE lease_until IS NOT NULL")
}

/// Makes the lease longer, and keeps the row for this transaction. `false`: the worker does not hold it any more.
pub async fn hold(tx: &mut Tx, id: OperationId, fence: i64, lease_until: Timestamp) -> Result<bool, StoreError> {
    let rows =
        execute!(tx, "UPDATE operations SET lease_until = $3 WHERE id = $1 AND fence = $2 AND status = 'running'", id, fence, lease_until)?;
    Ok(rows == 1)
}

/// Writes what the worker has come to, and gives the lease back. `false`: the worker does not hold it any more.
pub async fn save(tx: &mut Tx, operation: &Operation) -> Result<bool, StoreError> {
    let rows = execute!(
        tx,
        "UPDATE operations SET status = $3, payload = $4, step = $5, attempt = $6, next_run_at = $7, deadline = $8, error = $9,
             finished_at = $10, lease_owner = NULL, lease_until = NULL
         WHERE id = $1 AND fence = $2 AND status = 'running'",
        operation.id,
        operation.fence,
        operation.status,
        &operation.payload,
        operation.step.as_ref(),
        operation.attempt,
        operation.next_run_at,
        operation.deadline,
        operation.error.as_ref(),
        operation.finished_at
    )?;
    Ok(rows == 1)
}

/// Ends it whoever holds it, and shuts that worker out. `false`: it has ended before.
pub async fn end(tx: &mut Tx, id: OperationId, status: OperationStatus, error: Option<&str>, now: Timestamp) -> Result<bool, StoreError> {
    let rows = execute!(
        tx,
        "UPDATE operations SET status = $2, error = $3, finished_at = $4, fence = fence + 1, lease_owner = NULL, lease_until = NULL
         WHERE id = $1 AND status IN ('queued', 'running')",
        id,
        status,
        error,
        now
    )?;
    Ok(rows == 1)
}

/// There is news for the operations of these applications: they are to be looked at now.
pub async fn nudge(tx: &mut Tx, applications: &[ApplicationId], now: Timestamp) -> Result<(), StoreError> {
    if !applications.is_empty() {
        let sql = sql!("UPDATE operations SET next_run_at = $1 WHERE next_run_at > $1 AND status IN ('queued', 'running')", now);
        execute!(tx, sql.any("application_id", applications.iter().copied()))?;
    }
    Ok(())
}

/// How many deployments of an organization are being planned or built.
pub async fn building(tx: &mut Tx, organization: OrganizationId) -> Result<i64, StoreError> {
    fetch_one!(
        tx,
        "SELECT COUNT(*) FROM operations WHERE organization_id = $1 AND kind = 'deploy' AND status = 'running' AND step IN ('plan', 'build')",
        organization
    )
    .map(|(count,)| count)
}

/// A build of the organization has come to its end: its deployment that has waited longest is to be looked at now.
pub async fn nudge_waiting_build(tx: &mut Tx, organization: OrganizationId, now: Timestamp) -> Result<bool, StoreError> {
    let rows = execute!(
        tx,
        "UPDATE operations SET next_run_at = $2 WHERE id = (
             SELECT id FROM operations WHERE organization_id = $1 AND kind = 'deploy' AND status = 'queued' AND next_run_at > $2
             ORDER BY created_at, id LIMIT 1)",
        organization,
        now
    )?;
    Ok(rows == 1)
}

/// When the next operation is due; `None`: none waits.
pub async fn next_due(tx: &mut Tx) -> Result<Option<Timestamp>, StoreError> {
    let row: Option<(Timestamp,)> =
        fetch_optional!(tx, "SELECT next_run_at FROM operations WHERE status IN ('queued', 'running') ORDER BY next_run_at LIMIT 1")?;
    Ok(row.map(|(at,)| at))
}
