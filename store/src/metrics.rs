//! What is used: samples in slots of ten seconds, a minute and an hour. A slot begins at a multiple of its length.
//!
//! Writing a slot twice adds what is counted and keeps the later of what is measured. Rolling up says of longer slots what the shorter
//! ones in them come to, and says the same when it is done again.

use std::collections::HashMap;

use slipway_model::{ApplicationId, InstanceId, NodeId, OrganizationId, Viewer};

use crate::{Sql, StoreError, Tx, insert::Insert};

/// Classes of latency.
pub const LATENCY_CLASSES: usize = 12;

/// What one instance used in one slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InstanceSample {
    pub instance_id: InstanceId,
    pub organization_id: OrganizationId,
    pub application_id: ApplicationId,
    pub at_seconds: i64,
    pub cpu_percent: f64,
    pub memory_bytes: i64,
    pub memory_limit_bytes: i64,
    pub disk_bytes: Option<i64>,
    pub net_rx_bytes: i64,
    pub net_tx_bytes: i64,
}

/// What visitors who came in at one node asked of one application in one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpSample {
    pub application_id: ApplicationId,
    pub organization_id: OrganizationId,
    pub node_id: NodeId,
    pub at_seconds: i64,
    pub requests: i64,
    pub server_errors: i64,
    pub latency: [i64; LATENCY_CLASSES],
}

/// What one node used in one slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeSample {
    pub node_id: NodeId,
    pub at_seconds: i64,
    pub cpu_percent: f64,
    pub memory_used_bytes: i64,
    pub storage_used_bytes: i64,
}

/// A part of the past, from `from` to before `to`, in slots of one length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    pub resolution: i64,
    pub from: i64,
    pub to: i64,
}

row! {
    /// What all instances of an application used in a slot, together.
    pub struct ApplicationUsage {
        pub application_id: ApplicationId,
        pub at_seconds: i64,
        pub instances: i64,
        pub cpu_percent: f64,
        pub memory_bytes: i64,
        pub memory_limit_bytes: i64,
        pub disk_bytes: Option<i64>,
        pub net_rx_bytes: i64,
        pub net_tx_bytes: i64,
    }
}

row! {
    /// What one instance used in a slot.
    pub struct InstanceUsage {
        pub instance_id: InstanceId,
        pub at_seconds: i64,
        pub cpu_percent: f64,
        pub memory_bytes: i64,
        pub memory_limit_bytes: i64,
        pub disk_bytes: Option<i64>,
        pub net_rx_bytes: i64,
        pub net_tx_bytes: i64,
    }
}

row! {
    /// What visitors asked of an application in a slot.
    pub struct Requests {
        pub application_id: ApplicationId,
        pub at_seconds: i64,
        pub requests: i64,
        pub server_errors: i64,
        pub latency_0: i64,
        pub latency_1: i64,
        pub latency_2: i64,
        pub latency_3: i64,
        pub latency_4: i64,
        pub latency_5: i64,
        pub latency_6: i64,
        pub latency_7: i64,
        pub latency_8: i64,
        pub latency_9: i64,
        pub latency_10: i64,
        pub latency_11: i64,
    }
}

impl Requests {
    #[must_use]
    pub const fn latency(&self) -> [i64; LATENCY_CLASSES] {
        [
            self.latency_0,
            self.latency_1,
            self.latency_2,
            self.latency_3,
            self.latency_4,
            self.latency_5,
            self.latency_6,
            self.latency_7,
            self.latency_8,
            self.latency_9,
            self.latency_10,
            self.latency_11,
        ]
    }
}

row! {
    /// What a node used in a slot.
    pub struct NodeUsage {
        pub node_id: NodeId,
        pub at_seconds: i64,
        pub cpu_percent: f64,
        pub memory_used_bytes: i64,
        pub storage_used_bytes: i64,
    }
}

/// Writes samples of the shortest slots. No two are of the same instance and slot.
pub async fn add_instances(tx: &mut Tx, resolution: i64, samples: &[InstanceSample]) -> Result<(), StoreError> {
    let insert = Insert {
        into: "INSERT INTO instance_samples (instance_id, resolution, at_seconds, organization_id, application_id, samples, cpu_percent,
             memory_bytes, memory_limit_bytes, disk_bytes, net_rx_bytes, net_tx_bytes) VALUES",
        row: " (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?)",
        otherwise: " ON CONFLICT (instance_id, resolution, at_seconds) DO UPDATE SET cpu_percent = excluded.cpu_percent,
             memory_bytes = excluded.memory_bytes, memory_limit_bytes = excluded.memory_limit_bytes,
             disk_bytes = COALESCE(excluded.disk_bytes, instance_samples.disk_bytes),
             net_rx_bytes = instance_samples.net_rx_bytes + excluded.net_rx_bytes,
             net_tx_bytes = instance_samples.net_tx_bytes + excluded.net_tx_bytes",
    };
    insert
        .all(tx, samples, |sql, sample| {
            sql.bind(sample.instance_id)
                .bind(resolution)
                .bind(sample.at_seconds)
                .bind(sample.organization_id)
                .bind(sample.application_id)
                .bind(sample.cpu_percent)
                .bind(sample.memory_bytes)
                .bind(sample.memory_limit_bytes)
                .bind(sample.disk_bytes)
                .bind(sample.net_rx_bytes)
                .bind(sample.net_tx_bytes)
        })
        .await
}

/// As [`add_instances`], of what visitors asked. No two are of the same application, node and slot.
pub async fn add_requests(tx: &mut Tx, resolution: i64, samples: &[HttpSample]) -> Result<(), StoreError> {
    let insert = Insert {
        into: "INSERT INTO http_samples (application_id, resolution, at_seconds, node_id, organization_id, requests, server_errors,
             latency_0, latency_1, latency_2, latency_3, latency_4, latency_5, latency_6, latency_7, latency_8, latency_9, latency_10,
             latency_11) VALUES",
        row: " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        otherwise: " ON CONFLICT (application_id, resolution, at_seconds, node_id) DO UPDATE SET
             requests = http_samples.requests + excluded.requests, server_errors = http_samples.server_errors + excluded.server_errors,
             latency_0 = http_samples.latency_0 + excluded.latency_0, latency_1 = http_samples.latency_1 + excluded.latency_1,
             latency_2 = http_samples.latency_2 + excluded.latency_2, latency_3 = http_samples.latency_3 + excluded.latency_3,
             latency_4 = http_samples.latency_4 + excluded.latency_4, latency_5 = http_samples.latency_5 + excluded.latency_5,
             latency_6 = http_samples.latency_6 + excluded.latency_6, latency_7 = http_samples.latency_7 + excluded.latency_7,
             latency_8 = http_samples.latency_8 + excluded.latency_8, latency_9 = http_samples.latency_9 + excluded.latency_9,
             latency_10 = http_samples.latency_10 + excluded.latency_10, latency_11 = http_samples.latency_11 + excluded.latency_11",
    };
    insert
        .all(tx, samples, |sql, sample| {
            let sql = sql
                .bind(sample.application_id)
                .bind(resolution)
                .bind(sample.at_seconds)
                .bind(sample.node_id)
                .bind(sample.organization_id)
                .bind(sample.requests)
                .bind(sample.server_errors);
            sample.latency.iter().fold(sql, |sql, count| sql.bind(*count))
        })
        .await
}

/// As [`add_instances`], of nodes. No two are of the same node and slot.
pub async fn add_nodes(tx: &mut Tx, resolution: i64, samples: &[NodeSample]) -> Result<(), StoreError> {
    let insert = Insert {
        into: "INSERT INTO node_samples (node_id, resolution, at_seconds, samples, cpu_percent, memory_used_bytes, storage_used_bytes) VALUES",
        row: " (?, ?, ?, 1, ?, ?, ?)",
        otherwise: " ON CONFLICT (node_id, resolution, at_seconds) DO UPDATE SET cpu_percent = excluded.cpu_percent,
             memory_used_bytes = excluded.memory_used_bytes, storage_used_bytes = excluded.storage_used_bytes",
    };
    insert
        .all(tx, samples, |sql, sample| {
            sql.bind(sample.node_id)
                .bind(resolution)
                .bind(sample.at_seconds)
                .bind(sample.cpu_percent)
                .bind(sample.memory_used_bytes)
                .bind(sample.storage_used_bytes)
        })
        .await
}

/// The beginning of the last slot of this length that there is.
pub async fn last_slot(tx: &mut Tx, resolution: i64) -> Result<Option<i64>, StoreError> {
    fetch_one!(tx, "SELECT MAX(at_seconds) FROM node_samples WHERE resolution = $1", resolution).map(|(at,): (Option<i64>,)| at)
}

/// Says of slots of length `into`, which `span` consists of, what the shorter slots in them come to.
pub async fn roll_up(tx: &mut Tx, span: Span, into: i64) -> Result<(), StoreError> {
    execute!(
        tx,
        "INSERT INTO instance_samples (instance_id, resolution, at_seconds, organization_id, application_id, samples, cpu_percent,
             memory_bytes, memory_limit_bytes, disk_bytes, net_rx_bytes, net_tx_bytes)
         SELECT instance_id, $1, at_seconds - at_seconds % $1, organization_id, application_id, CAST(SUM(samples) AS BIGINT),
             SUM(cpu_percent * samples) / CAST(SUM(samples) AS DOUBLE PRECISION),
             CAST(SUM(memory_bytes * samples) / SUM(samples) AS BIGINT), MAX(memory_limit_bytes), MAX(disk_bytes),
             CAST(SUM(net_rx_bytes) AS BIGINT), CAST(SUM(net_tx_bytes) AS BIGINT)
         FROM instance_samples WHERE resolution = $2 AND at_seconds >= $3 AND at_seconds < $4
         GROUP BY instance_id, organization_id, application_id, at_seconds - at_seconds % $1
         ON CONFLICT (instance_id, resolution, at_seconds) DO UPDATE SET samples = excluded.samples, cpu_percent = excluded.cpu_percent,
             memory_bytes = excluded.memory_bytes, memory_limit_bytes = excluded.memory_limit_bytes, disk_bytes = excluded.disk_bytes,
             net_rx_bytes = excluded.net_rx_bytes, net_tx_bytes = excluded.net_tx_bytes",
        into,
        span.resolution,
        span.from,
        span.to
    )?;
    execute!(
        tx,
        "INSERT INTO http_samples (application_id, resolution, at_seconds, node_id, organization_id, requests, server_errors, latency_0,
             latency_1, latency_2, latency_3, latency_4, latency_5, latency_6, latency_7, latency_8, latency_9, latency_10, latency_11)
         SELECT application_id, $1, at_seconds - at_seconds % $1, node_id, organization_id, CAST(SUM(requests) AS BIGINT),
             CAST(SUM(server_errors) AS BIGINT), CAST(SUM(latency_0) AS BIGINT), CAST(SUM(latency_1) AS BIGINT),
             CAST(SUM(latency_2) AS BIGINT), CAST(SUM(latency_3) AS BIGINT), CAST(SUM(latency_4) AS BIGINT), CAST(SUM(latency_5) AS BIGINT),
             CAST(SUM(latency_6) AS BIGINT), CAST(SUM(latency_7) AS BIGINT), CAST(SUM(latency_8) AS BIGINT), CAST(SUM(latency_9) AS BIGINT),
             CAST(SUM(latency_10) AS BIGINT), CAST(SUM(latency_11) AS BIGINT)
         FROM http_samples WHERE resolution = $2 AND at_seconds >= $3 AND at_seconds < $4
         GROUP BY application_id, node_id, organization_id, at_seconds - at_seconds % $1
         ON CONFLICT (application_id, resolution, at_seconds, node_id) DO UPDATE SET requests = excluded.requests,
             server_errors = excluded.server_errors, latency_0 = excluded.latency_0, latency_1 = excluded.latency_1,
             latency_2 = excluded.latency_2, latency_3 = excluded.latency_3, latency_4 = excluded.latency_4,
             latency_5 = excluded.latency_5, latency_6 = excluded.latency_6, latency_7 = excluded.latency_7,
             latency_8 = excluded.latency_8, latency_9 = excluded.latency_9, latency_10 = excluded.latency_10,
             latency_11 = excluded.latency_11",
        into,
        span.resolution,
        span.from,
        span.to
    )?;
    execute!(
        tx,
        "INSERT INTO node_samples (node_id, resolution, at_seconds, samples, cpu_percent, memory_used_bytes, storage_used_bytes)
         SELECT node_id, $1, at_seconds - at_seconds % $1, CAST(SUM(samples) AS BIGINT),
             SUM(cpu_percent * samples) / CAST(SUM(samples) AS DOUBLE PRECISION),
             CAST(SUM(memory_used_bytes * samples) / SUM(samples) AS BIGINT), CAST(SUM(storage_used_bytes * samples) / SUM(samples) AS BIGINT)
         FROM node_samples WHERE resolution = $2 AND at_seconds >= $3 AND at_seconds < $4
         GROUP BY node_id, at_seconds - at_seconds % $1
         ON CONFLICT (node_id, resolution, at_seconds) DO UPDATE SET samples = excluded.samples, cpu_percent = excluded.cpu_percent,
             memory_used_bytes = excluded.memory_used_bytes, storage_used_bytes = excluded.storage_used_bytes",
        into,
        span.resolution,
        span.from,
        span.to
    )?;
    Ok(())
}

/// Forgets slots of this length from before `before`. Gives how many rows that were.
pub async fn forget(tx: &mut Tx, resolution: i64, before: i64) -> Result<u64, StoreError> {
    let instances = execute!(tx, "DELETE FROM instance_samples WHERE resolution = $1 AND at_seconds < $2", resolution, before)?;
    let requests = execute!(tx, "DELETE FROM http_samples WHERE resolution = $1 AND at_seconds < $2", resolution, before)?;
    let nodes = execute!(tx, "DELETE FROM node_samples WHERE resolution = $1 AND at_seconds < $2", resolution, before)?;
    Ok(instances + requests + nodes)
}

/// What the instances of each application used, in slots of `step` seconds, in order. Of several spans each is read in its own slots,
/// none of which may be longer than a step.
pub async fn usage_of_each(
    tx: &mut Tx,
    viewer: &Viewer,
    applications: &[ApplicationId],
    spans: &[Span],
    step: i64,
) -> Result<HashMap<ApplicationId, Vec<ApplicationUsage>>, StoreError> {
    let sql = sql!(
        "SELECT application_id, at_seconds, COUNT(*) AS instances, SUM(cpu_percent) AS cpu_percent,
             CAST(SUM(memory_bytes) AS BIGINT) AS memory_bytes, CAST(SUM(memory_limit_bytes) AS BIGINT) AS memory_limit_bytes,
             CAST(SUM(disk_bytes) AS BIGINT) AS disk_bytes, CAST(SUM(net_rx_bytes) AS BIGINT) AS net_rx_bytes,
             CAST(SUM(net_tx_bytes) AS BIGINT) AS net_tx_bytes
         FROM (
             SELECT application_id, instance_id, at_seconds - at_seconds % $1 AS at_seconds,
                 SUM(cpu_percent * samples) / CAST(SUM(samples) AS DOUBLE PRECISION) AS cpu_percent,
                 SUM(memory_bytes * samples) / SUM(samples) AS memory_bytes, MAX(memory_limit_bytes) AS memory_limit_bytes,
                 MAX(disk_bytes) AS disk_bytes, SUM(net_rx_bytes) AS net_rx_bytes, SUM(net_tx_bytes) AS net_tx_bytes
             FROM instance_samples WHERE 1 = 1",
        step
    );
    let sql = within(sql.any("application_id", applications.iter().copied()), spans)
        .within_application("organization_id", "application_id", viewer)
        .push(
            " GROUP BY application_id, instance_id, at_seconds - at_seconds % $1
             ) AS by_instance
             GROUP BY application_id, at_seconds ORDER BY application_id, at_seconds",
        );
    let rows: Vec<ApplicationUsage> = fetch_all!(tx, sql)?;
    Ok(by(rows, |row| row.application_id))
}

/// What each instance used, as [`usage_of_each`].
pub async fn usage_of_instances(
    tx: &mut Tx,
    viewer: &Viewer,
    instances: &[InstanceId],
    spans: &[Span],
    step: i64,
) -> Result<HashMap<InstanceId, Vec<InstanceUsage>>, StoreError> {
    let sql = sql!(
        "SELECT instance_id, at_seconds - at_seconds % $1 AS at_seconds,
             SUM(cpu_percent * samples) / CAST(SUM(samples) AS DOUBLE PRECISION) AS cpu_percent,
             CAST(SUM(memory_bytes * samples) / SUM(samples) AS BIGINT) AS memory_bytes, MAX(memory_limit_bytes) AS memory_limit_bytes,
             MAX(disk_bytes) AS disk_bytes, CAST(SUM(net_rx_bytes) AS BIGINT) AS net_rx_bytes,
             CAST(SUM(net_tx_bytes) AS BIGINT) AS net_tx_bytes
         FROM instance_samples WHERE 1 = 1",
        step
    );
    let sql = within(sql.any("instance_id", instances.iter().copied()), spans)
        .within_application("organization_id", "application_id", viewer)
        .push(" GROUP BY instance_id, at_seconds - at_seconds % $1 ORDER BY instance_id, 2");
    let rows: Vec<InstanceUsage> = fetch_all!(tx, sql)?;
    Ok(by(rows, |row| row.instance_id))
}

/// What visitors asked of each application, as [`usage_of_each`] has what its instances used. Slots in which nobody asked are left out.
pub async fn requests_of_each(
    tx: &mut Tx,
    viewer: &Viewer,
    applications: &[ApplicationId],
    spans: &[Span],
    step: i64,
) -> Result<HashMap<ApplicationId, Vec<Requests>>, StoreError> {
    let sql = sql!(
        "SELECT application_id, at_seconds - at_seconds % $1 AS at_seconds, CAST(SUM(requests) AS BIGINT) AS requests,
             CAST(SUM(server_errors) AS BIGINT) AS server_errors, CAST(SUM(latency_0) AS BIGINT) AS latency_0,
             CAST(SUM(latency_1) AS BIGINT) AS latency_1, CAST(SUM(latency_2) AS BIGINT) AS latency_2,
             CAST(SUM(latency_3) AS BIGINT) AS latency_3, CAST(SUM(latency_4) AS BIGINT) AS latency_4,
             CAST(SUM(latency_5) AS BIGINT) AS latency_5, CAST(SUM(latency_6) AS BIGINT) AS latency_6,
             CAST(SUM(latency_7) AS BIGINT) AS latency_7, CAST(SUM(latency_8) AS BIGINT) AS latency_8,
             CAST(SUM(latency_9) AS BIGINT) AS latency_9, CAST(SUM(latency_10) AS BIGINT) AS latency_10,
             CAST(SUM(latency_11) AS BIGINT) AS latency_11
         FROM http_samples WHERE 1 = 1",
        step
    );
    let sql = within(sql.any("application_id", applications.iter().copied()), spans)
        .within_application("organization_id", "application_id", viewer)
        .push(" GROUP BY application_id, at_seconds - at_seconds % $1 ORDER BY application_id, 2");
    let rows: Vec<Requests> = fetch_all!(tx, sql)?;
    Ok(by(rows, |row| row.application_id))
}

/// What each node used, as [`usage_of_each`]. For administrators.
pub async fn usage_of_nodes(
    tx: &mut Tx,
    nodes: &[NodeId],
    spans: &[Span],
    step: i64,
) -> Result<HashMap<NodeId, Vec<NodeUsage>>, StoreError> {
    let sql = sql!(
        "SELECT node_id, at_seconds - at_seconds % $1 AS at_seconds,
             SUM(cpu_percent * samples) / CAST(SUM(samples) AS DOUBLE PRECISION) AS cpu_percent,
             CAST(SUM(memory_used_bytes * samples) / SUM(samples) AS BIGINT) AS memory_used_bytes,
             CAST(SUM(storage_used_bytes * samples) / SUM(samples) AS BIGINT) AS storage_used_bytes
         FROM node_samples WHERE 1 = 1",
        step
    );
    let sql = within(sql.any("node_id", nodes.iter().copied()), spans)
        .push(" GROUP BY node_id, at_seconds - at_seconds % $1 ORDER BY node_id, 2");
    let rows: Vec<NodeUsage> = fetch_all!(tx, sql)?;
    Ok(by(rows, |row| row.node_id))
}

fn within(sql: Sql, spans: &[Span]) -> Sql {
    let sql = spans.iter().enumerate().fold(sql.push(" AND ("), |sql, (index, span)| {
        sql.push(if index > 0 { " OR " } else { "" })
            .number("(resolution = ? AND at_seconds >= ? AND at_seconds < ?)")
            .bind(span.resolution)
            .bind(span.from)
            .bind(span.to)
    });
    sql.push(if spans.is_empty() { "1 = 0)" } else { ")" })
}

fn by<K: Eq + std::hash::Hash, T>(rows: Vec<T>, key: impl Fn(&T) -> K) -> HashMap<K, Vec<T>> {
    let mut found: HashMap<K, Vec<T>> = HashMap::new();
    for row in rows {
        found.entry(key(&row)).or_default().push(row);
    }
    found
}
