//! Who installs the dependencies: npm, Yarn 1, Yarn 2 and later, pnpm or Bun.

use slipway_buildpack_sdk::{Command, argv};

use crate::range::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Npm,
    Yarn1,
    YarnBerry,
    Pnpm,
    Bun,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager {
    pub kind: Kind,
    /// What to install of the manager itself, exact where the application says so; `None`: the one in the image.
    pub version: Option<String>,
    /// Whether the application says so, and not only what is usual.
    pub is_stated: bool,
    pub lockfile: Option<&'static str>,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Yarn1 | Self::YarnBerry => "yarn",
            Self::Pnpm => "pnpm",
            Self::Bun => "bun",
        }
    }

    /// The cache of downloads: its id and where it is.
    pub fn cache(self) -> (&'static str, &'static str) {
        match self {
            Self::Npm => ("npm", "/root/.npm"),
            Self::Yarn1 | Self::YarnBerry => ("yarn", "/root/.cache/yarn"),
            Self::Pnpm => ("pnpm", "/root/.cache/pnpm-store"),
            Self::Bun => ("bun", "/root/.cache/bun"),
        }
    }

    /// What its commands need in their environment.
    pub fn env(self) -> Vec<(String, String)> {
        let pairs: &[(&str, &str)] = match self {
            Self::Npm => &[("npm_config_update_notifier", "false")],
            Self::Yarn1 => &[("YARN_CACHE_FOLDER", "/root/.cache/yarn")],
            // Plug'n'Play would need Yarn at run time; the lockfile is the same for both.
            Self::YarnBerry => {
                &[("YARN_CACHE_FOLDER", "/root/.cache/yarn"), ("YARN_NODE_LINKER", "node-modules"), ("YARN_ENABLE_TELEMETRY", "0")]
            }
            Self::Pnpm => &[("npm_config_store_dir", "/root/.cache/pnpm-store")],
            Self::Bun => &[("BUN_INSTALL_CACHE_DIR", "/root/.cache/bun")],
        };
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }
}

impl Manager {
    /// The one in Node's image.
    pub fn npm() -> Self {
        Self { kind: Kind::Npm, version: None, is_stated: false, lockfile: None }
    }

    /// Installs the manager itself; `None` when the image has it. Every one of them is a package of npm's.
    pub fn setup(&self) -> Option<Command> {
        let version = self.version.as_deref()?;
        let package = match self.kind {
            Kind::Npm => "npm",
            Kind::Yarn1 => "yarn",
            Kind::YarnBerry => "@yarnpkg/cli-dist",
            Kind::Pnpm => "pnpm",
            Kind::Bun => "bun",
        };
        // Images may hold a Yarn already, which --force replaces.
        Some(argv(["npm", "install", "--global", "--force", "--no-fund", "--no-audit", &format!("{package}@{version}")]))
    }

    /// Installs the dependencies, exactly as locked where there is a lockfile.
    pub fn install(&self, production: bool) -> Command {
        let locked = self.lockfile.is_some();
        let words: Vec<&str> = match (self.kind, locked, production) {
            (Kind::Npm, true, false) => vec!["npm", "ci", "--no-audit", "--no-fund"],
            (Kind::Npm, true, true) => vec!["npm", "ci", "--no-audit", "--no-fund", "--omit=dev"],
            (Kind::Npm, false, false) => vec!["npm", "install", "--no-audit", "--no-fund"],
            (Kind::Npm, false, true) => vec!["npm", "install", "--no-audit", "--no-fund", "--omit=dev"],
            (Kind::Yarn1, true, false) => vec!["yarn", "install", "--frozen-lockfile", "--non-interactive", "--production=false"],
            (Kind::Yarn1, true, true) => vec!["yarn", "install", "--frozen-lockfile", "--non-interactive", "--production=true"],
            (Kind::Yarn1, false, false) => vec!["yarn", "install", "--non-interactive", "--production=false"],
            (Kind::Yarn1, false, true) => vec!["yarn", "install", "--non-interactive", "--production=true"],
            // Its own command for that, of all packages of the workspace.
            (Kind::YarnBerry, _, true) if self.separates_production() => vec!["yarn", "workspaces", "focus", "--all", "--production"],
            (Kind::YarnBerry, true, _) => vec!["yarn", "install", "--immutable"],
            (Kind::YarnBerry, false, _) => vec!["yarn", "install", "--no-immutable"],
            (Kind::Pnpm, true, false) => vec!["pnpm", "install", "--frozen-lockfile", "--prod=false"],
            (Kind::Pnpm, true, true) => vec!["pnpm", "install", "--frozen-lockfile", "--prod"],
            (Kind::Pnpm, false, false) => vec!["pnpm", "install", "--no-frozen-lockfile", "--prod=false"],
            (Kind::Pnpm, false, true) => vec!["pnpm", "install", "--no-frozen-lockfile", "--prod"],
            (Kind::Bun, true, false) => vec!["bun", "install", "--frozen-lockfile"],
            (Kind::Bun, true, true) => vec!["bun", "install", "--frozen-lockfile", "--production"],
            (Kind::Bun, false, false) => vec!["bun", "install"],
            (Kind::Bun, false, true) => vec!["bun", "install", "--production"],
        };
        argv(words)
    }

    /// Whether dependencies for production alone can be installed by one plain command. Before its fourth version, Yarn could do that
    /// with a plugin only.
    pub fn separates_production(&self) -> bool {
        let is_before_4 = |version: Range| Range::parse("<4").is_none_or(|before| version.meets(&before));
        self.kind != Kind::YarnBerry || self.version.as_deref().and_then(Range::parse).is_some_and(|version| !is_before_4(version))
    }

    /// Runs a script of package.json while building.
    pub fn run_script(&self, script: &str) -> Command {
        argv([self.kind.name(), "run", script])
    }

    /// Runs a script of package.json in the image, where only Node's own npm is sure to be; npm runs any manager's scripts.
    pub fn start_script(&self, script: &str) -> Command {
        argv([if self.kind == Kind::Bun { "bun" } else { "npm" }, "run", script])
    }
}
