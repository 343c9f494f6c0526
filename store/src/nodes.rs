//! Worker nodes: who they are, how they are, and how much of them is promised. Only administrators see them, so that no function
//! here takes a viewer.

use std::collections::HashMap;

use serde_json::Value;
use slipway_model::{NodeId, RegionId, Resources, Timestamp, state::NodeStatus};

use crate::{Cursor, Listed, Order, Page, Slice, StoreError, Tx};

row! {
    pub struct Node {
        pub id: NodeId,
        pub region_id: RegionId,
        pub name: String,
        /// Ed25519.
        pub public_key: Vec<u8>,
        /// What the node will use in its place, once it has said so.
        pub next_public_key: Option<Vec<u8>>,
        pub status: NodeStatus,
        pub cordoned: bool,
        pub labels: Value,
        pub public_address: Option<String>,
        pub agent_version: Option<String>,
        pub docker_version: Option<String>,
        pub kernel_version: Option<String>,
        pub cpu_millis: i64,
        pub memory_bytes: i64,
        pub storage_bytes: i64,
        pub cpu_percent: f64,
        pub memory_used_bytes: i64,
        pub storage_used_bytes: i64,
        pub containers: i64,
        pub docker_healthy: bool,
        /// The node's clock minus ours.
        pub clock_skew_ms: Option<i64>,
        /// When it was last heard of, by our clock.
        pub last_heartbeat_at: Option<Timestamp>,
        /// Of its desired state.
        pub generation: i64,
        pub observed_generation: i64,
        pub observed_sequence: i64,
        pub created_at: Timestamp,
        pub updated_at: Timestamp,
        pub revoked_at: Option<Timestamp>,
        /// Why no visitor can come in there, by its last observation.
        pub ingress_problem: Option<String>,
    }
}

impl Node {
    /// A node that nothing is known of yet.
    #[must_use]
    pub fn blank(id: NodeId, region_id: RegionId, now: Timestamp) -> Self {
        Self {
            id,
            region_id,
            name: String::new(),
            public_key: Vec::new(),
            next_public_key: None,
            status: NodeStatus::Pending,
            cordoned: false,
            labels: Value::Object(serde_json::Map::new()),
            public_address: None,
            agent_version: None,
            docker_version: None,
            kernel_version: None,
            cpu_millis: 0,
            memory_bytes: 0,
            storage_bytes: 0,
            cpu_percent: 0.0,
            memory_used_bytes: 0,
            storage_used_bytes: 0,
            containers: 0,
            docker_healthy: false,
            clock_skew_ms: None,
            last_heartbeat_at: None,
            generation: 0,
            observed_generation: 0,
            observed_sequence: 0,
            created_at: now,
            updated_at: now,
            revoked_at: None,
            ingress_problem: None,
        }
    }

    /// What it has.
    #[must_use]
    pub const fn resources(&self) -> Resources {
        Resources { cpu_millis: self.cpu_millis, memory_bytes: self.memory_bytes, storage_bytes: self.storage_bytes }
    }
}

impl Listed for Node {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

/// What is promised to instances that should run on a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allocated {
    pub resources: Resources,
    pub instances: i64,
}

/// What an agent knows of its machine, as it says with each session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    pub agent_version: Option<String>,
    pub docker_version: Option<String>,
    pub kernel_version: Option<String>,
    pub public_address: Option<String>,
    pub resources: Resources,
    /// The generation that the agent has, where it is ahead of ours: after our database was restored.
    pub generation: i64,
}

/// What a heartbeat says.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Vitals {
    pub cpu_percent: f64,
    pub memory_used_bytes: i64,
    pub memory_bytes: i64,
    pub storage_used_bytes: i64,
    pub storage_bytes: i64,
    pub containers: i64,
    pub docker_healthy: bool,
    pub clock_skew_ms: i64,
}

pub async fn find(tx: &mut Tx, id: NodeId) -> Result<Option<Node>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM nodes WHERE id = $1", id)
}

pub async fn by_ids(tx: &mut Tx, ids: &[NodeId]) -> Result<HashMap<NodeId, Node>, StoreError> {
    let rows: Vec<Node> = fetch_all!(tx, sql!("SELECT * FROM nodes WHERE 1 = 1").any("id", ids.iter().copied()))?;
    Ok(rows.into_iter().map(|node| (node.id, node)).collect())
}

pub async fn with_public_key(tx: &mut Tx, public_key: &[u8]) -> Result<Option<Node>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM nodes WHERE public_key = $1", public_key)
}

/// Newest first; revoked ones too.
pub async fn list(tx: &mut Tx, region: Option<RegionId>, statuses: Option<&[NodeStatus]>, page: &Page) -> Result<Slice<Node>, StoreError> {
    let mut sql = sql!("SELECT * FROM nodes WHERE 1 = 1");
    if let Some(region) = region {
        sql = sql.any("region_id", [region]);
    }
    if let Some(statuses) = statuses {
        sql = sql.any("status", statuses.iter().copied());
    }
    tx.fetch_slice(sql, page, Order::NewestFirst).await
}

/// Of each region, newest first; revoked ones too.
pub async fn of_each_region(tx: &mut Tx, regions: &[RegionId], page: &Page) -> Result<HashMap<RegionId, Slice<Node>>, StoreError> {
    let list = |region| sql!("SELECT * FROM nodes WHERE region_id = $1", region);
    tx.fetch_slices(regions, list, |sql| sql, |row: &Node| row.region_id, page, Order::NewestFirst).await
}

pub async fn in_region(tx: &mut Tx, region: RegionId) -> Result<Vec<Node>, StoreError> {
    fetch_all!(tx, "SELECT * FROM nodes WHERE region_id = $1 ORDER BY created_at, id", region)
}

pub async fn all(tx: &mut Tx) -> Result<Vec<Node>, StoreError> {
    fetch_all!(tx, "SELECT * FROM nodes ORDER BY created_at, id")
}

/// Nodes that count as connected but were last heard of before `since`.
pub async fn silent_since(tx: &mut Tx, since: Timestamp) -> Result<Vec<Node>, StoreError> {
    fetch_all!(
        tx,
        "SELECT * FROM nodes WHERE status IN ('online', 'degraded') AND (last_heartbeat_at IS NULL OR last_heartbeat_at < $1) ORDER BY id",
        since
    )
}

pub async fn insert(tx: &mut Tx, node: &Node) -> Result<(), StoreError> {
    execute!(
        tx,
        "INSERT INTO nodes (id, region_id, name, public_key, status, cordoned, labels, public_address, agent_version, docker_version,
             kernel_version, cpu_millis, memory_bytes, storage_bytes, cpu_percent, memory_used_bytes, storage_used_bytes, containers,
             docker_healthy, clock_skew_ms, last_heartbeat_at, generation, observed_generation, observed_sequence, created_at,
             updated_at, revoked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
             $26, $27)",
        node.id,
        node.region_id,
        &node.name,
        &node.public_key,
        node.status,
        node.cordoned,
        &node.labels,
        node.public_address.as_ref(),
        node.agent_version.as_ref(),
        node.docker_version.as_ref(),
        node.kernel_version.as_ref(),
        node.cpu_millis,
        node.memory_bytes,
        node.storage_bytes,
        node.cpu_percent,
        node.memory_used_bytes,
        node.storage_used_bytes,
        node.containers,
        node.docker_healthy,
        node.clock_skew_ms,
        node.last_heartbeat_at,
        node.generation,
        node.observed_generation,
        node.observed_sequence,
        node.created_at,
        node.updated_at,
        node.revoked_at
    )?;
    Ok(())
}

/// Writes what an administrator may change.
pub async fn update(tx: &mut Tx, node: &Node) -> Result<bool, StoreError> {
    let rows = execute!(
        tx,
        "UPDATE nodes SET name = $2, labels = $3, cordoned = $4, region_id = $5, updated_at = $6 WHERE id = $1",
        node.id,
        &node.name,
        &node.labels,
        node.cordoned,
        node.region_id,
        node.updated_at
    )?;
    Ok(rows == 1)
}

/// A session began: the node is there, its numbering of observations starts anew, and its desired state must be newer than any
/// that it has.
pub async fn hello(tx: &mut Tx, id: NodeId, facts: &Facts, status: NodeStatus, now: Timestamp) -> Result<bool, StoreError> {
    let rows = execute!(
        tx,
        "UPDATE nodes SET status = $2, agent_version = $3, docker_version = $4, kernel_version = $5, public_address = $6, cpu_millis = $7,
             memory_bytes = $8, storage_bytes = $9, generation = CASE WHEN generation <= $10 THEN $10 + 1 ELSE generation END,
             observed_sequence = 0, last_heartbeat_at = $11, updated_at = $11, docker_healthy = $12
         WHERE id = $1 AND revoked_at IS NULL",
        id,
        status,
        facts.agent_version.as_ref(),
        facts.docker_version.as_ref(),
        facts.kernel_version.as_ref(),
        facts.public_address.as_ref(),
        facts.resources.cpu_millis,
        facts.resources.memory_bytes,
        facts.resources.storage_bytes,
        facts.generation,
        now,
        // Its engine told its version: until the first heartbeat that is all there is to go by.
        facts.docker_version.is_some()
    )?;
    Ok(rows == 1)
}

pub async fn heartbeat(tx: &mut Tx, id: NodeId, vitals: &Vitals, status: NodeStatus, now: Timestamp) -> Result<bool, StoreError> {
    let rows = execute!(
        tx,
        "UPDATE nodes SET status = $2, cpu_percent = $3, memory_used_bytes = $4, memory_bytes = $5, storage_used_bytes = $6,
             storage_bytes = $7, containers = $8, docker_healthy = $9, clock_skew_ms = $10, last_heartbeat_at = $11
         WHERE id = $1 AND revoked_at IS NULL",
        id,
        status,
        vitals.cpu_percent,
        vitals.memory_used_bytes,
        vitals.memory_bytes,
        vitals.storage_used_bytes,
        vitals.storage_bytes,
        vitals.containers,
        vitals.docker_healthy,
        vitals.clock_skew_ms,
        now
    )?;
    Ok(rows == 1)
}

/// Of a node that is not revoked.
pub async fn set_status(tx: &mut Tx, id: NodeId, status: NodeStatus, now: Timestamp) -> Result<bool, StoreError> {
    let rows = execute!(tx, "UPDATE nodes SET status = $2, updated_at = $3 WHERE id = $1 AND revoked_at IS NULL", id, status, now)?;
    Ok(rows == 1)
}

/// What should run there has changed.
pub async fn bump_generation(tx: &mut Tx, id: NodeId) -> Result<(), StoreError> {
    execute!(tx, "UPDATE nodes SET generation = generation + 1 WHERE id = $1", id)?;
    Ok(())
}

/// What should run has changed everywhere. Gives the nodes that are not revoked.
pub async fn bump_all_generations(tx: &mut Tx) -> Result<Vec<NodeId>, StoreError> {
    let rows: Vec<(NodeId,)> = fetch_all!(tx, "UPDATE nodes SET generation = generation + 1 WHERE revoked_at IS NULL RETURNING id")?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Records how far the node's observation has come. `false`: this is late news.
pub async fn observed(tx: &mut Tx, id: NodeId, generation: i64, sequence: i64) -> Result<bool, StoreError> {
    let rows = execute!(
        tx,
        "UPDATE nodes SET observed_generation = $2, observed_sequence = $3 WHERE id = $1 AND observed_sequence <= $3",
        id,
        generation,
        sequence
    )?;
    Ok(rows == 1)
}

/// Records why no visitor can come in at a node, or that they can.
pub async fn set_ingress_problem(tx: &mut Tx, id: NodeId, problem: Option<&str>) -> Result<(), StoreError> {
    execute!(tx, "UPDATE nodes SET ingress_problem = $2 WHERE id = $1", id, problem).map(drop)
}

/// The node has made another key. Both hold until it comes with the new one.
pub async fn set_next_key(tx: &mut Tx, id: NodeId, key: &[u8]) -> Result<bool, StoreError> {
    Ok(execute!(tx, "UPDATE nodes SET next_public_key = $2 WHERE id = $1 AND revoked_at IS NULL", id, key)? == 1)
}

/// The node has come with the key that it made: the one before is worth nothing from now on. `false`: it is not that key.
/// [`StoreError::Conflict`] when it is another node's.
pub async fn promote_key(tx: &mut Tx, id: NodeId, key: &[u8], now: Timestamp) -> Result<bool, StoreError> {
    let rows = execute!(
        tx,
        "UPDATE nodes SET public_key = $2, next_public_key = NULL, updated_at = $3
         WHERE id = $1 AND next_public_key = $2 AND revoked_at IS NULL",
        id,
        key,
        now
    )?;
    Ok(rows == 1)
}

/// Its key is worth nothing from now on.
pub async fn revoke(tx: &mut Tx, id: NodeId, now: Timestamp) -> Result<bool, StoreError> {
    let rows = execute!(
        tx,
        "UPDATE nodes SET status = 'revoked', revoked_at = $2, updated_at = $2 WHERE id = $1 AND revoked_at IS NULL",
        id,
        now
    )?;
    Ok(rows == 1)
}

/// A node that anything ever ran on is [`StoreError::Reference`].
pub async fn delete(tx: &mut Tx, id: NodeId) -> Result<bool, StoreError> {
    Ok(execute!(tx, "DELETE FROM nodes WHERE id = $1", id)? == 1)
}

/// Nodes without any instance that should run are left out.
pub async fn allocated(tx: &mut Tx, nodes: &[NodeId]) -> Result<HashMap<NodeId, Allocated>, StoreError> {
    row! {
        pub struct Promised {
            pub node_id: NodeId,
            pub cpu_millis: i64,
            pub memory_bytes: i64,
            pub storage_bytes: i64,
        }
    }
    let sql = sql!("SELECT node_id, cpu_millis, memory_bytes, storage_bytes FROM instances WHERE desired = $1", true);
    let rows: Vec<Promised> = fetch_all!(tx, sql.any("node_id", nodes.iter().copied()))?;
    let mut allocated: HashMap<NodeId, Allocated> = HashMap::new();
    for row in rows {
        let sum = allocated.entry(row.node_id).or_default();
        sum.resources.cpu_millis += row.cpu_millis;
        sum.resources.memory_bytes += row.memory_bytes;
        sum.resources.storage_bytes += row.storage_bytes;
        sum.instances += 1;
    }
    Ok(allocated)
}
