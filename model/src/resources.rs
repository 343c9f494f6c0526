//! What a plan grants to one instance, and how an instance shows that it is well.

use serde::{Deserialize, Serialize};

/// The limits of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Resources {
    /// Thousandths of one CPU.
    pub cpu_millis: i64,
    pub memory_bytes: i64,
    pub storage_bytes: i64,
}

/// How an instance is probed before traffic is switched to it. Times are seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// An HTTP path whose answer must be below 500 (2xx to 4xx: the server speaks); `None` probes that the port accepts TCP.
    pub path: Option<String>,
    /// `None`: the port that the build plan states.
    pub port: Option<u16>,
    pub interval_seconds: u32,
    pub timeout_seconds: u32,
    pub retries: u32,
    /// How long after its start an instance may take to answer for the first time.
    pub grace_seconds: u32,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self { path: None, port: None, interval_seconds: 10, timeout_seconds: 5, retries: 3, grace_seconds: 60 }
    }
}
