use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use slipway_buildpack_wit::{Lock, Plan};
use slipway_model::{
    ApplicationId, BuildConfig, DeploymentId, EnvKey, GitRef, GitUrl, ImageRef, OrganizationId, Resources, Secret, Sha256Digest, TaskId,
    Timestamp,
    state::{StepKind, StepStatus},
};

/// A piece of work for one agent. The same id is the same work, however often it is sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    pub id: TaskId,
    pub organization: OrganizationId,
    pub application: ApplicationId,
    pub deployment: DeploymentId,
    /// After this the agent gives up by itself.
    pub deadline: Timestamp,
    pub spec: TaskSpec,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TaskSpec {
    /// Fetch the source, detect, plan. Ends in [`Outcome::Planned`].
    Plan(PlanTask),
    /// Build the planned source. Ends in [`Outcome::Built`].
    Build(BuildTask),
    /// Have a ready image on the node. Ends in [`Outcome::Built`].
    Pull(PullTask),
    /// Run a command once in a release's image. Ends in [`Outcome::Ran`].
    Run(RunTask),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum SourceSpec {
    Git {
        url: GitUrl,
        branch: GitRef,
        /// A full commit id; `None` takes the branch's newest.
        commit: Option<String>,
    },
    /// A gzip-compressed tar archive, fetched as a blob.
    Upload { sha256: Sha256Digest, size_bytes: u64 },
}

/// A buildpack component, fetched as a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildpackRef {
    /// Equal to its runtime's slug.
    pub id: String,
    pub sha256: Sha256Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanTask {
    pub source: SourceSpec,
    pub config: BuildConfig,
    /// Those of the enabled runtimes.
    pub buildpacks: Vec<BuildpackRef>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BuildTask {
    /// For Git with the commit that was planned. The agent keeps the unpacked source of the plan task, and fetches it again
    /// when it no longer has it.
    pub source: SourceSpec,
    pub root_directory: String,
    pub plan: Plan,
    pub lock: Lock,
    /// What the image is to be called, such as `slipway/app_01h…:dep_01h…`.
    pub image: String,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Build variables; mounted as secrets, never written into the image or the log.
    #[serde(serialize_with = "crate::expose_values")]
    pub secrets: BTreeMap<EnvKey, Secret>,
    pub limits: BuildLimits,
    /// Nothing is taken from earlier builds.
    #[serde(default)]
    pub fresh: bool,
    /// The application's download caches are those since this deployment; `None`: as old as the application.
    #[serde(default)]
    pub caches_since: Option<DeploymentId>,
}

/// R7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildLimits {
    pub time_seconds: u64,
    pub log_bytes: u64,
    pub image_bytes: u64,
    pub memory_bytes: i64,
}

impl Default for BuildLimits {
    fn default() -> Self {
        Self { time_seconds: 15 * 60, log_bytes: 10 << 20, image_bytes: 4 << 30, memory_bytes: 2 << 30 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullTask {
    pub image: ImageRef,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunTask {
    pub image: String,
    pub command: Vec<String>,
    #[serde(serialize_with = "crate::expose_values")]
    pub env: BTreeMap<EnvKey, Secret>,
    pub resources: Resources,
    pub time_seconds: u64,
}

/// Something that happened to a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskEvent {
    pub task: TaskId,
    /// From 1, without gaps; sent again until acknowledged.
    pub sequence: u64,
    pub at: Timestamp,
    pub event: TaskEventKind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum TaskEventKind {
    Step {
        step: StepKind,
        status: StepStatus,
        message: Option<String>,
    },
    /// Lines of the build log, without line ends.
    Log {
        lines: Vec<String>,
    },
    /// The last event of a task.
    Finished {
        outcome: Outcome,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Outcome {
    Planned {
        plan: Plan,
        /// The commit that was checked out, for Git.
        commit: Option<String>,
        commit_message: Option<String>,
    },
    Built {
        /// Reference by which this node starts the image.
        image: String,
        digest: String,
        image_bytes: i64,
        /// TCP ports that the image exposes.
        exposed_ports: Vec<u16>,
        log_truncated: bool,
        /// Whether every command and every copy was unchanged since an earlier build. `None`: there was none, or the agent does not say.
        #[serde(default)]
        from_cache: Option<bool>,
    },
    Ran {
        exit_code: i64,
    },
    Failed(TaskFailure),
    Canceled,
}

/// Why a task failed, for the person whose app it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct TaskFailure {
    /// Stable, such as `BUILD_COMMAND_FAILED`, `SOURCE_UNREACHABLE`, `ARCHIVE_REJECTED`, `NO_BUILDPACK`, or a buildpack's refusal code.
    pub code: String,
    /// What happened and why.
    pub message: String,
    /// What to do.
    pub fix: Option<String>,
    pub file: Option<String>,
    pub line: Option<u32>,
    pub exit_code: Option<i64>,
}

impl TaskFailure {
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), fix: None, file: None, line: None, exit_code: None }
    }

    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}
