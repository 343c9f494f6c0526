use serde::{Deserialize, Serialize};
use slipway_model::{NodeId, Secret, TaskId, Timestamp};

use crate::{DesiredState, Heartbeat, LogBatch, LogQuery, LogQueryId, ObservedState, Samples, Task, TaskEvent};

/// From the core to an agent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", content = "body", rename_all = "snake_case")]
pub enum CoreMessage {
    /// The first message: 32 random bytes in hexadecimal.
    Challenge {
        nonce: String,
    },
    Welcome(Welcome),
    /// Replaces what the agent had if the generation is higher.
    Desired(DesiredState),
    /// Do this; sent again with every new session until an outcome has been acknowledged.
    Task(Task),
    CancelTask {
        task: TaskId,
    },
    /// Events of this task up to and including `sequence` are stored.
    TaskAck {
        task: TaskId,
        sequence: u64,
    },
    /// Send the lines of these instances, then follow them until [`CoreMessage::LogClose`].
    LogOpen(LogQuery),
    LogClose {
        query: LogQueryId,
    },
    /// Make another key, and tell its public half. Only to an agent that speaks version [`crate::KEYS_SINCE`].
    RenewKey,
    /// The new key is known: it may be used from the next session on.
    NextKeyKept {
        public_key: String,
    },
}

/// From an agent to the core.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", content = "body", rename_all = "snake_case")]
pub enum AgentMessage {
    Hello(Hello),
    Heartbeat(Heartbeat),
    Observed(ObservedState),
    Task(TaskEvent),
    Logs(LogBatch),
    /// Only to a control plane that speaks version [`crate::SAMPLES_SINCE`].
    Samples(Samples),
    /// The public half of the key that the node would use from now on, and its signature over [`renewal_payload`].
    NextKey {
        public_key: String,
        signature: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub node: NodeId,
    /// Lowest and highest that the agent speaks.
    pub protocol_versions: [u32; 2],
    /// Ed25519 over [`challenge_payload`], in hexadecimal.
    pub signature: String,
    pub facts: NodeFacts,
    /// Unfinished or unacknowledged tasks that the agent knows of: those that the core does not name are dropped.
    pub tasks: Vec<TaskId>,
    pub generation: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Welcome {
    pub protocol_version: u32,
    pub core_version: String,
    /// Authorizes blob downloads for as long as this session lasts.
    #[serde(serialize_with = "Secret::expose_on_wire")]
    pub session_token: Secret,
    pub now: Timestamp,
}

/// What an agent knows of its machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeFacts {
    pub agent_version: String,
    pub docker_version: Option<String>,
    pub kernel_version: Option<String>,
    pub cpu_millis: i64,
    pub memory_bytes: i64,
    pub storage_bytes: i64,
    /// Address at which visitors reach the node's ingress.
    pub public_address: Option<String>,
}

/// What the agent signs: bound to this purpose, this node and this challenge.
#[must_use]
pub fn challenge_payload(nonce: &str, node: NodeId) -> Vec<u8> {
    format!("slipway agent session v1\n{node}\n{nonce}").into_bytes()
}

/// What the agent signs with a new key: whoever offers a key has its private half.
#[must_use]
pub fn renewal_payload(public_key: &str, node: NodeId) -> Vec<u8> {
    format!("slipway agent key v1\n{node}\n{public_key}").into_bytes()
}
