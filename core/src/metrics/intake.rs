//! What a node says. It speaks of its own instances, and of the applications of those, alone: anything else is refused (F22).

use std::collections::HashMap;

use slipway_model::{ApplicationId, InstanceId, NodeId, OrganizationId, Viewer};
use slipway_protocol::{LATENCY_CLASSES, Samples};
use slipway_store::{
    instances,
    metrics::{HttpSample, InstanceSample, NodeSample},
};

use super::{Measured, slots};
use crate::{Platform, error::Result};

const _: () = assert!(LATENCY_CLASSES == slipway_store::metrics::LATENCY_CLASSES);

/// Takes a node's samples in. Gives the instances in it that are not the node's own.
///
/// # Errors
/// Those of the database.
pub(crate) async fn take_in(p: &Platform, node: NodeId, samples: Samples) -> Result<Vec<InstanceId>> {
    let at_seconds = slots::slot(p.now().timestamp(), slots::RAW);
    let named: Vec<InstanceId> = samples.instances.iter().map(|sample| sample.instance).collect();
    let mut tx = p.db.read().await?;
    let mut known = instances::by_ids(&mut tx, &Viewer::Platform, &named).await?;
    let open = instances::open_on(&mut tx, node).await?;
    drop(tx);
    known.retain(|_, row| row.node_id == node);
    let foreign = named.into_iter().filter(|id| !known.contains_key(id)).collect();
    let applications: HashMap<ApplicationId, OrganizationId> =
        known.values().chain(&open).map(|row| (row.application_id, row.organization_id)).collect();

    let instances = samples.instances.iter().filter_map(|sample| {
        let row = known.get(&sample.instance)?;
        Some(InstanceSample {
            instance_id: row.id,
            organization_id: row.organization_id,
            application_id: row.application_id,
            at_seconds,
            cpu_percent: sound(sample.cpu_percent),
            memory_bytes: sample.memory_bytes.max(0),
            memory_limit_bytes: sample.memory_limit_bytes.max(0),
            disk_bytes: sample.disk_bytes.map(|bytes| bytes.max(0)),
            net_rx_bytes: bounded(sample.net_rx_bytes),
            net_tx_bytes: bounded(sample.net_tx_bytes),
        })
    });
    let requests = samples.applications.iter().filter_map(|sample| {
        Some(HttpSample {
            application_id: sample.application,
            // One whose last instance here has just gone is left out.
            organization_id: *applications.get(&sample.application)?,
            node_id: node,
            at_seconds,
            requests: count(sample.requests),
            server_errors: count(sample.server_errors),
            latency: sample.latency.map(count),
        })
    });
    p.metrics.accept(Measured {
        node: NodeSample {
            node_id: node,
            at_seconds,
            cpu_percent: sound(samples.node.cpu_percent),
            memory_used_bytes: samples.node.memory_used_bytes.max(0),
            storage_used_bytes: samples.node.storage_used_bytes.max(0),
        },
        instances: instances.collect(),
        requests: requests.collect(),
    });
    Ok(foreign)
}

/// More than anything really moves or answers within ten seconds: sums of a month of them stay numbers.
const MOST: i64 = 1 << 42;

fn bounded(bytes: i64) -> i64 {
    bytes.clamp(0, MOST)
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(MOST).min(MOST)
}

fn sound(percent: f64) -> f64 {
    if percent.is_finite() { percent.clamp(0.0, 1e6) } else { 0.0 }
}
