//! `package.json`, read leniently: a key of an unexpected type counts as absent.

use serde_json::{Map, Value};
use slipway_buildpack_sdk::{Refusal, Source, parse_json, refuse};

pub const FILE: &str = "package.json";

#[derive(Debug, Clone, Default)]
pub struct Manifest {
    keys: Map<String, Value>,
}

/// The application's manifest, or `None` where there is none.
pub fn load(source: &Source) -> Result<Option<Manifest>, Refusal> {
    let Some(text) = source.read(FILE)? else { return Ok(None) };
    match parse_json::<Value>("NODE_MANIFEST_INVALID", FILE, &text)? {
        Value::Object(keys) => Ok(Some(Manifest { keys })),
        _ => Err(refuse("NODE_MANIFEST_INVALID", "`package.json` is not an object.")
            .at(FILE)
            .line(1)
            .fix("Write `{ ... }` in `package.json`.")),
    }
}

impl Manifest {
    /// A string at a path of keys.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        let (last, parents) = path.split_last()?;
        let mut keys = &self.keys;
        for parent in parents {
            keys = keys.get(*parent)?.as_object()?;
        }
        keys.get(*last)?.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    pub fn script(&self, name: &str) -> Option<&str> {
        self.text(&["scripts", name])
    }

    /// Where `package.json` states what it needs of a program, such as `engines.node`.
    pub fn engine(&self, name: &str) -> Option<&str> {
        self.text(&["engines", name])
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

    pub fn dev_dependencies(&self) -> impl Iterator<Item = (&str, &str)> {
        self.group("devDependencies")
    }

    /// Whether the package is a dependency of any kind.
    pub fn uses(&self, package: &str) -> bool {
        self.dependencies().chain(self.dev_dependencies()).any(|(name, _)| name == package)
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

    /// A script that npm runs by itself when it installs this package, so that installing needs more than the manifests.
    pub fn install_script(&self) -> Option<&'static str> {
        ["preinstall", "install", "postinstall", "prepare"].into_iter().find(|name| self.script(name).is_some())
    }
}
