//! `package.json`, read leniently: a key of an unexpected type counts as absent.

use serde_json::{Map, Value};
use slipway_buildpack_sdk::{Refusal, Source, parse_json, refuse};

pub const FILE: &str = "package.json";

#[derive(Debug, Clone, Default)]
pub struct Manifest {
    keys: Map<String, Value>,
    text: String,
}

/// The application's manifest, or `None` where there is none.
pub fn load(source: &Source) -> Result<Option<Manifest>, Refusal> {
    let Some(text) = source.read(FILE)? else { return Ok(None) };
    if let Some(line) = conflict_marker(&text) {
        return Err(refuse("NODE_MANIFEST_INVALID", format!("`package.json` holds an unresolved merge conflict at line {line}."))
            .at(FILE)
            .line(line)
            .fix("Resolve the conflict, and commit the file without its markers."));
    }
    match parse_json::<Value>("NODE_MANIFEST_INVALID", FILE, &text) {
        Ok(Value::Object(keys)) => Ok(Some(Manifest { keys, text })),
        Ok(_) => Err(refuse("NODE_MANIFEST_INVALID", "`package.json` is not an object.")
            .at(FILE)
            .line(1)
            .fix("Write `{ ... }` in `package.json`.")),
        Err(refusal) => Err(explain(refusal, &text)),
    }
}

/// The line of git's `<<<<<<<`, from 1.
pub fn conflict_marker(text: &str) -> Option<u32> {
    text.lines().position(|line| line.starts_with("<<<<<<< ")).map(|index| index as u32 + 1)
}

/// What is most often wrong, in place of what a parser expected there.
fn explain(refusal: Refusal, text: &str) -> Refusal {
    let Some(line) = refusal.line else { return refusal };
    let written = text.lines().nth(line as usize - 1).unwrap_or_default().trim_start();
    if text.trim().is_empty() {
        return refusal.fix("Write at least `{}` in `package.json`; `npm init` writes one.");
    }
    if written.contains("//") || written.starts_with("/*") || written.starts_with('#') {
        return refusal.fix("Remove the comment: package.json is plain JSON, which has none.");
    }
    if written.starts_with(['}', ']']) {
        return refusal.fix("Remove the comma before this line: plain JSON has none after a last entry.");
    }
    refusal
}

/// A string of an object that says something.
fn entry_text<'a>(entry: &'a Value, key: &str) -> Option<&'a str> {
    entry.get(key)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

impl Manifest {
    /// A string at a path of keys.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        self.value(path)?.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    fn value(&self, path: &[&str]) -> Option<&Value> {
        let (last, parents) = path.split_last()?;
        let mut keys = &self.keys;
        for parent in parents {
            keys = keys.get(*parent)?.as_object()?;
        }
        keys.get(*last)
    }

    pub fn has(&self, path: &[&str]) -> bool {
        self.value(path).is_some()
    }

    /// The line, from 1, where the last of the keys stands, looking for each behind the one before.
    pub fn line(&self, path: &[&str]) -> Option<u32> {
        let mut at = 0;
        for key in path {
            at += self.text[at..].find(&format!("\"{key}\""))?;
        }
        Some(self.text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() as u32 + 1)
    }

    /// A refusal that points at a path of keys.
    pub fn refuse(&self, path: &[&str], code: &str, message: impl Into<String>) -> Refusal {
        Refusal { line: self.line(path), ..refuse(code, message).at(FILE) }
    }

    pub fn script(&self, name: &str) -> Option<&str> {
        self.text(&["scripts", name])
    }

    pub fn scripts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.group("scripts")
    }

    /// Where `package.json` states what it needs of a program, such as `engines.node`.
    pub fn engine(&self, name: &str) -> Option<&str> {
        self.text(&["engines", name])
    }

    /// The names under `devEngines.runtime` or `devEngines.packageManager`, each with the version it wants.
    pub fn dev_engines(&self, what: &str) -> Vec<(&str, Option<&str>)> {
        let entries = match self.value(&["devEngines", what]) {
            Some(Value::Array(entries)) => entries.iter().collect(),
            Some(entry) => vec![entry],
            None => Vec::new(),
        };
        entries.into_iter().filter_map(|entry| Some((entry_text(entry, "name")?, entry_text(entry, "version")))).collect()
    }

    pub fn dev_engine(&self, what: &str, name: &str) -> Option<&str> {
        self.dev_engines(what).into_iter().find(|(known, _)| *known == name)?.1
    }

    fn group(&self, group: &str) -> impl Iterator<Item = (&str, &str)> {
        self.keys
            .get(group)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap_or("*")))
    }

    pub fn dependencies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.group("dependencies").chain(self.group("optionalDependencies"))
    }

    pub fn optional_dependencies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.group("optionalDependencies")
    }

    pub fn dev_dependencies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.group("devDependencies")
    }

    /// Whether the package is a dependency of any kind.
    pub fn uses(&self, package: &str) -> bool {
        self.wants(package).is_some()
    }

    /// The version of a dependency, as it is written.
    pub fn wants(&self, package: &str) -> Option<&str> {
        self.dependencies().chain(self.dev_dependencies()).find(|(name, _)| *name == package).map(|(_, version)| version)
    }

    pub fn uses_any(&self, packages: &[&str]) -> bool {
        packages.iter().any(|package| self.uses(package))
    }

    /// The globs of `workspaces`.
    pub fn workspaces(&self) -> Vec<String> {
        let list = match self.keys.get("workspaces") {
            Some(Value::Array(list)) => Some(list),
            Some(Value::Object(keys)) => keys.get("packages").and_then(Value::as_array),
            _ => None,
        };
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// A script that runs whenever this package is installed, so that installing needs more than the manifests.
    pub fn install_script(&self) -> Option<&'static str> {
        ["heroku-prebuild", "preinstall", "install", "postinstall", "prepare"].into_iter().find(|name| self.script(name).is_some())
    }
}
