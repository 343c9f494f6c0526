//! `package-lock.json` and `npm-shrinkwrap.json`. `npm ci` asks that every dependency is there, in a version that fulfils the
//! manifest; how the manifest's range was written when it was locked does not matter to it.

use std::collections::BTreeMap;

use serde::Deserialize;
use slipway_buildpack_sdk::{Refusal, parse_json};

use super::{Difference, checkable};
use crate::{manifest::Manifest, range::Range, withdrawn};

#[derive(Deserialize)]
struct Lock {
    /// Since npm 7, by path: `node_modules/express`.
    packages: Option<BTreeMap<String, Locked>>,
    /// Before npm 7, by name.
    dependencies: Option<BTreeMap<String, Locked>>,
}

#[derive(Deserialize)]
struct Locked {
    version: Option<String>,
}

pub fn differences(file: &str, text: &str, manifest: &Manifest) -> Result<Vec<Difference>, Refusal> {
    // Well-formed, but of other types than expected: then it is npm's to say.
    let value: serde_json::Value = parse_json("NODE_LOCKFILE_INVALID", file, text)?;
    let Ok(lock) = Lock::deserialize(value) else { return Ok(Vec::new()) };
    let (locked, prefix) = match (lock.packages, lock.dependencies) {
        (Some(packages), _) => (packages, "node_modules/"),
        (None, Some(dependencies)) => (dependencies, ""),
        (None, None) => (BTreeMap::new(), ""),
    };
    withdrawn::check_locked(file, |name| locked.get(&format!("{prefix}{name}"))?.version.as_deref())?;
    let compare = |(name, wanted): (&str, &str)| {
        let entry = locked.get(&format!("{prefix}{name}"));
        let version = entry.and_then(|entry| entry.version.as_deref());
        let sound = match (entry, version) {
            (None, _) => false,
            (Some(_), None) => true,
            // Prereleases have rules of their own.
            (Some(_), Some(version)) if version.contains('-') || wanted.contains('-') => true,
            (Some(_), Some(version)) => match (Range::parse(version), Range::parse(wanted)) {
                (Some(version), Some(wanted)) => version.meets(&wanted),
                _ => true,
            },
        };
        (!sound).then(|| Difference { name: name.into(), wanted: wanted.into(), locked: version.map(str::to_owned) })
    };
    Ok(checkable(manifest).into_iter().filter_map(compare).collect())
}
