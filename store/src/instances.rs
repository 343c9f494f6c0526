//! Instances: the containers that should run, and what their nodes say of them.

use std::collections::HashMap;

use slipway_model::{
    ApplicationId, DeploymentId, InstanceId, Money, NodeId, OrganizationId, PlanId, ReleaseId, Slug, Timestamp, Viewer,
    state::InstanceStatus,
};

use crate::{Cursor, Listed, Order, Page, Slice, StoreError, Tx};

row! {
    pub struct Instance {
        pub id: InstanceId,
        pub organization_id: OrganizationId,
        pub application_id: ApplicationId,
        pub deployment_id: DeploymentId,
        pub release_id: ReleaseId,
        pub node_id: NodeId,
        pub process: String,
        /// From 0, among the instances of its process.
        pub instance_index: i64,
        pub status: InstanceStatus,
        pub status_reason: Option<String>,
        /// Whether it should run.
        pub desired: bool,
        /// Whether it should be in the route.
        pub routed: bool,
        pub plan_id: PlanId,
        /// Frozen when it was made.
        pub hourly_rate: Money = "hourly_rate_nanos",
        pub cpu_millis: i64,
        pub memory_bytes: i64,
        pub storage_bytes: i64,
        pub container_id: Option<String>,
        pub address: Option<String>,
        pub exit_code: Option<i64>,
        pub restart_count: i64,
        /// The end of its output, once it failed.
        pub last_lines: Option<Vec<String>>,
        pub created_at: Timestamp,
        pub started_at: Option<Timestamp>,
        pub stopped_at: Option<Timestamp>,
    }
}

row! {
    /// An instance that should be in its application's route.
    pub struct Routed {
        pub id: InstanceId,
        pub application_id: ApplicationId,
        pub slug: Slug,
        pub port: Option<u16>,
    }
}

impl Listed for Instance {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

pub async fn find(tx: &mut Tx, viewer: &Viewer, id: InstanceId) -> Result<Option<Instance>, StoreError> {
    fetch_optional!(tx, sql!("SELECT * FROM instances WHERE id = $1", id).within_application("organization_id", "application_id", viewer))
}

pub async fn by_ids(tx: &mut Tx, viewer: &Viewer, ids: &[InstanceId]) -> Result<HashMap<InstanceId, Instance>, StoreError> {
    let sql = sql!("SELECT * FROM instances WHERE 1 = 1").any("id", ids.iter().copied()).within_application(
        "organization_id",
        "application_id",
        viewer,
    );
    let rows: Vec<Instance> = fetch_all!(tx, sql)?;
    Ok(rows.into_iter().map(|instance| (instance.id, instance)).collect())
}

/// Newest first; ended ones too.
pub async fn of_application(tx: &mut Tx, viewer: &Viewer, application: ApplicationId, page: &Page) -> Result<Slice<Instance>, StoreError> {
    let sql = sql!("SELECT * FROM instances WHERE application_id = $1", application).within_application(
        "organization_id",
        "application_id",
        viewer,
    );
    tx.fetch_slice(sql, page, Order::NewestFirst).await
}

/// Of each application, those that should run or do, newest first.
pub async fn current_of_each(
    tx: &mut Tx,
    viewer: &Viewer,
    applications: &[ApplicationId],
    page: &Page,
) -> Result<HashMap<ApplicationId, Slice<Instance>>, StoreError> {
    let list = |application| {
        sql!("SELECT * FROM instances WHERE application_id = $1 AND (desired OR status NOT IN ('stopped', 'exited', 'lost'))", application)
    };
    tx.fetch_slices(
        applications,
        list,
        |sql| sql.within_application("organization_id", "application_id", viewer),
        |row: &Instance| row.application_id,
        page,
        Order::NewestFirst,
    )
    .await
}

/// Of each deployment, all that it brought, newest first.
pub async fn of_each_deployment(
    tx: &mut Tx,
    viewer: &Viewer,
    deployments: &[DeploymentId],
    page: &Page,
) -> Result<HashMap<DeploymentId, Slice<Instance>>, StoreError> {
    let list = |deployment| sql!("SELECT * FROM instances WHERE deployment_id = $1", deployment);
    tx.fetch_slices(
        deployments,
        list,
        |sql| sql.within_application("organization_id", "application_id", viewer),
        |row: &Instance| row.deployment_id,
        page,
        Order::NewestFirst,
    )
    .await
}

/// On each node, newest first; ended ones too. For administrators.
pub async fn on_each(tx: &mut Tx, viewer: &Viewer, nodes: &[NodeId], page: &Page) -> Result<HashMap<NodeId, Slice<Instance>>, StoreError> {
    let list = |node| sql!("SELECT * FROM instances WHERE node_id = $1", node);
    tx.fetch_slices(
        nodes,
        list,
        |sql| sql.within_application("organization_id", "application_id", viewer),
        |row: &Instance| row.node_id,
        page,
        Order::NewestFirst,
    )
    .await
}

/// Those of an application that should run, by process and index.
pub async fn desired_of(tx: &mut Tx, viewer: &Viewer, application: ApplicationId) -> Result<Vec<Instance>, StoreError> {
    let sql = sql!("SELECT * FROM instances WHERE application_id = $1 AND desired = $2", application, true);
    fetch_all!(tx, sql.within_application("organization_id", "application_id", viewer).push(" ORDER BY process, instance_index, id"))
}

/// Those of a node that should run.
pub async fn desired_on(tx: &mut Tx, node: NodeId) -> Result<Vec<Instance>, StoreError> {
    fetch_all!(tx, "SELECT * FROM instances WHERE node_id = $1 AND desired = $2 ORDER BY id", node, true)
}

/// Those of a node that should run or may still.
pub async fn open_on(tx: &mut Tx, node: NodeId) -> Result<Vec<Instance>, StoreError> {
    fetch_all!(
        tx,
        "SELECT * FROM instances WHERE node_id = $1 AND (desired = $2 OR status NOT IN ('stopped', 'exited')) ORDER BY id",
        node,
        true
    )
}

/// Those in a node's routes, by application.
pub async fn routed_on(tx: &mut Tx, node: NodeId) -> Result<Vec<Routed>, StoreError> {
    fetch_all!(
        tx,
        "SELECT i.id, i.application_id, a.slug, r.port
         FROM instances i JOIN releases r ON r.id = i.release_id JOIN applications a ON a.id = i.application_id
         WHERE i.node_id = $1 AND i.desired = $2 AND i.routed = $2 ORDER BY i.application_id, i.id",
        node,
        true
    )
}

pub async fn insert(tx: &mut Tx, instance: &Instance) -> Result<(), StoreError> {
    execute!(
        tx,
        "INSERT INTO instances (id, organization_id, application_id, deployment_id, release_id, node_id, process, instance_index,
             status, status_reason, desired, routed, plan_id, hourly_rate_nanos, cpu_millis, memory_bytes, storage_bytes, container_id,
             address, exit_code, restart_count, last_lines, created_at, started_at, stopped_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)",
        instance.id,
        instance.organization_id,
        instance.application_id,
        instance.deployment_id,
        instance.release_id,
        instance.node_id,
        &instance.process,
        instance.instance_index,
        instance.status,
        instance.status_reason.as_ref(),
        instance.desired,
        instance.routed,
        instance.plan_id,
        instance.hourly_rate,
        instance.cpu_millis,
        instance.memory_bytes,
        instance.storage_bytes,
        instance.container_id.as_ref(),
        instance.address.as_ref(),
        instance.exit_code,
        instance.restart_count,
        instance.last_lines.as_ref(),
        instance.created_at,
        instance.started_at,
        instance.stopped_at
    )?;
    Ok(())
}

/// Writes what its node says of it.
pub async fn observe(tx: &mut Tx, instance: &Instance) -> Result<(), StoreError> {
    execute!(
        tx,
        "UPDATE instances SET status = $2, status_reason = $3, container_id = $4, address = $5, exit_code = $6, restart_count = $7,
             last_lines = $8, started_at = $9, stopped_at = $10
         WHERE id = $1",
        instance.id,
        instance.status,
        instance.status_reason.as_ref(),
        instance.container_id.as_ref(),
        instance.address.as_ref(),
        instance.exit_code,
        instance.restart_count,
        instance.last_lines.as_ref(),
        instance.started_at,
        instance.stopped_at
    )?;
    Ok(())
}

/// Whether they should be in the route. One that should not run gets none.
pub async fn set_routed(tx: &mut Tx, ids: &[InstanceId], routed: bool) -> Result<(), StoreError> {
    if !ids.is_empty() {
        execute!(tx, sql!("UPDATE instances SET routed = $1 WHERE desired = $2", routed, true).any("id", ids.iter().copied()))?;
    }
    Ok(())
}

/// They should have neither route nor container from now on.
pub async fn retire(tx: &mut Tx, ids: &[InstanceId]) -> Result<(), StoreError> {
    if !ids.is_empty() {
        execute!(tx, sql!("UPDATE instances SET desired = $1, routed = $1 WHERE 1 = 1", false).any("id", ids.iter().copied()))?;
    }
    Ok(())
}
