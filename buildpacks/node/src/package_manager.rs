//! Who installs the dependencies: npm, Yarn 1, Yarn 2 and later, pnpm or Bun.

use slipway_buildpack_sdk::{Command, Diagnostic, Refusal, Source, argv, refuse, warning};

use crate::manifest::{FILE, Manifest};

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
    pub lockfile: Option<&'static str>,
}

const LOCKFILES: [(&str, Kind); 6] = [
    ("package-lock.json", Kind::Npm),
    ("npm-shrinkwrap.json", Kind::Npm),
    ("yarn.lock", Kind::Yarn1),
    ("pnpm-lock.yaml", Kind::Pnpm),
    ("bun.lock", Kind::Bun),
    ("bun.lockb", Kind::Bun),
];

/// What `packageManager` may name.
const NAMES: [(&str, Kind); 4] = [("npm", Kind::Npm), ("yarn", Kind::Yarn1), ("pnpm", Kind::Pnpm), ("bun", Kind::Bun)];

/// The manager, and what to tell the customer about the choice.
pub fn choose(source: &Source, manifest: &Manifest) -> Result<(Manager, Vec<Diagnostic>), Refusal> {
    let mut diagnostics = Vec::new();
    let found: Vec<(&'static str, Kind)> = LOCKFILES.into_iter().filter(|(file, _)| source.is_file(file)).collect();
    let declared = declared(manifest)?;
    let (kind, version) = match (&declared, found.first()) {
        (Some((kind, version)), _) => {
            let others: Vec<_> = found.iter().filter(|(_, other)| other != kind).map(|(file, _)| format!("`{file}`")).collect();
            if !others.is_empty() && others.len() == found.len() {
                return Err(refuse(
                    "NODE_LOCKFILE_CONTRADICTS_MANAGER",
                    format!("`packageManager` in package.json names {}, but the lockfile is {}.", kind.name(), others.join(" and ")),
                )
                .at(FILE)
                .fix(format!("Run `{} install` and commit its lockfile, or correct `packageManager`.", kind.name())));
            }
            if !others.is_empty() {
                let message = format!("{} is left aside: `packageManager` names {}.", others.join(" and "), kind.name());
                diagnostics.push(warning("NODE_LOCKFILE_UNUSED", message, Some(FILE)));
            }
            (*kind, version.clone())
        }
        (None, Some((first, kind))) => {
            if let Some((second, _)) = found.iter().find(|(_, other)| other != kind) {
                return Err(refuse(
                    "NODE_LOCKFILES_CONFLICT",
                    format!("`{first}` and `{second}` come from different package managers, and nothing says which is right."),
                )
                .at(second)
                .fix("Delete the lockfile of the package manager that is not used, or name the right one as `packageManager` in package.json."));
            }
            (*kind, None)
        }
        (None, None) => (by_engines(manifest), None),
    };
    let lockfile = found.iter().find(|(_, other)| *other == kind).map(|(file, _)| *file);
    let kind = if kind == Kind::Yarn1 && is_berry(source, version.as_deref()) { Kind::YarnBerry } else { kind };
    let version = version.or_else(|| kind.engine(manifest)).or_else(|| default_version(source, kind));
    Ok((Manager { kind, version, lockfile }, diagnostics))
}

/// `packageManager`, such as `pnpm@9.1.0+sha512.…`.
fn declared(manifest: &Manifest) -> Result<Option<(Kind, Option<String>)>, Refusal> {
    let Some(text) = manifest.text(&["packageManager"]) else { return Ok(None) };
    let (name, version) = text.split_once('@').unwrap_or((text, ""));
    let version = version.split('+').next().unwrap_or_default();
    let kind = NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, kind)| kind);
    let sound = version.is_empty() || (version.starts_with(|c: char| c.is_ascii_digit()) && version.bytes().all(is_version_byte));
    match kind {
        Some(kind) if sound => Ok(Some((kind, (!version.is_empty()).then(|| version.to_owned())))),
        _ => {
            Err(refuse("NODE_PACKAGE_MANAGER_INVALID", format!("`packageManager` is `{text}`, which names no package manager known here."))
                .at(FILE)
                .fix("Write a name and an exact version, such as `pnpm@9.15.0`; npm, yarn, pnpm and bun are known."))
        }
    }
}

fn is_version_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-".contains(&byte)
}

/// Without a lockfile: the one that `engines` asks for by name.
fn by_engines(manifest: &Manifest) -> Kind {
    NAMES.into_iter().rev().find(|(name, kind)| *kind != Kind::Npm && manifest.engine(name).is_some()).map_or(Kind::Npm, |(_, kind)| kind)
}

fn is_berry(source: &Source, version: Option<&str>) -> bool {
    match version.and_then(major) {
        Some(major) => major >= 2,
        None => source.is_file(".yarnrc.yml") || source.peek_start("yarn.lock", 4096).is_some_and(|start| start.contains("__metadata:")),
    }
}

fn major(version: &str) -> Option<u32> {
    version.trim_start_matches(['^', '~', '=', 'v', '>']).split('.').next()?.trim().parse().ok()
}

/// By the format of the lockfile, so that it can be used as it is.
fn default_version(source: &Source, kind: Kind) -> Option<String> {
    let version = match kind {
        Kind::Npm => return None,
        Kind::Yarn1 => "1",
        Kind::YarnBerry => "4",
        Kind::Bun => "1",
        Kind::Pnpm => {
            let start = source.peek_start("pnpm-lock.yaml", 4096).unwrap_or_default();
            let format = start.lines().find_map(|line| line.strip_prefix("lockfileVersion:")).unwrap_or_default();
            match format.trim().trim_matches(['\'', '"']).split('.').next() {
                Some("5") => "7",
                Some("6") => "8",
                _ => "9",
            }
        }
    };
    Some(version.to_owned())
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

    /// A range in `engines`, where it is a plain one. npm comes with Node and is left as it is: its range is mostly a wish.
    fn engine(self, manifest: &Manifest) -> Option<String> {
        if self == Self::Npm {
            return None;
        }
        let range = manifest.engine(self.name())?;
        let plain = range.trim_start_matches(['^', '~', '=', 'v']);
        (plain.starts_with(|c: char| c.is_ascii_digit()) && plain.bytes().all(is_version_byte)).then(|| range.to_owned())
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

    /// Whether dependencies for production alone can be installed by one plain command.
    pub fn separates_production(&self) -> bool {
        self.kind != Kind::YarnBerry
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
