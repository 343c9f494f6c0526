//! The shapes of the WIT package as plain data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

type Env = Vec<(String, String)>;

/// Why a buildpack believes that a tree is its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Below the application's root.
    pub file: String,
    /// Where in the file, such as `engines.node`.
    pub key: Option<String>,
    /// For people: what this says, such as `an Express application`.
    pub why: String,
}

/// A directory that a buildpack would take from another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Below the application's root, such as `public/build`.
    pub name: String,
    /// The application does without where nobody makes it.
    pub optional: bool,
}

/// The score from which a buildpack says that the tree is a whole application of its kind.
pub const WHOLE_APPLICATION: u8 = 80;

/// The score that says that the tree itself states how it is to be built, as a Dockerfile does. It goes before every other.
pub const STATED_BUILD: u8 = 100;

/// What a buildpack recognised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    /// The root that was asked about; a buildpack does not move the application.
    pub app_root: String,
    /// 0 to 100: how sure. From [`WHOLE_APPLICATION`] on, a tree with a manifest and a way to start it.
    pub score: u8,
    /// What was recognised, such as `express` or `django`.
    pub framework: Option<String>,
    /// Who installs the dependencies, such as `pnpm`.
    pub package_manager: Option<String>,
    /// What was found, the strongest first. People read it.
    pub reasons: Vec<Reason>,
    /// Directories below the application's root that this buildpack's steps make; `.`: they may write anywhere in it.
    pub provides: Vec<String>,
    /// Directories that another buildpack may make. Those that none makes are left in the detection that `plan` gets.
    pub requires: Vec<Asset>,
}

/// The application cannot work as it is. For the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// A stable id in capitals that begins with the buildpack's name, such as `NODE_LOCKFILES_CONFLICT`.
    pub code: String,
    /// What is wrong, as a sentence.
    pub message: String,
    /// Where it is wrong, below the application's root.
    pub file: Option<String>,
    /// From 1.
    pub line: Option<u32>,
    /// What to do, as an imperative sentence.
    pub fix: String,
}

/// What a buildpack answers when it is asked whether a tree is its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detected {
    /// Not its kind of tree; the reasons say what was looked for.
    No(Vec<Reason>),
    /// Its kind of tree.
    Yes(Detection),
    /// Its kind of tree, and it cannot work as it is.
    Refused(Refusal),
}

/// What a person said about the build, as the buildpack hears it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Context {
    /// Where the application lives below the tree: `.` or a relative path.
    pub app_root: String,
    /// In place of the build that the buildpack would find.
    pub build_command: Option<String>,
    /// In place of the start command that the buildpack would find.
    pub start_command: Option<String>,
    /// The Dockerfile to build, below the application's root.
    pub dockerfile_path: Option<String>,
    /// A stage of that Dockerfile.
    pub build_target: Option<String>,
}

impl Default for Context {
    fn default() -> Self {
        Self { app_root: ".".into(), build_command: None, start_command: None, dockerfile_path: None, build_target: None }
    }
}

/// A program that a runtime plugin resolves to an image: a constraint goes out, an exact version comes back and is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// `node`, `python`, `go`: what a runtime plugin resolves. `[a-z][a-z0-9-]*`.
    pub name: String,
    /// In the language's own syntax, such as `^20.1` or `>=3.11,<3.13`; one line of at most 200 bytes.
    pub constraint: String,
    /// Where it was found, such as `package.json#engines.node`; empty where it is the buildpack's default.
    pub source: String,
    /// The application says nothing of it.
    pub is_default: bool,
}

/// The image that a step or the final image starts from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// The image that the named tool resolves to: steps get the one to build with, the final image the one to run with.
    Tool(String),
    /// The result of an earlier step.
    Step(String),
    /// An image by reference, with a tag that does not float or a digest.
    Image(String),
}

/// What a step sees. What it does not see cannot make it run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// `source`, or the id of an earlier step.
    pub origin: String,
    /// From the source: paths or globs (`*` within a part, `**` across parts) below the application's root; empty: all. From a
    /// step: absolute paths in that step's filesystem, without globs.
    pub include: Vec<String>,
    /// Globs of the source to leave out.
    pub exclude: Vec<String>,
    /// Where they land, absolute. From a step, each path keeps its last part.
    pub dest: String,
}

/// What is run. The host quotes; nothing here is ever pasted into a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// The program and its arguments.
    Argv(Vec<String>),
    /// A line that runs by the image's `/bin/sh -c`, for the customer's own words.
    Shell(String),
}

/// One command of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What runs.
    pub command: Command,
    /// Absolute; made where it is not there.
    pub cwd: String,
    /// For this command alone.
    pub env: Env,
    /// Whether it needs the network. A builder that can close it does; Docker's own frontend of 20.10 cannot.
    pub network: bool,
}

/// A file that the buildpack writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Absolute.
    pub path: String,
    /// All files of a plan together: at most 1 MiB.
    pub content: String,
    /// May be run as a program.
    pub executable: bool,
}

/// A directory that is kept between builds of the same application. For downloads: it may be empty at any time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// `[a-z][a-z0-9-]*`; steps name it. The host keeps each application's apart.
    pub id: String,
    /// Where it is mounted, absolute.
    pub path: String,
    /// Several builds may use it at once; otherwise they wait for each other.
    pub shared: bool,
}

/// A stage of the build: an image, what it sees, and the commands that run in it. Steps that do not need each other run side by
/// side, and one whose inputs did not change does not run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// `[a-z][a-z0-9-]*`, not `source`.
    pub id: String,
    /// What it starts from.
    pub base: Base,
    /// What it sees, copied in order.
    pub inputs: Vec<Input>,
    /// Written before the commands run.
    pub files: Vec<File>,
    /// In order; as root, in the build's container.
    pub run: Vec<Run>,
    /// Ids of declared caches that are mounted for all commands.
    pub caches: Vec<String>,
    /// Build variables without which the step cannot run.
    pub secrets: Vec<String>,
    /// Debian packages, installed first.
    pub packages: Vec<String>,
}

/// A part of the final image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// `source` or a step's id.
    pub origin: String,
    /// From the source: a directory below the application's root, `.` for all of it. From a step: absolute.
    pub path: String,
    /// Absolute.
    pub dest: String,
    /// Globs below `path`, only from the source; empty: all.
    pub include: Vec<String>,
    /// Globs below `path`, only from the source.
    pub exclude: Vec<String>,
}

/// The image that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// What it starts from.
    pub base: Base,
    /// Debian packages.
    pub packages: Vec<String>,
    /// From the most stable to the most volatile.
    pub layers: Vec<Layer>,
    /// Written by the buildpack.
    pub files: Vec<File>,
    /// For every process.
    pub env: Env,
    /// Absolute.
    pub workdir: String,
    /// Numeric `uid:gid`, neither 0.
    pub user: String,
}

/// What a process is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessKind {
    /// Answers visitors on its port.
    Web,
    /// Runs on without a port.
    Worker,
    /// Runs once before each release, which does not start when it fails.
    Release,
    /// Runs now and then.
    Cron,
}

/// The default process is what the image runs when nothing else is said. Beside a [`Dockerfile`] its command may be an
/// empty [`Command::Argv`]: the image's own ENTRYPOINT and CMD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// `[a-z][a-z0-9-]*`, unique.
    pub name: String,
    /// What it is for.
    pub kind: ProcessKind,
    /// What runs.
    pub command: Command,
    /// For this process, beside the image's.
    pub env: Env,
    /// What the image runs when nothing else is said; at most one.
    pub is_default: bool,
}

/// A port that the web process listens on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// `[a-z][a-z0-9-]*`, unique.
    pub name: String,
    /// The environment variable that tells the process its port.
    pub env: String,
    /// The number that the platform puts into the variable.
    pub default: u16,
}

/// How far a health check can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthBasis {
    /// The application says so itself.
    Stated,
    /// It is usual for its kind.
    Guessed,
}

/// How to see that an instance is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// A path that answers 2xx or 3xx.
    Http(String),
    /// A port that accepts connections.
    Tcp,
    /// A command that ends with status 0 in the container.
    Command(Vec<String>),
}

/// When an instance is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What is asked.
    pub probe: Probe,
    /// How long it may take after the start, in seconds.
    pub grace_seconds: u32,
    /// Why it is believed.
    pub basis: HealthBasis,
}

/// The application is files; how they are served. It informs people: the image still brings the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticSite {
    /// Where the files are.
    pub dir: String,
    /// Unknown paths get `index.html`.
    pub spa_fallback: bool,
}

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Good to know.
    Info,
    /// Probably not what the author wants.
    Warning,
}

/// Something to say about an application that can be built all the same. It is in the build log and in `slipway plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How much it matters.
    pub level: Level,
    /// A stable id, as of a [`Refusal`].
    pub code: String,
    /// What is so, and what to do about it.
    pub message: String,
    /// Below the application's root.
    pub file: Option<String>,
    /// From 1.
    pub line: Option<u32>,
}

/// A build that a Dockerfile describes, in place of steps and image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dockerfile {
    /// Below the application's root.
    pub path: String,
    /// A directory below the application's root, `.` for all of it.
    pub context: String,
    /// The stage to build; `None`: the last.
    pub target: Option<String>,
    /// Build arguments.
    pub args: Env,
    /// What is built in place of the file's own text, where it had to be adapted.
    pub text: String,
}

/// What one buildpack plans.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fragment {
    /// Every tool that a [`Base::Tool`] names.
    pub tools: Vec<Tool>,
    /// Every cache that a step names.
    pub caches: Vec<Cache>,
    /// At most 32.
    pub steps: Vec<Step>,
    /// Exactly one of this and `dockerfile`.
    pub image: Option<Image>,
    /// Exactly one of this and `image`.
    pub dockerfile: Option<Dockerfile>,
    /// What runs; the Procfile's and `slipway.toml`'s are merged in by the host. None needs a warning that says why.
    pub processes: Vec<Process>,
    /// What the web process listens on.
    pub ports: Vec<Port>,
    /// When an instance is ready; `None`: when it runs.
    pub health: Option<Health>,
    /// Where the application is nothing but files.
    pub static_site: Option<StaticSite>,
    /// What is worth saying, at most 200.
    pub diagnostics: Vec<Diagnostic>,
}

/// What another buildpack knows of the same tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// The id of the buildpack.
    pub buildpack: String,
    /// As its detection tells it, such as `vite`.
    pub framework: Option<String>,
    /// As its detection tells it, such as `npm`.
    pub package_manager: Option<String>,
    /// Directories that its steps make for the image; none where it has no part in the build, as beside a Dockerfile.
    pub makes: Vec<String>,
}

/// The whole answer for a source tree: who won and why, and what to build. Pure data; see [`Plan::id`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The winning buildpack's id, such as `node`.
    pub buildpack: String,
    /// What it recognised.
    pub detection: Detection,
    /// Those that make assets for the application; beside a Dockerfile, the one that knows the source best.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Beside>,
    #[serde(flatten)]
    /// What it planned.
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
