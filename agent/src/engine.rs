//! What the agent needs of a container engine: the real one is [`crate::docker`], the pretend one [`crate::sim`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use slipway_model::state::LogStream;
use slipway_model::{
    ApplicationId, DeploymentId, InstanceId, OrganizationId, ReleaseId, Resources, Secret, Sha256Digest, TaskId, Timestamp,
};
use slipway_protocol::{DesiredInstance, RunTask, Task};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// Says nothing about the container: try again later.
    #[error("the container engine does not answer: {0}")]
    Unreachable(String),
    #[error("the image {0} is not on this node")]
    ImageMissing(String),
    #[error("there is no such container")]
    NotFound,
    /// The engine understood and said no.
    #[error("the container engine refused: {0}")]
    Refused(String),
}

/// Whose container it is. Named alike on the engine, so that one owner can never have two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    Instance(InstanceId),
    /// A release process, run once.
    Task(TaskId),
}

impl Owner {
    #[must_use]
    pub fn container_name(self) -> String {
        match self {
            Self::Instance(id) => format!("slipway-{id}"),
            Self::Task(id) => format!("slipway-{id}"),
        }
    }
}

/// A container that is to be made. The engine adds the isolation (R14), which is not up to anybody.
#[derive(Debug, Clone)]
pub struct ContainerSpec {
    pub owner: Owner,
    pub organization: OrganizationId,
    pub application: ApplicationId,
    pub deployment: DeploymentId,
    pub release: Option<ReleaseId>,
    pub image: String,
    pub command: Option<Vec<String>>,
    pub env: BTreeMap<String, Secret>,
    pub resources: Resources,
    pub port: Option<u16>,
    pub stop_grace_seconds: u32,
    pub drain_seconds: u32,
}

impl ContainerSpec {
    #[must_use]
    pub fn of_instance(instance: &DesiredInstance) -> Self {
        let mut env: BTreeMap<String, Secret> = instance.env.iter().map(|(key, value)| (key.as_str().to_owned(), value.clone())).collect();
        if let Some(port) = instance.port {
            env.entry("PORT".to_owned()).or_insert_with(|| Secret::new(port.to_string()));
        }
        Self {
            owner: Owner::Instance(instance.id),
            organization: instance.organization,
            application: instance.application,
            deployment: instance.deployment,
            release: Some(instance.release),
            image: instance.image.clone(),
            command: instance.command.clone(),
            env,
            resources: instance.resources,
            port: instance.port,
            stop_grace_seconds: instance.stop_grace_seconds,
            drain_seconds: instance.drain_seconds,
        }
    }

    #[must_use]
    pub fn of_run_task(task: &Task, run: &RunTask) -> Self {
        Self {
            owner: Owner::Task(task.id),
            organization: task.organization,
            application: task.application,
            deployment: task.deployment,
            release: None,
            image: run.image.clone(),
            command: Some(run.command.clone()).filter(|command| !command.is_empty()),
            env: run.env.iter().map(|(key, value)| (key.as_str().to_owned(), value.clone())).collect(),
            resources: run.resources,
            port: None,
            stop_grace_seconds: 10,
            drain_seconds: 0,
        }
    }

    /// Changes with whatever would need another container. A digest of the variables, not the variables: labels are read by
    /// more eyes than an environment is.
    #[must_use]
    pub fn hash(&self) -> String {
        let env: BTreeMap<&str, &str> = self.env.iter().map(|(key, value)| (key.as_str(), value.expose())).collect();
        let text = serde_json::json!([self.image, self.command, env, self.resources, self.port]).to_string();
        Sha256Digest::of(text.as_bytes()).to_string()
    }
}

/// A container of this node, as the engine shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    pub id: String,
    pub owner: Owner,
    pub organization: Option<OrganizationId>,
    pub spec_hash: String,
    pub stop_grace_seconds: u32,
    pub drain_seconds: u32,
    pub port: Option<u16>,
    pub state: ContainerState,
    /// Set while it runs.
    pub address: Option<IpAddr>,
    /// What was done differently from what its image asks.
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerState {
    /// Never started, or its start failed.
    Created {
        failure: Option<StartFailure>,
    },
    Running {
        started_at: Option<Timestamp>,
    },
    Exited {
        exit_code: i64,
        oom_killed: bool,
        started_at: Option<Timestamp>,
        finished_at: Option<Timestamp>,
    },
    /// Being removed; it will not be seen again.
    Going,
}

/// Why a container could not be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartFailure {
    pub message: String,
    /// 126 or 127 when its command cannot be run.
    pub exit_code: i64,
}

impl Container {
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self.state, ContainerState::Running { .. })
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineFacts {
    pub version: Option<String>,
    pub kernel: Option<String>,
}

/// What a container has used and uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of processor time, since it was started.
    pub cpu_nanos: u64,
    /// Without what the kernel would give back at once.
    pub memory_bytes: u64,
    pub memory_limit_bytes: u64,
    /// Written beside its image; `None` where it was not looked at.
    pub disk_bytes: Option<u64>,
    /// Since it was started.
    pub net_rx_bytes: u64,
    /// Since it was started.
    pub net_tx_bytes: u64,
}

/// What shows that a process is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeTarget {
    pub address: SocketAddr,
    /// An HTTP path; `None` only connects.
    pub path: Option<String>,
    pub timeout: Duration,
}

/// Which lines of a container to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogsFrom {
    /// Lines before this second are left out; the reader leaves out the rest.
    pub since: Option<Timestamp>,
    pub tail: Option<u32>,
    pub follow: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineLine {
    pub at: Timestamp,
    pub stream: LogStream,
    pub message: String,
    pub truncated: bool,
}

/// A container engine, seen through this node's own containers: it neither shows nor touches any other.
pub trait Engine: Send + Sync {
    /// Answers soon or fails: whether the engine is there.
    fn ping(&self) -> BoxFuture<'_, Result<EngineFacts, EngineError>>;

    fn list(&self) -> BoxFuture<'_, Result<Vec<Container>, EngineError>>;

    /// Makes the container, on its organization's network, without starting it. One that exists already is left as it is.
    fn create<'a>(&'a self, spec: &'a ContainerSpec) -> BoxFuture<'a, Result<(), EngineError>>;

    fn start(&self, owner: Owner) -> BoxFuture<'_, Result<(), EngineError>>;

    /// Asks it to end, and after `grace` makes it. Returns when it has ended.
    fn stop(&self, owner: Owner, grace: Duration) -> BoxFuture<'_, Result<(), EngineError>>;

    /// Removes the container, running or not. One that is gone already is no error.
    fn remove(&self, owner: Owner) -> BoxFuture<'_, Result<(), EngineError>>;

    /// Its exit code, once it has ended.
    fn wait(&self, owner: Owner) -> BoxFuture<'_, Result<i64, EngineError>>;

    fn logs(&self, owner: Owner, from: LogsFrom) -> BoxStream<'static, Result<EngineLine, EngineError>>;

    /// What a running container uses. How much it wrote to the disk takes the engine long to find out.
    fn usage(&self, owner: Owner, with_disk: bool) -> BoxFuture<'_, Result<Usage, EngineError>>;

    /// Yields whenever a container of this node changed. Ends when the engine can no longer be heard.
    fn changes(&self) -> BoxStream<'static, ()>;

    fn probe<'a>(&'a self, target: &'a ProbeTarget) -> BoxFuture<'a, Result<(), String>>;

    /// Removes the name of an image, and the image with its last name, unless a container has it.
    fn remove_image<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<(), EngineError>>;

    /// Removes this node's networks of other organizations than these, where nothing is attached.
    fn sweep_networks<'a>(&'a self, keep: &'a BTreeSet<OrganizationId>) -> BoxFuture<'a, Result<(), EngineError>>;
}

/// The end of a container's output, for the message that says why it failed.
pub async fn last_lines(engine: &dyn Engine, owner: Owner) -> Vec<String> {
    use futures::StreamExt;

    /// Of one message to the core: enough to see why, and small beside everything else in it.
    const MAX_LINES: u32 = 200;
    const MAX_LINE_BYTES: usize = 2048;

    let mut lines = engine.logs(owner, LogsFrom { since: None, tail: Some(MAX_LINES), follow: false });
    let mut kept = Vec::new();
    let read = async {
        while let Some(Ok(line)) = lines.next().await {
            kept.push(shorten(line.message, MAX_LINE_BYTES));
        }
    };
    // What was read until then is better than nothing.
    let _ = tokio::time::timeout(Duration::from_secs(10), read).await;
    kept
}

/// Cuts at a character's edge.
pub(crate) fn shorten(mut text: String, max_bytes: usize) -> String {
    if text.len() > max_bytes {
        text.truncate(text.floor_char_boundary(max_bytes));
    }
    text
}
