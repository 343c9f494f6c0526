//! What is measured now, for whoever watches: the last that is known at once, and then what comes, gathered for as long as the watcher
//! wants to hear it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use slipway_model::{ApplicationId, InstanceId, NodeId, Timestamp};
use slipway_store::metrics::{HttpSample, InstanceSample, NodeSample};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, sleep_until},
};

use super::{Measured, Metric, Metrics, add, series};

/// What was measured longer ago is not now.
const RECENT_SECONDS: i64 = 60;

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    Application(ApplicationId),
    Node(NodeId),
}

/// One value, as it came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Live {
    pub metric: Metric,
    pub at: Timestamp,
    pub value: f64,
    /// `None`: of all instances together.
    pub instance: Option<InstanceId>,
}

/// One watcher's place in what comes.
#[derive(Debug)]
pub struct Following {
    of: Watched,
    every: Duration,
    from: Receiver<Arc<Measured>>,
    gathered: Gathered,
    told_at: Option<Instant>,
}

/// What came since it was last told: of what is measured the last, of what is counted the sum.
#[derive(Debug, Default)]
struct Gathered {
    at_seconds: i64,
    node: Option<NodeSample>,
    instances: BTreeMap<InstanceId, InstanceSample>,
    requests: Option<HttpSample>,
}

impl Metrics {
    /// Follows what is measured of one thing, told at most every so often.
    #[must_use]
    pub fn follow(&self, of: Watched, every: Duration, now: Timestamp) -> Following {
        let from = self.0.live.subscribe();
        let mut gathered = Gathered::default();
        for measured in self.0.latest.lock().unwrap_or_else(std::sync::PoisonError::into_inner).values() {
            // Of a node that is away there is no present.
            if measured.node.at_seconds >= now.timestamp() - RECENT_SECONDS {
                gathered.take(of, measured);
            }
        }
        // What was counted before somebody watched is in the stored series.
        gathered.requests = None;
        Following { of, every, from, gathered, told_at: None }
    }
}

impl Following {
    /// What there is to tell, once there is something and it is time; `None`: nothing more comes.
    pub async fn next(&mut self, metrics: &[Metric]) -> Option<Vec<Live>> {
        loop {
            let is_time = self.told_at.is_none_or(|at| at.elapsed() >= self.every);
            if is_time && !self.gathered.is_empty() {
                self.told_at = Some(Instant::now());
                let told = std::mem::take(&mut self.gathered).tell(metrics);
                if !told.is_empty() {
                    return Some(told);
                }
            }
            let due = self.told_at.map_or_else(Instant::now, |at| at + self.every);
            tokio::select! {
                came = self.from.recv() => match came {
                    Ok(measured) => self.gathered.take(self.of, &measured),
                    // What was missed stands in the stored series.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                },
                () = sleep_until(due), if !is_time && !self.gathered.is_empty() => {}
            }
        }
    }
}

impl Gathered {
    fn is_empty(&self) -> bool {
        self.node.is_none() && self.instances.is_empty() && self.requests.is_none()
    }

    fn take(&mut self, of: Watched, measured: &Measured) {
        match of {
            Watched::Node(id) if measured.node.node_id == id => self.node = Some(measured.node),
            Watched::Node(_) => return,
            Watched::Application(id) => {
                for sample in measured.instances.iter().filter(|sample| sample.application_id == id) {
                    let sum = self.instances.entry(sample.instance_id);
                    sum.and_modify(|sum| {
                        let (rx, tx) = (sum.net_rx_bytes, sum.net_tx_bytes);
                        *sum = *sample;
                        sum.net_rx_bytes += rx;
                        sum.net_tx_bytes += tx;
                    })
                    .or_insert(*sample);
                }
                for sample in measured.requests.iter().filter(|sample| sample.application_id == id) {
                    match &mut self.requests {
                        Some(sum) => add(sum, sample),
                        none => *none = Some(*sample),
                    }
                }
            }
        }
        self.at_seconds = self.at_seconds.max(measured.node.at_seconds);
    }

    fn tell(self, metrics: &[Metric]) -> Vec<Live> {
        let Some(at) = series::time(self.at_seconds) else { return Vec::new() };
        let mut told = Vec::new();
        for metric in metrics {
            let mut tell = |value: Option<f64>, instance| told.extend(value.map(|value| Live { metric: *metric, at, value, instance }));
            match (metric, &self.node) {
                (Metric::CpuPercent, Some(node)) => tell(Some(node.cpu_percent), None),
                (Metric::MemoryBytes, Some(node)) => tell(Some(series::number(node.memory_used_bytes)), None),
                (Metric::DiskBytes, Some(node)) => tell(Some(series::number(node.storage_used_bytes)), None),
                (_, Some(_)) => {}
                (Metric::Instances, None) => tell(i64::try_from(self.instances.len()).ok().map(series::number), None),
                (Metric::HttpRequests, None) => tell(Some(self.requests.map_or(0.0, |sum| series::number(sum.requests))), None),
                (Metric::Http5xx, None) => tell(Some(self.requests.map_or(0.0, |sum| series::number(sum.server_errors))), None),
                (Metric::HttpP50Ms, None) => tell(self.requests.and_then(|sum| series::quantile(&sum.latency, 0.5)), None),
                (Metric::HttpP95Ms, None) => tell(self.requests.and_then(|sum| series::quantile(&sum.latency, 0.95)), None),
                (Metric::HttpP99Ms, None) => tell(self.requests.and_then(|sum| series::quantile(&sum.latency, 0.99)), None),
                (of_instances, None) => {
                    for sample in self.instances.values() {
                        tell(of_instance(*of_instances, sample), Some(sample.instance_id));
                    }
                }
            }
        }
        told
    }
}

fn of_instance(metric: Metric, sample: &InstanceSample) -> Option<f64> {
    match metric {
        Metric::CpuPercent => Some(sample.cpu_percent),
        Metric::MemoryBytes => Some(series::number(sample.memory_bytes)),
        Metric::MemoryLimitBytes => Some(series::number(sample.memory_limit_bytes)),
        Metric::DiskBytes => sample.disk_bytes.map(series::number),
        Metric::NetRxBytes => Some(series::number(sample.net_rx_bytes)),
        Metric::NetTxBytes => Some(series::number(sample.net_tx_bytes)),
        Metric::HttpRequests | Metric::Http5xx | Metric::HttpP50Ms | Metric::HttpP95Ms | Metric::HttpP99Ms | Metric::Instances => None,
    }
}
