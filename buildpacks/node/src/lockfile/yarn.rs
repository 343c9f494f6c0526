//! `yarn.lock`, whose entries are named by what was asked for: `lodash@^4.17.0, lodash@^4.17.21:`. A frozen install asks that
//! every range of the manifest stands there in these very words.

use std::collections::BTreeSet;

use slipway_buildpack_sdk::Source;

use super::{Difference, checkable};
use crate::{manifest::Manifest, workspaces};

pub fn differences(text: &str, manifest: &Manifest, source: &Source, berry: bool) -> Vec<Difference> {
    // The protocol that a bare range stands for may be another one.
    if berry && source.peek(".yarnrc.yml").is_some_and(|settings| settings.contains("defaultProtocol")) {
        return Vec::new();
    }
    let entries: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with([' ', '\t', '#']) && line.ends_with(':'))
        .flat_map(|line| line.trim_end_matches(':').split(", "))
        .map(|entry| entry.trim_matches('"'))
        .collect();
    let in_workspace = workspaces::has_workspaces(source, manifest);
    checkable(manifest)
        .into_iter()
        .filter(|(name, range)| {
            // Yarn 1 also takes an entry that bears the name alone.
            let own = [format!("{name}@{range}"), format!("{name}@npm:{range}"), (*name).to_owned()];
            // A package of the workspace is not in the lockfile of Yarn 1, and by its place in that of later ones.
            let is_sibling = || {
                let start = format!("{name}@");
                let mut same = entries.iter().filter(|entry| entry.starts_with(&start)).peekable();
                in_workspace && (same.peek().is_none() || same.any(|entry| entry.contains("@workspace:")))
            };
            !own.iter().any(|entry| entries.contains(entry.as_str())) && !is_sibling()
        })
        .map(|(name, range)| Difference { name: name.into(), wanted: range.into(), locked: None })
        .collect()
}
