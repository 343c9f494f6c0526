//! Looks at the engine from outside, as an operator would: by its command line.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// A container that Slipway made.
#[derive(Debug, Clone)]
pub struct Container {
    pub id: String,
    pub running: bool,
    /// What `docker inspect` says.
    pub inspect: Value,
}

impl Container {
    #[must_use]
    pub fn label(&self, name: &str) -> String {
        self.inspect["Config"]["Labels"][name].as_str().unwrap_or_default().to_owned()
    }
}

/// The containers of one node.
///
/// # Errors
/// When the engine does not answer.
pub fn containers(node: &str) -> Result<Vec<Container>> {
    let ids = docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &format!("label=slipway.node={node}")])?;
    let ids: Vec<&str> = ids.split_whitespace().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    // One that vanishes between the two commands is no error: the others are still told.
    let output = Command::new("docker").arg("inspect").args(&ids).output().context("docker")?;
    let found: Vec<Value> = serde_json::from_slice(&output.stdout)?;
    let container = |inspect: Value| Container {
        id: inspect["Id"].as_str().unwrap_or_default().to_owned(),
        running: inspect["State"]["Running"] == true,
        inspect,
    };
    Ok(found.into_iter().map(container).collect())
}

pub(crate) fn docker(arguments: &[&str]) -> Result<String> {
    let output = Command::new("docker").args(arguments).output().context("the docker command line is needed: run setup/docker.sh")?;
    ensure!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
