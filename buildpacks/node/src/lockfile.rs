//! Whether a lockfile still belongs to its manifest. A frozen install would fail minutes later, with a worse message. Only what
//! is plain counts: a dependency that the lockfile does not know, or knows in a version that the manifest rules out. What is too
//! large, or written in a way not known here, counts as in step.

mod bun;
mod npm;
mod pnpm;
mod yarn;

use std::collections::BTreeSet;

use slipway_buildpack_sdk::{Refusal, Source, refuse};

use crate::{
    manifest::{Manifest, conflict_marker},
    package_manager::Kind,
    range::Range,
};

/// What one dependency of the manifest is in the lockfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    name: String,
    wanted: String,
    /// `None`: it is not there at all.
    locked: Option<String>,
}

/// Dependencies that a registry resolves, as name and range, but for those that may be missing from a lockfile for good reasons,
/// or be there as something else than what is written.
fn checkable(manifest: &Manifest) -> Vec<(&str, &str)> {
    if manifest.has(&["resolutions"]) || manifest.has(&["overrides"]) || manifest.has(&["pnpm", "overrides"]) {
        return Vec::new();
    }
    let first: BTreeSet<&str> = manifest.dependencies().map(|(name, _)| name).collect();
    let optional: BTreeSet<&str> = manifest.optional_dependencies().map(|(name, _)| name).collect();
    // What is named twice is installed as the dependency that it is in production.
    let development = manifest.dev_dependencies().filter(|(name, _)| !first.contains(name));
    let all = manifest.dependencies().filter(|(name, _)| !optional.contains(name)).chain(development);
    all.map(|(name, range)| (name, range.trim())).filter(|(_, range)| !range.is_empty() && Range::parse(range).is_some()).collect()
}

pub fn check(source: &Source, manifest: &Manifest, kind: Kind, file: &'static str) -> Result<(), Refusal> {
    if file == "bun.lockb" {
        return Ok(());
    }
    let Some(text) = source.peek(file).filter(|text| !text.trim().is_empty()) else { return Ok(()) };
    if let Some(line) = conflict_marker(&text) {
        return Err(refuse("NODE_LOCKFILE_INVALID", format!("`{file}` holds an unresolved merge conflict at line {line}."))
            .at(file)
            .line(line)
            .fix(format!("Run `{} install`, which mends it, and commit the result.", kind.name())));
    }
    let differences = match kind {
        Kind::Npm => npm::differences(file, &text, manifest)?,
        Kind::Yarn1 => yarn::differences(&text, manifest, source, false),
        Kind::YarnBerry => yarn::differences(&text, manifest, source, true),
        Kind::Pnpm => pnpm::differences(&text, manifest, source),
        Kind::Bun => bun::differences(&text, manifest),
    };
    let [first, rest @ ..] = &differences[..] else { return Ok(()) };
    let mut message = match &first.locked {
        Some(locked) => format!("package.json asks for `{}` {}, but `{file}` holds {locked}", first.name, first.wanted),
        None => format!("package.json asks for `{}` {}, which is not in `{file}`", first.name, first.wanted),
    };
    if !rest.is_empty() {
        message.push_str(&format!(", and {} more differ", rest.len()));
    }
    let fix = format!("Run `{} install` and commit the changed `{file}`.", kind.name());
    Err(refuse("NODE_LOCKFILE_OUT_OF_STEP", format!("{message}.")).at(file).fix(fix))
}
