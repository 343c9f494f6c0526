//! What is used and asked for (R12.2): taken in from nodes, kept in slots, and told to whoever watches.
//!
//! Nodes measure every ten seconds. What comes is passed on to watchers at once, and written once a second for all nodes together.
//! Slots of ten seconds are kept for an hour, of a minute for a day, of an hour for thirty days.

mod intake;
mod live;
mod series;
mod slots;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{collections::BTreeMap, time::Duration};

use slipway_store::metrics::{self as stored, HttpSample, InstanceSample, NodeSample};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

pub(crate) use intake::take_in;
pub use live::{Following, Live, Watched};
pub use series::{Point, Series, of_application, of_instance, of_node};
pub use slots::{Range, RangeError, tidy};

use crate::{Platform, error::Result};

/// How often what came is written.
const WRITE: Duration = Duration::from_secs(1);
/// Slots that may wait to be written. Beyond that the database is away, and they are left out.
const MOST_WAITING: usize = 100_000;
/// Nodes' samples that a watcher may be behind by.
const CAPACITY: usize = 256;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    CpuPercent,
    MemoryBytes,
    MemoryLimitBytes,
    DiskBytes,
    NetRxBytes,
    NetTxBytes,
    HttpRequests,
    Http5xx,
    HttpP50Ms,
    HttpP95Ms,
    HttpP99Ms,
    Instances,
}

impl Metric {
    pub const ALL: [Self; 12] = [
        Self::CpuPercent,
        Self::MemoryBytes,
        Self::MemoryLimitBytes,
        Self::DiskBytes,
        Self::NetRxBytes,
        Self::NetTxBytes,
        Self::HttpRequests,
        Self::Http5xx,
        Self::HttpP50Ms,
        Self::HttpP95Ms,
        Self::HttpP99Ms,
        Self::Instances,
    ];
}

/// What one node said, in the words of the database.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    node: NodeSample,
    instances: Vec<InstanceSample>,
    requests: Vec<HttpSample>,
}

/// What was measured and is on its way. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    waiting: Mutex<Waiting>,
    live: broadcast::Sender<Arc<Measured>>,
    /// The last that each node said.
    latest: Mutex<BTreeMap<slipway_model::NodeId, Arc<Measured>>>,
}

/// What is to be written, each slot once.
#[derive(Debug, Default)]
struct Waiting {
    nodes: BTreeMap<(slipway_model::NodeId, i64), NodeSample>,
    instances: BTreeMap<(slipway_model::InstanceId, i64), InstanceSample>,
    requests: BTreeMap<(slipway_model::ApplicationId, slipway_model::NodeId, i64), HttpSample>,
}

impl Default for Metrics {
    fn default() -> Self {
        let (waiting, latest) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { waiting, live: broadcast::Sender::new(CAPACITY), latest }))
    }
}

impl Metrics {
    fn accept(&self, measured: Measured) {
        self.waiting().add(&measured);
        let measured = Arc::new(measured);
        self.0.latest.lock().unwrap_or_else(PoisonError::into_inner).insert(measured.node.node_id, Arc::clone(&measured));
        // Nobody watching is fine.
        let _ = self.0.live.send(measured);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Each change is an insertion, so a poisoned lock guards nothing half-made.
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn len(&self) -> usize {
        self.nodes.len() + self.instances.len() + self.requests.len()
    }

    fn add(&mut self, measured: &Measured) {
        if self.len() >= MOST_WAITING {
            tracing::warn!("samples come faster than they can be written, and are left out");
            return;
        }
        self.nodes.insert((measured.node.node_id, measured.node.at_seconds), measured.node);
        for sample in &measured.instances {
            let sum = self.instances.entry((sample.instance_id, sample.at_seconds));
            sum.and_modify(|sum| {
                let (rx, tx) = (sum.net_rx_bytes, sum.net_tx_bytes);
                *sum = *sample;
                sum.net_rx_bytes += rx;
                sum.net_tx_bytes += tx;
            })
            .or_insert(*sample);
        }
        for sample in &measured.requests {
            let sum = self.requests.entry((sample.application_id, sample.node_id, sample.at_seconds));
            sum.and_modify(|sum| add(sum, sample)).or_insert(*sample);
        }
    }
}

/// Adds what was counted.
fn add(sum: &mut HttpSample, more: &HttpSample) {
    sum.requests += more.requests;
    sum.server_errors += more.server_errors;
    for (sum, more) in sum.latency.iter_mut().zip(more.latency) {
        *sum += more;
    }
}

/// Writes what has come, in one transaction. What cannot be written waits for the next time.
///
/// # Errors
/// Those of the database.
pub async fn write(p: &Platform) -> Result<()> {
    let taken = std::mem::take(&mut *p.metrics.waiting());
    if taken.len() == 0 {
        return Ok(());
    }
    let written = async {
        let nodes: Vec<NodeSample> = taken.nodes.values().copied().collect();
        let instances: Vec<InstanceSample> = taken.instances.values().copied().collect();
        let requests: Vec<HttpSample> = taken.requests.values().copied().collect();
        let mut tx = p.db.begin().await?;
        stored::add_nodes(&mut tx, slots::RAW, &nodes).await?;
        stored::add_instances(&mut tx, slots::RAW, &instances).await?;
        stored::add_requests(&mut tx, slots::RAW, &requests).await?;
        tx.commit().await
    };
    match written.await {
        // A node or an application was deleted in between: of the rest the next samples tell.
        Err(slipway_store::StoreError::Reference) => Ok(()),
        Err(error) => {
            let mut waiting = p.metrics.waiting();
            let since = std::mem::replace(&mut *waiting, taken);
            let requests = since.requests.values().copied().collect::<Vec<_>>();
            waiting.nodes.extend(since.nodes);
            waiting.instances.extend(since.instances);
            for sample in requests {
                let sum = waiting.requests.entry((sample.application_id, sample.node_id, sample.at_seconds));
                sum.and_modify(|sum| add(sum, &sample)).or_insert(sample);
            }
            Err(error.into())
        }
        Ok(()) => Ok(()),
    }
}

/// Writes what comes, until `stop`, and then what is left.
pub(crate) async fn run(p: Platform, stop: CancellationToken) {
    loop {
        if let Err(error) = write(&p).await {
            tracing::warn!(error = format!("{error:?}"), "samples could not be written; it is tried again");
        }
        if stop.is_cancelled() {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(WRITE) => {}
        }
    }
}
