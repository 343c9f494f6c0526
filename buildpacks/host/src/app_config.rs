//! `slipway.toml`: what an application says about its own build, in its own repository.
//!
//! It goes before everything that a buildpack finds, and after what the platform's settings say. docs/slipway-toml.md is for
//! those who write it, docs/slipway.schema.json for their editors.

use std::{collections::BTreeMap, path::Path};

use serde::Deserialize;
use slipway_buildpack_wit::{Command, Context, Fragment, Health, HealthBasis, Probe, Process, ProcessKind, Refusal, Tool};

use crate::{
    check::values::{is_below, is_debian_package, is_env_name, is_name, is_single_line},
    planning::PlanRequest,
};

/// The file's name, at the application's root.
pub const FILE: &str = "slipway.toml";
/// Such a file is a page at most.
const MAX_BYTES: u64 = 64 << 10;

/// A rollout does not wait longer for an instance.
const MAX_GRACE_SECONDS: u32 = 600;

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppConfig {
    #[serde(default)]
    build: Build,
    /// Tool to constraint, in the language's own syntax.
    #[serde(default)]
    versions: BTreeMap<String, String>,
    /// Name to command line.
    #[serde(default)]
    processes: BTreeMap<String, String>,
    health: Option<HealthCheck>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    /// Where the application lives, below the directory of the file.
    root: Option<String>,
    buildpack: Option<String>,
    command: Option<String>,
    dockerfile: Option<String>,
    target: Option<String>,
    #[serde(default)]
    packages: Packages,
    /// Build variables that the steps may see.
    #[serde(default)]
    secrets: Vec<String>,
}

/// Debian packages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Packages {
    /// For the steps of the build.
    #[serde(default)]
    build: Vec<String>,
    /// In the image.
    #[serde(default)]
    run: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct HealthCheck {
    path: String,
    grace_seconds: Option<u32>,
}

impl AppConfig {
    /// Reads the file of the application at `app_root`; without one, a configuration that says nothing.
    ///
    /// # Errors
    /// A refusal that names the line, when the file cannot be understood.
    pub fn read(tree: &Path, app_root: &str) -> Result<Self, Refusal> {
        let path = tree.join(app_root).join(FILE);
        let Ok(about) = std::fs::symlink_metadata(&path) else { return Ok(Self::default()) };
        if !about.is_file() || about.len() > MAX_BYTES {
            return Err(refuse(None, format!("`{FILE}` is not a file of at most {} KiB", MAX_BYTES >> 10)));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| refuse(None, format!("`{FILE}` cannot be read: {error}")))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, Refusal> {
        let config: Self = toml::from_str(text.trim_start_matches('\u{feff}')).map_err(|error: toml::de::Error| {
            let line = error.span().map(|span| line_of(text, span.start));
            refuse(line, format!("`{FILE}` is not valid: {}", error.message().trim_end()))
        })?;
        config.check().map_err(|(key, problem)| refuse(line_with(text, &key), format!("`{key}` in `{FILE}` {problem}")))?;
        Ok(config)
    }

    /// The key and what is wrong with it.
    fn check(&self) -> Result<(), (String, String)> {
        let wrong = |key: &str, problem: &str| Err((key.to_owned(), problem.to_owned()));
        let paths = [("root", &self.build.root), ("dockerfile", &self.build.dockerfile)];
        for (key, path) in paths {
            if path.as_ref().is_some_and(|path| !is_below(path)) {
                return wrong(key, "is not a relative path below the application's root");
            }
        }
        let lines = [("command", &self.build.command), ("target", &self.build.target)];
        let commands = self.processes.iter().map(|(name, command)| (name.as_str(), command));
        for (key, line) in lines.into_iter().filter_map(|(key, line)| Some((key, line.as_ref()?))).chain(commands) {
            if line.trim().is_empty() || !is_single_line(line, 16 << 10) {
                return wrong(key, "is empty, or is more than one line");
            }
        }
        for name in self.processes.keys().chain(self.versions.keys()) {
            if !is_name(name) {
                return wrong(name, "is not a name: use lower-case letters, digits and `-`");
            }
        }
        for (name, constraint) in &self.versions {
            if constraint.trim().is_empty() || !is_single_line(constraint, 200) {
                return wrong(name, "is not a version or a range of versions");
            }
        }
        for package in self.build.packages.build.iter().chain(&self.build.packages.run) {
            if !is_debian_package(package) {
                return wrong("packages", &format!("names `{package}`, which is not the name of a Debian package"));
            }
        }
        for secret in &self.build.secrets {
            if !is_env_name(secret) {
                return wrong("secrets", &format!("names `{secret}`, which is not the name of an environment variable"));
            }
        }
        let grace = self.health.as_ref().and_then(|health| health.grace_seconds);
        if grace.is_some_and(|seconds| !(1..=MAX_GRACE_SECONDS).contains(&seconds)) {
            return wrong("grace_seconds", &format!("is not between 1 and {MAX_GRACE_SECONDS}"));
        }
        if self.health.as_ref().is_some_and(|health| !health.path.starts_with('/') || !is_single_line(&health.path, 2000)) {
            return wrong("path", "does not begin with `/`");
        }
        Ok(())
    }

    /// The request with what the file says where the settings say nothing.
    pub fn complete(&self, request: &PlanRequest) -> PlanRequest {
        let Context { app_root, build_command, start_command, dockerfile_path, build_target } = request.context.clone();
        let own = &self.build;
        let app_root = match (app_root.as_str(), own.root.as_deref()) {
            (_, None | Some(".")) => app_root,
            (".", Some(root)) => root.to_owned(),
            (above, Some(root)) => format!("{above}/{root}"),
        };
        PlanRequest {
            context: Context {
                app_root,
                build_command: build_command.or_else(|| own.command.clone()),
                start_command: start_command.or_else(|| self.processes.get("web").cloned()),
                dockerfile_path: dockerfile_path.or_else(|| own.dockerfile.clone()),
                build_target: build_target.or_else(|| own.target.clone()),
            },
            // A Dockerfile that is named is meant.
            runtime: request.runtime.clone().or_else(|| own.buildpack.clone()),
        }
    }

    /// What the file says of the plan itself. `web_is_stated`: the settings have a start command, which goes before the file's.
    pub fn amend(&self, fragment: &mut Fragment, web_is_stated: bool) {
        for (name, constraint) in &self.versions {
            let stated = Tool {
                name: name.clone(),
                constraint: constraint.trim().to_owned(),
                source: format!("{FILE}#versions.{name}"),
                is_default: false,
            };
            if let Some(tool) = fragment.tools.iter_mut().find(|tool| tool.name == *name) {
                *tool = stated;
            }
        }
        for step in &mut fragment.steps {
            extend(&mut step.packages, &self.build.packages.build);
            extend(&mut step.secrets, &self.build.secrets);
        }
        if let Some(image) = &mut fragment.image {
            extend(&mut image.packages, &self.build.packages.run);
        }
        for (name, command) in &self.processes {
            self.amend_process(fragment, name, command, web_is_stated);
        }
        if let Some(HealthCheck { path, grace_seconds }) = &self.health {
            let grace = fragment.health.as_ref().map_or(60, |health| health.grace_seconds);
            fragment.health = Some(Health {
                probe: Probe::Http(path.clone()),
                grace_seconds: grace_seconds.unwrap_or(grace),
                basis: HealthBasis::Stated,
            });
        }
    }

    fn amend_process(&self, fragment: &mut Fragment, name: &str, command: &str, web_is_stated: bool) {
        let kind = match name {
            "web" if web_is_stated => return,
            "web" => ProcessKind::Web,
            "release" => ProcessKind::Release,
            _ => ProcessKind::Worker,
        };
        let command = Command::Shell(command.trim().to_owned());
        match fragment.processes.iter_mut().find(|process| process.name == name) {
            Some(process) => process.command = command,
            None => {
                let is_default = kind == ProcessKind::Web && fragment.processes.iter().all(|process| !process.is_default);
                fragment.processes.push(Process { name: name.to_owned(), kind, command, env: Vec::new(), is_default });
            }
        }
    }
}

fn extend(list: &mut Vec<String>, more: &[String]) {
    list.extend_from_slice(more);
    list.sort();
    list.dedup();
}

fn line_of(text: &str, offset: usize) -> u32 {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() as u32 + 1
}

/// The line on which a key is set.
fn line_with(text: &str, key: &str) -> Option<u32> {
    let sets = |line: &str| line.split('=').next().is_some_and(|left| left.trim().trim_matches('"').rsplit('.').next() == Some(key));
    text.lines().position(|line| line.contains('=') && sets(line)).map(|index| index as u32 + 1)
}

fn refuse(line: Option<u32>, message: String) -> Refusal {
    Refusal {
        code: "APP_CONFIG_INVALID".into(),
        message: format!("{}.", message.trim_end_matches('.')),
        file: Some(FILE.into()),
        line,
        fix: format!("Correct `{FILE}`."),
    }
}

#[cfg(test)]
mod tests;
