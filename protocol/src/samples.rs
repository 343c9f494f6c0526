use serde::{Deserialize, Serialize};
use slipway_model::{ApplicationId, InstanceId};

/// Seconds between samples.
pub const SAMPLE_SECONDS: u64 = 10;

/// The version of the protocol since which agents send samples. An older control plane would not understand them.
pub const SAMPLES_SINCE: u32 = 2;

/// How long a request took, by class: the upper end of each, in milliseconds. One more class is for what took longer.
pub const LATENCY_BOUNDS_MS: [u64; 11] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];
/// Classes of latency.
pub const LATENCY_CLASSES: usize = LATENCY_BOUNDS_MS.len() + 1;

/// What a node measured since its last sample. One that is lost is not sent again: the next one tells of its own time alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    pub node: NodeSample,
    pub instances: Vec<InstanceSample>,
    /// Of applications that were asked for anything.
    pub applications: Vec<HttpSample>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeSample {
    /// Of all its processors.
    pub cpu_percent: f64,
    pub memory_used_bytes: i64,
    pub storage_used_bytes: i64,
}

/// What one running instance uses.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct InstanceSample {
    pub instance: InstanceId,
    /// Of one processor: 150 is one and a half of them.
    pub cpu_percent: f64,
    /// Without what the kernel would give back at once.
    pub memory_bytes: i64,
    pub memory_limit_bytes: i64,
    /// What it has written beside its image; looked at less often than the rest.
    pub disk_bytes: Option<i64>,
    /// Since the last sample.
    pub net_rx_bytes: i64,
    /// Since the last sample.
    pub net_tx_bytes: i64,
}

/// What visitors asked of an application since the last sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpSample {
    pub application: ApplicationId,
    pub requests: u64,
    /// Those answered with 500 and above.
    pub server_errors: u64,
    /// How many of them took how long, by [`LATENCY_BOUNDS_MS`].
    pub latency: [u64; LATENCY_CLASSES],
}
