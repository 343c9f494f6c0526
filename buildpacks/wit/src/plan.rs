//! The shapes of the WIT package as plain data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

type Env = Vec<(String, String)>;

/// Why a buildpack believes that a tree is its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    pub file: String,
    pub key: Option<String>,
    pub why: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    pub name: String,
    pub optional: bool,
}

/// The score from which a buildpack says that the tree is a whole application of its kind.
pub const WHOLE_APPLICATION: u8 = 80;

/// The score that says that the tree itself states how it is to be built, as a Dockerfile does. It goes before every other.
pub const STATED_BUILD: u8 = 100;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    pub app_root: String,
    /// 0 to 100: how sure. From [`WHOLE_APPLICATION`] on, a tree with a manifest and a way to start it.
    pub score: u8,
    pub framework: Option<String>,
    pub package_manager: Option<String>,
    pub reasons: Vec<Reason>,
    pub provides: Vec<String>,
    pub requires: Vec<Asset>,
}

/// The application cannot work as it is. For the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    pub code: String,
    pub message: String,
    pub file: Option<String>,
    pub line: Option<u32>,
    pub fix: String,
}

/// What a buildpack answers when it is asked whether a tree is its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detected {
    /// Not its kind of tree; the reasons say what was looked for.
    No(Vec<Reason>),
    Yes(Detection),
    Refused(Refusal),
}

/// What a person said about the build, as the buildpack hears it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Context {
    pub app_root: String,
    pub build_command: Option<String>,
    pub start_command: Option<String>,
    pub dockerfile_path: Option<String>,
    pub build_target: Option<String>,
}

impl Default for Context {
    fn default() -> Self {
        Self { app_root: ".".into(), build_command: None, start_command: None, dockerfile_path: None, build_target: None }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    pub name: String,
    pub constraint: String,
    pub source: String,
    pub is_default: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    Tool(String),
    Step(String),
    Image(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub origin: String,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub dest: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    Argv(Vec<String>),
    Shell(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    pub command: Command,
    pub cwd: String,
    pub env: Env,
    pub network: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    pub path: String,
    pub content: String,
    pub executable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    pub id: String,
    pub path: String,
    pub shared: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub id: String,
    pub base: Base,
    pub inputs: Vec<Input>,
    pub files: Vec<File>,
    pub run: Vec<Run>,
    pub caches: Vec<String>,
    pub secrets: Vec<String>,
    pub packages: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    pub origin: String,
    pub path: String,
    pub dest: String,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    pub base: Base,
    pub packages: Vec<String>,
    pub layers: Vec<Layer>,
    pub files: Vec<File>,
    pub env: Env,
    pub workdir: String,
    pub user: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessKind {
    Web,
    Worker,
    Release,
    Cron,
}

/// The default process is what the image runs when nothing else is said. Beside a [`Dockerfile`] its command may be an
/// empty [`Command::Argv`]: the image's own ENTRYPOINT and CMD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub name: String,
    pub kind: ProcessKind,
    pub command: Command,
    pub env: Env,
    pub is_default: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    pub name: String,
    /// The environment variable that tells the process its port.
    pub env: String,
    pub default: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthBasis {
    Stated,
    Guessed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    Http(String),
    Tcp,
    Command(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    pub probe: Probe,
    pub grace_seconds: u32,
    pub basis: HealthBasis,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticSite {
    pub dir: String,
    pub spa_fallback: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Info,
    Warning,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    pub level: Level,
    pub code: String,
    pub message: String,
    pub file: Option<String>,
    pub line: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dockerfile {
    pub path: String,
    pub context: String,
    pub target: Option<String>,
    pub args: Env,
    pub text: String,
}

/// What one buildpack plans.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fragment {
    pub tools: Vec<Tool>,
    pub caches: Vec<Cache>,
    pub steps: Vec<Step>,
    pub image: Option<Image>,
    pub dockerfile: Option<Dockerfile>,
    pub processes: Vec<Process>,
    pub ports: Vec<Port>,
    pub health: Option<Health>,
    pub static_site: Option<StaticSite>,
    pub diagnostics: Vec<Diagnostic>,
}

/// The whole answer for a source tree: who won and why, and what to build. Pure data; see [`Plan::id`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The winning buildpack's id, such as `node`.
    pub buildpack: String,
    pub detection: Detection,
    #[serde(flatten)]
    pub fragment: Fragment,
}

impl Plan {
    /// Canonical JSON: fields in declaration order, no spaces, lists in the order that matters to the build.
    ///
    /// # Panics
    /// Never: every part of a plan is representable in JSON.
    #[must_use]
    pub fn canonical_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a plan is plain data")
    }

    /// SHA-256 of the canonical JSON, in hexadecimal: the plan's id.
    #[must_use]
    pub fn id(&self) -> String {
        hex::encode(Sha256::digest(self.canonical_json()))
    }
}

/// A tool constraint resolved to something exact. Kept per application, so that a changed default never changes an app
/// that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedTool {
    /// The constraint that this answers: a changed constraint is resolved anew.
    pub constraint: String,
    /// Exact, such as `22.14.0`, or as exact as the image allows, such as `22`.
    pub version: String,
    /// Image that steps of this tool run in.
    pub build_image: String,
    /// Image that the final image starts from.
    pub run_image: String,
}

/// Tool name to what it resolved to.
pub type Lock = BTreeMap<String, LockedTool>;

impl Refusal {
    /// The file that has to change.
    #[must_use]
    pub fn at(mut self, file: &str) -> Self {
        self.file = Some(file.to_owned());
        self
    }

    /// From 1.
    #[must_use]
    pub fn line(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }

    /// What to do, as an imperative sentence.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }
}
