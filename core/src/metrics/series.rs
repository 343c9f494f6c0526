//! What was measured, as series of points.

use std::collections::BTreeMap;

use slipway_model::Timestamp;
use slipway_protocol::{LATENCY_BOUNDS_MS, LATENCY_CLASSES};
use slipway_store::metrics::{ApplicationUsage, InstanceUsage, NodeUsage, Requests};

use super::Metric;

/// One measure over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub metric: Metric,
    pub points: Vec<Point>,
}

/// A step's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When the step begins.
    pub at: Timestamp,
    /// `None`: nothing was measured, as of how long answers took when nobody asked.
    pub value: Option<f64>,
}

/// Steps in which nothing ran and nobody asked have no point.
#[must_use]
pub fn of_application(metrics: &[Metric], usage: &[ApplicationUsage], requests: &[Requests]) -> Vec<Series> {
    let mut steps: BTreeMap<i64, (Option<&ApplicationUsage>, Option<&Requests>)> = BTreeMap::new();
    for row in usage {
        steps.entry(row.at_seconds).or_default().0 = Some(row);
    }
    for row in requests {
        steps.entry(row.at_seconds).or_default().1 = Some(row);
    }
    let value = |metric, (usage, requests): (Option<&ApplicationUsage>, Option<&Requests>)| {
        let counted = |count: fn(&Requests) -> i64| Some(requests.map_or(0.0, |row| number(count(row))));
        let used = |value: fn(&ApplicationUsage) -> i64| usage.map(|row| number(value(row)));
        let latency = |share| requests.and_then(|row| quantile(&row.latency(), share));
        match metric {
            Metric::CpuPercent => usage.map(|row| row.cpu_percent),
            Metric::MemoryBytes => used(|row| row.memory_bytes),
            Metric::MemoryLimitBytes => used(|row| row.memory_limit_bytes),
            Metric::DiskBytes => usage.and_then(|row| row.disk_bytes).map(number),
            Metric::NetRxBytes => used(|row| row.net_rx_bytes),
            Metric::NetTxBytes => used(|row| row.net_tx_bytes),
            Metric::Instances => Some(usage.map_or(0.0, |row| number(row.instances))),
            Metric::HttpRequests => counted(|row| row.requests),
            Metric::Http5xx => counted(|row| row.server_errors),
            Metric::HttpP50Ms => latency(0.5),
            Metric::HttpP95Ms => latency(0.95),
            Metric::HttpP99Ms => latency(0.99),
        }
    };
    of_rows(metrics, steps.iter().map(|(at, rows)| (*at, *rows)), value)
}

/// A series of each metric, with a point of each row and the second at which its step begins.
fn of_rows<R: Copy>(
    metrics: &[Metric],
    rows: impl Iterator<Item = (i64, R)> + Clone,
    value: impl Fn(Metric, R) -> Option<f64>,
) -> Vec<Series> {
    let point = |metric, (at, row)| Some(Point { at: time(at)?, value: value(metric, row) });
    let series = |metric: &Metric| Series { metric: *metric, points: rows.clone().filter_map(|row| point(*metric, row)).collect() };
    metrics.iter().map(series).collect()
}

/// What visitors ask is not known of one instance: they come to an application.
#[must_use]
pub fn of_instance(metrics: &[Metric], usage: &[InstanceUsage]) -> Vec<Series> {
    of_rows(metrics, usage.iter().map(|row| (row.at_seconds, row)), value_of_instance)
}

fn value_of_instance(metric: Metric, row: &InstanceUsage) -> Option<f64> {
    match metric {
        Metric::CpuPercent => Some(row.cpu_percent),
        Metric::MemoryBytes => Some(number(row.memory_bytes)),
        Metric::MemoryLimitBytes => Some(number(row.memory_limit_bytes)),
        Metric::DiskBytes => row.disk_bytes.map(number),
        Metric::NetRxBytes => Some(number(row.net_rx_bytes)),
        Metric::NetTxBytes => Some(number(row.net_tx_bytes)),
        Metric::Instances => Some(1.0),
        Metric::HttpRequests | Metric::Http5xx | Metric::HttpP50Ms | Metric::HttpP95Ms | Metric::HttpP99Ms => None,
    }
}

/// Of a node its processors, its memory and its disk are measured.
#[must_use]
pub fn of_node(metrics: &[Metric], usage: &[NodeUsage]) -> Vec<Series> {
    of_rows(metrics, usage.iter().map(|row| (row.at_seconds, row)), value_of_node)
}

fn value_of_node(metric: Metric, row: &NodeUsage) -> Option<f64> {
    match metric {
        Metric::CpuPercent => Some(row.cpu_percent),
        Metric::MemoryBytes => Some(number(row.memory_used_bytes)),
        Metric::DiskBytes => Some(number(row.storage_used_bytes)),
        Metric::MemoryLimitBytes
        | Metric::NetRxBytes
        | Metric::NetTxBytes
        | Metric::HttpRequests
        | Metric::Http5xx
        | Metric::HttpP50Ms
        | Metric::HttpP95Ms
        | Metric::HttpP99Ms
        | Metric::Instances => None,
    }
}

/// How long the given share of requests took at most, in milliseconds: within its class, as if they were spread evenly over it. What took
/// longer than the longest class took that long at least.
pub(super) fn quantile(latency: &[i64; LATENCY_CLASSES], share: f64) -> Option<f64> {
    let all: i64 = latency.iter().sum();
    if all <= 0 {
        return None;
    }
    let wanted = share * number(all);
    let (mut below, mut begin) = (0.0, 0.0);
    for (class, count) in latency.iter().enumerate() {
        let Some(end) = LATENCY_BOUNDS_MS.get(class).map(|bound| number(bound.cast_signed())) else { break };
        let count = number(*count);
        if below + count >= wanted && count > 0.0 {
            return Some(begin + (end - begin) * (wanted - below) / count);
        }
        (below, begin) = (below + count, end);
    }
    Some(begin)
}

pub(super) fn time(second: i64) -> Option<Timestamp> {
    Timestamp::from_timestamp(second, 0)
}

#[expect(clippy::cast_precision_loss, reason = "to look at")]
pub(super) fn number(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_within_its_class() {
        let mut latency = [0; LATENCY_CLASSES];
        assert_eq!(quantile(&latency, 0.5), None);
        latency[0] = 100;
        assert_eq!(quantile(&latency, 0.5), Some(2.5));
        latency[4] = 100;
        assert_eq!(quantile(&latency, 0.75), Some(75.0));
        assert_eq!(quantile(&latency, 0.5), Some(5.0));
        latency[LATENCY_CLASSES - 1] = 1_000;
        assert_eq!(quantile(&latency, 0.99), Some(10_000.0), "that long at least");
    }

    #[test]
    fn quantiles_never_go_down() {
        let latency = std::array::from_fn(|class| i64::try_from(class * 7 % 5).unwrap());
        let values: Vec<f64> = (1..100).map(|share| quantile(&latency, f64::from(share) / 100.0).unwrap()).collect();
        assert!(values.is_sorted(), "{values:?}");
    }
}
