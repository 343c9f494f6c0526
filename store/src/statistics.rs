//! Sums over the whole platform. For its administrators, so that none of them takes a viewer.

use std::collections::HashMap;

use slipway_model::{
    Money, RegionId, Resources, Timestamp,
    state::{ApplicationStatus, DeploymentStatus, NodeStatus, OperationStatus},
};

use crate::{StoreError, Tx};

/// By state; deleted ones are left out.
pub async fn applications(tx: &mut Tx) -> Result<HashMap<ApplicationStatus, i64>, StoreError> {
    let rows: Vec<(ApplicationStatus, i64)> =
        fetch_all!(tx, "SELECT status, COUNT(*) FROM applications WHERE deleted_at IS NULL GROUP BY status")?;
    Ok(rows.into_iter().collect())
}

/// By state.
pub async fn nodes(tx: &mut Tx) -> Result<HashMap<NodeStatus, i64>, StoreError> {
    let rows: Vec<(NodeStatus, i64)> = fetch_all!(tx, "SELECT status, COUNT(*) FROM nodes GROUP BY status")?;
    Ok(rows.into_iter().collect())
}

/// Those that were asked for since then, by state.
pub async fn deployments_since(tx: &mut Tx, since: Timestamp) -> Result<HashMap<DeploymentStatus, i64>, StoreError> {
    let rows: Vec<(DeploymentStatus, i64)> =
        fetch_all!(tx, "SELECT status, COUNT(*) FROM deployments WHERE created_at >= $1 GROUP BY status", since)?;
    Ok(rows.into_iter().collect())
}

/// Operations that nobody has begun, and since when the oldest of them waits.
pub async fn waiting_operations(tx: &mut Tx) -> Result<(i64, Option<Timestamp>), StoreError> {
    fetch_one!(tx, "SELECT COUNT(*), MIN(created_at) FROM operations WHERE status = $1", OperationStatus::Queued)
}

/// What was promised to instances of each region at a moment: those that were there, and had not stopped.
pub async fn promised_at(tx: &mut Tx, at: Timestamp) -> Result<HashMap<RegionId, Resources>, StoreError> {
    let rows: Vec<(RegionId, i64, i64, i64)> = fetch_all!(
        tx,
        "SELECT n.region_id, CAST(SUM(i.cpu_millis) AS BIGINT), CAST(SUM(i.memory_bytes) AS BIGINT), CAST(SUM(i.storage_bytes) AS BIGINT)
         FROM instances i JOIN nodes n ON n.id = i.node_id
         WHERE i.created_at <= $1 AND (i.stopped_at IS NULL OR i.stopped_at > $1) GROUP BY n.region_id",
        at
    )?;
    let resources = |(region, cpu_millis, memory_bytes, storage_bytes)| (region, Resources { cpu_millis, memory_bytes, storage_bytes });
    Ok(rows.into_iter().map(resources).collect())
}

/// What all instances that should run are charged for an hour, at the rates that they began with.
pub async fn hourly_rates(tx: &mut Tx) -> Result<Money, StoreError> {
    let sql = sql!("SELECT CAST(COALESCE(SUM(hourly_rate_nanos), 0) AS BIGINT) FROM instances WHERE desired = $1", true);
    fetch_one!(tx, sql).map(|(nanos,): (i64,)| Money::from_nanos(nanos))
}
