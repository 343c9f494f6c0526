//! What the core and an agent say to each other: JSON messages over one WebSocket, and nothing else.
//!
//! # A session
//!
//! 1. The agent opens `wss://core/agent/connect`; the core sends [`CoreMessage::Challenge`].
//! 2. The agent answers [`AgentMessage::Hello`], signed with its key over [`challenge_payload`].
//! 3. The core sends [`CoreMessage::Welcome`], then the whole [`DesiredState`] and every task that is not finished.
//! 4. The agent sends a [`Heartbeat`] every [`HEARTBEAT_SECONDS`], its [`ObservedState`] whenever it changes, task events, and
//!    [`Samples`] of what is used every [`SAMPLE_SECONDS`] where both sides speak version [`SAMPLES_SINCE`].
//!
//! Nothing depends on a message arriving once or in order: desired and observed state are whole, with the highest
//! generation winning; tasks are named, so that one sent twice is done once; task events carry a sequence number and are sent
//! again until they are acknowledged.

mod blob;
mod desired;
mod enroll;
mod logs;
mod message;
mod observed;
mod samples;
mod task;

pub use blob::{BLOB_PATH, MAX_BLOB_BYTES};
pub use desired::{DesiredInstance, DesiredProxy, DesiredRoute, DesiredState};
pub use enroll::{CA_PATH, ENROLL_PATH, EnrollRefusal, EnrollRequest, EnrollResponse, EnrollmentToken, ParseTokenError};
pub use logs::{LineFilter, LogBatch, LogLine, LogQuery, LogQueryId, PastLines};
pub use message::{AgentMessage, CoreMessage, Hello, NodeFacts, Welcome, challenge_payload, renewal_payload};
pub use observed::{Heartbeat, ObservedInstance, ObservedRoute, ObservedState};
pub use samples::{HttpSample, InstanceSample, LATENCY_BOUNDS_MS, LATENCY_CLASSES, NodeSample, SAMPLE_SECONDS, SAMPLES_SINCE, Samples};
pub use task::{
    BuildLimits, BuildTask, BuildpackRef, Outcome, PlanTask, PullTask, RunTask, SourceSpec, Task, TaskEvent, TaskEventKind, TaskFailure,
    TaskSpec,
};

/// The versions of these messages that this build can speak, lowest and highest. A core speaks the previous minor
/// version too.
pub const PROTOCOL_VERSIONS: [u32; 2] = [1, 2];

/// The version of the protocol since which agents renew their keys.
pub const KEYS_SINCE: u32 = 2;

/// Path of the WebSocket on the core's agent listener.
pub const CONNECT_PATH: &str = "/agent/connect";

/// Seconds between heartbeats (R4.1).
pub const HEARTBEAT_SECONDS: u64 = 30;

/// Seconds without a heartbeat after which a node is offline (R4.2).
pub const OFFLINE_AFTER_SECONDS: u64 = 90;

/// Largest message, in bytes, in either direction. Build logs and states are split or refused above it.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// WebSocket close codes of the agent socket.
pub mod close {
    /// The node's key is unknown, revoked, or the signature is wrong: reconnecting with it is useless.
    pub const IDENTITY_REFUSED: u16 = 4403;
    /// No common protocol version.
    pub const VERSION: u16 = 4406;
    /// Another connection of the same node took over.
    pub const REPLACED: u16 = 4409;
    /// A message could not be understood.
    pub const BAD_MESSAGE: u16 = 4400;
    /// The hello did not come in time.
    pub const TIMEOUT: u16 = 4408;
}

/// The header that the ingress adds to a response so that the agent can see which route is in force.
pub const ROUTE_HEADER: &str = "x-slipway-route";

/// Secrets are written out only here, for the encrypted channel and the agent's own record.
fn expose_values<S: serde::Serializer>(
    env: &std::collections::BTreeMap<slipway_model::EnvKey, slipway_model::Secret>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(env.iter().map(|(key, value)| (key, value.expose())))
}
