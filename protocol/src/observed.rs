use serde::{Deserialize, Serialize};
use slipway_model::{ApplicationId, InstanceId, Timestamp, state::InstanceStatus};

/// Sent every [`crate::HEARTBEAT_SECONDS`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// By the node's clock: the core shows the skew.
    pub at: Timestamp,
    pub cpu_percent: f64,
    pub memory_used_bytes: i64,
    pub memory_total_bytes: i64,
    pub storage_used_bytes: i64,
    pub storage_total_bytes: i64,
    pub containers: u32,
    /// `false`: the Docker engine does not answer.
    pub docker_healthy: bool,
}

/// Everything that Slipway has on a node, sent whole whenever it changes and with each session's start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedState {
    /// Of the desired state that this is the result of.
    pub generation: u64,
    /// Grows with every change for as long as the agent's record lives; a lower one is late news.
    pub sequence: u64,
    pub instances: Vec<ObservedInstance>,
    pub routes: Vec<ObservedRoute>,
    /// Why no visitor at all can come in: the proxy that is asked for is not on this machine, or cannot be run. No route will be in
    /// force before that has changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress_problem: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedInstance {
    pub id: InstanceId,
    pub status: InstanceStatus,
    pub container_id: Option<String>,
    /// `address:port` on the node's networks.
    pub address: Option<String>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub exit_code: Option<i64>,
    pub oom_killed: bool,
    pub restart_count: u32,
    /// A sentence, where the status alone does not say it.
    pub reason: Option<String>,
    /// The end of its output (at most 200 lines) once it failed; empty otherwise.
    pub last_lines: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedRoute {
    pub application: ApplicationId,
    /// The revision that the ingress was seen to serve; `None` while it has none in force.
    pub revision_in_force: Option<String>,
    /// Why the wanted one is not in force yet.
    pub problem: Option<String>,
}
