//! Which crate may depend on which, checked over `cargo metadata`.
//!
//! Dependencies point inward: what is decided in `model` is known everywhere, what `cli` does is known nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Result, bail};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

use crate::root;

/// A crate of others that only these of ours may depend on, and why.
const CONFINED: &[(&str, &[&str], &str)] = &[
    (
        "sqlx",
        // Measurements compare with a statement by hand.
        &["slipway-store", "slipway-store-testing", "slipway-e2e"],
        "one crate knows that there is a database, so that each statement is written once",
    ),
    ("bollard", &["slipway-agent"], "the core never talks to Docker"),
    ("wasmtime", &["slipway-buildpack-host"], "one sandbox, configured in one place"),
    ("wasmtime-wasi", &["slipway-buildpack-host"], "one sandbox, configured in one place"),
    ("async-graphql", &["slipway-core"], "the API's types stay in core::graphql"),
    ("libloading", &["slipway-plugin-host"], "foreign code is loaded in one place"),
    ("wit-bindgen", &["slipway-buildpack-sdk", "slipway-plugin-sdk"], "buildpacks and plugins see their SDK only"),
    ("landlock", &["slipway-plugin-host"], "what a plugin's process gives up is said in one place"),
    ("seccompiler", &["slipway-plugin-host"], "what a plugin's process gives up is said in one place"),
];

/// What each of our crates may depend on among our own. A crate that is missing here fails the check: its place has to be
/// thought about.
const ALLOWED: &[(&str, &[&str])] = &[
    ("slipway-model", &[]),
    ("slipway-protocol", &["slipway-model", "slipway-buildpack-wit"]),
    ("slipway-outbound", &[]),
    ("slipway-store", &["slipway-model"]),
    ("slipway-store-testing", &["slipway-model", "slipway-store"]),
    (
        "slipway-core",
        &[
            "slipway-model",
            "slipway-protocol",
            "slipway-store",
            "slipway-plugin-abi",
            "slipway-plugin-host",
            "slipway-buildpack-wit",
            "slipway-unpack",
        ],
    ),
    (
        "slipway-agent",
        &["slipway-model", "slipway-protocol", "slipway-outbound", "slipway-buildpack-wit", "slipway-buildpack-host", "slipway-unpack"],
    ),
    ("slipway-unpack", &[]),
    ("slipway-plugin-abi", &[]),
    ("slipway-plugin-sdk", &["slipway-plugin-abi"]),
    // One sandbox for all components, buildpacks' and plugins'.
    ("slipway-plugin-host", &["slipway-plugin-abi", "slipway-buildpack-host"]),
    ("slipway-starter", &[]),
    ("slipway-trial", &[]),
    ("slipway-plugin-kit", &["slipway-plugin-host", "slipway-starter", "slipway-trial"]),
    ("slipway-plugin-*", &["slipway-plugin-abi", "slipway-plugin-sdk", "slipway-constraint-composer", "slipway-constraint-python"]),
    ("slipway-constraint-*", &[]),
    ("slipway-buildpack-wit", &[]),
    ("slipway-buildpack-sdk", &["slipway-buildpack-wit"]),
    ("slipway-buildpack-host", &["slipway-buildpack-wit"]),
    ("slipway-buildpack-kit", &["slipway-buildpack-host", "slipway-starter", "slipway-trial"]),
    (
        "slipway-buildpack-*",
        &["slipway-buildpack-sdk", "slipway-buildpack-wit", "slipway-constraint-composer", "slipway-constraint-python"],
    ),
    (
        "slipway",
        &[
            "slipway-model",
            "slipway-protocol",
            "slipway-core",
            "slipway-agent",
            "slipway-plugin-abi",
            "slipway-plugin-host",
            "slipway-plugin-kit",
            "slipway-buildpack-wit",
            "slipway-buildpack-host",
            "slipway-buildpack-kit",
            "slipway-trial",
        ],
    ),
    ("slipway-e2e", &["*"]),
    ("xtask", &[]),
];

pub fn check() -> Result<()> {
    let mut metadata = MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec()?;
    // Fixtures of tests are no rooms of the house.
    metadata.packages.retain(|package| !package.manifest_path.components().any(|part| part.as_str() == "tests"));
    let mut problems = Vec::new();
    problems.extend(direction(&metadata));
    problems.extend(confinement(&metadata));
    problems.extend(code_map(&metadata)?);
    if problems.is_empty() {
        println!("{} crates depend as they should, and the code map names each", metadata.packages.len());
        return Ok(());
    }
    bail!("{}", problems.join("\n"));
}

/// Normal dependencies only: a test may use what the product may not.
fn dependencies(metadata: &Metadata) -> BTreeMap<&str, BTreeSet<&str>> {
    let normal = |package: &'_ cargo_metadata::Package| -> Vec<String> {
        package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development).map(|d| d.name.clone()).collect()
    };
    metadata
        .packages
        .iter()
        .map(|package| {
            let names = normal(package);
            let found = package.dependencies.iter().map(|d| d.name.as_str()).filter(|name| names.iter().any(|n| n == name)).collect();
            (package.name.as_str(), found)
        })
        .collect()
}

fn direction(metadata: &Metadata) -> Vec<String> {
    let dependencies = dependencies(metadata);
    let ours: BTreeSet<&str> = dependencies.keys().copied().collect();
    let mut problems = Vec::new();
    for (name, depends_on) in &dependencies {
        let Some(allowed) = rule(name) else {
            problems.push(format!("{name}: not in the table of xtask/src/dependencies.rs; decide what it may depend on"));
            continue;
        };
        for dependency in depends_on.intersection(&ours) {
            if !allowed.contains(&"*") && !allowed.contains(dependency) {
                problems.push(format!("{name} may not depend on {dependency}: dependencies point inward (ARCHITECTURE.md)"));
            }
        }
    }
    problems
}

/// The exact row, or the row of the family (`slipway-plugin-*`).
fn rule(name: &str) -> Option<&'static [&'static str]> {
    let exact = ALLOWED.iter().find(|(crate_name, _)| *crate_name == name);
    let family = || ALLOWED.iter().find(|(pattern, _)| pattern.strip_suffix('*').is_some_and(|prefix| name.starts_with(prefix)));
    exact.or_else(family).map(|(_, allowed)| *allowed)
}

fn confinement(metadata: &Metadata) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, depends_on) in dependencies(metadata) {
        for (confined, allowed, reason) in CONFINED {
            if depends_on.contains(confined) && !allowed.contains(&name) {
                problems.push(format!("{name} may not depend on {confined}: {reason}"));
            }
        }
    }
    problems
}

fn code_map(metadata: &Metadata) -> Result<Vec<String>> {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md"))?;
    let missing = metadata.packages.iter().filter(|package| !map.contains(&format!("`{}`", package.name)));
    Ok(missing.map(|package| format!("ARCHITECTURE.md's code map does not name `{}`", package.name)).collect())
}
