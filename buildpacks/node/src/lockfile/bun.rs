//! `bun.lock`, JSON with commas behind last entries. It repeats the root's ranges under `workspaces[""]`, and a frozen install
//! asks that they are the same.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Difference, checkable};
use crate::manifest::Manifest;

#[derive(Deserialize)]
struct Lock {
    workspaces: BTreeMap<String, Package>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(default)]
    dependencies: BTreeMap<String, String>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, String>,
}

pub fn differences(text: &str, manifest: &Manifest) -> Vec<Difference> {
    let Ok(lock) = serde_json::from_str::<Lock>(&without_last_commas(text)) else { return Vec::new() };
    let Some(root) = lock.workspaces.get("") else { return Vec::new() };
    checkable(manifest)
        .into_iter()
        .filter_map(|(name, wanted)| {
            let locked = root.dependencies.get(name).or_else(|| root.dev_dependencies.get(name));
            (locked.map(String::as_str) != Some(wanted)).then(|| Difference {
                name: name.into(),
                wanted: wanted.into(),
                locked: locked.map(|locked| format!("it as {locked}")),
            })
        })
        .collect()
}

fn without_last_commas(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => in_string = !in_string,
            ',' if !in_string && text[at + 1..].trim_start().starts_with(['}', ']']) => continue,
            _ => {}
        }
        escaped = in_string && c == '\\' && !escaped;
        plain.push(c);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_behind_last_entries_go_and_those_in_strings_stay() {
        assert_eq!(without_last_commas("{ \"a\": [1, 2,\n], \"b\": \",}\\\",]\", }"), "{ \"a\": [1, 2\n], \"b\": \",}\\\",]\" }");
    }
}
