//! `pnpm-lock.yaml`, which repeats the manifest's ranges: as `specifier` under each dependency of the importer `.` (or of the
//! whole file, without a workspace), and before pnpm 8 in a list `specifiers`. A frozen install asks that they are the same.

use std::collections::BTreeMap;

use slipway_buildpack_sdk::Source;

use super::{Difference, checkable};
use crate::manifest::Manifest;

pub fn differences(text: &str, manifest: &Manifest, source: &Source) -> Vec<Difference> {
    // With overrides, the lockfile states what they make of a range.
    let overridden = source.peek("pnpm-workspace.yaml").is_some_and(|text| text.contains("overrides:"));
    if overridden || source.is_file(".pnpmfile.cjs") || text.lines().any(|line| line.starts_with("overrides:")) {
        return Vec::new();
    }
    let Some(specifiers) = specifiers(text) else { return Vec::new() };
    checkable(manifest)
        .into_iter()
        .filter_map(|(name, wanted)| {
            let locked = specifiers.get(name);
            (locked.map(String::as_str) != Some(wanted)).then(|| Difference {
                name: name.into(),
                wanted: wanted.into(),
                locked: locked.map(|locked| format!("it as {locked}")),
            })
        })
        .collect()
}

/// By name, what the root's manifest asked for; `None` where the file is written in a way not known here.
fn specifiers(text: &str) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut is_known = false;
    let has_importers = text.lines().any(|line| line.starts_with("importers:"));
    for line in text.lines() {
        let content = line.trim_start();
        if content.is_empty() || content.starts_with(['#', '-']) {
            continue;
        }
        let depth = line.len() - content.len();
        let (key, value) = split_entry(content)?;
        while path.last().is_some_and(|(known, _)| *known >= depth) {
            path.pop();
        }
        let parents: Vec<&str> = path.iter().map(|(_, key)| key.as_str()).collect();
        if parents.is_empty() && matches!(key.as_str(), "packages" | "snapshots") {
            break;
        }
        let within = match (&parents[..], has_importers) {
            (["importers", ".", rest @ ..], true) => Some(rest),
            (rest, false) => Some(rest),
            _ => None,
        };
        match within {
            Some(["specifiers"]) => {
                found.insert(key.clone(), value);
            }
            Some([group, name]) if is_group(group) && key == "specifier" => {
                found.insert((*name).to_owned(), value);
            }
            Some([]) if is_group(&key) || key == "specifiers" => is_known = true,
            _ => {}
        }
        path.push((depth, key));
    }
    let is_empty_root = has_importers && text.contains("\n  .: {}");
    (is_known || is_empty_root).then_some(found)
}

fn is_group(key: &str) -> bool {
    matches!(key, "dependencies" | "devDependencies" | "optionalDependencies")
}

/// `key: value`, either of which may be quoted.
fn split_entry(content: &str) -> Option<(String, String)> {
    let quote = content.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let (key, rest) = match quote {
        Some(quote) => content[1..].split_once(quote)?,
        None => content.split_once(':').map(|(key, _)| (key, &content[key.len()..]))?,
    };
    let value = rest.trim_start().strip_prefix(':')?.trim();
    Some((key.to_owned(), value.trim_matches(['\'', '"']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_are_read_from_every_format() {
        for text in [
            "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      '@a/b':\n        specifier: ^1.0.0\n        version: 1.2.0\n\npackages:\n",
            "lockfileVersion: '6.0'\n\ndependencies:\n  '@a/b':\n    specifier: ^1.0.0\n    version: 1.2.0\n\npackages:\n",
            "lockfileVersion: 5.4\n\nspecifiers:\n  '@a/b': ^1.0.0\n\ndependencies:\n  '@a/b': 1.2.0\n\npackages:\n",
        ] {
            assert_eq!(specifiers(text).unwrap().get("@a/b").map(String::as_str), Some("^1.0.0"), "{text}");
        }
        assert_eq!(specifiers("garbage\n"), None);
        assert_eq!(specifiers("a: b\n"), None);
    }

    #[test]
    fn only_the_root_of_a_workspace_is_compared() {
        let text = "importers:\n  .:\n    dependencies:\n      a:\n        specifier: '1'\n  apps/web:\n    dependencies:\n      b:\n        specifier: '2'\n";
        let found = specifiers(text).unwrap();
        assert!(found.contains_key("a") && !found.contains_key("b"));
    }
}
