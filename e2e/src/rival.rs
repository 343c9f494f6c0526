//! Programs of others that measurements are compared with, from npm, as `e2e/rivals/package-lock.json` names them. They need Node.js.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::platform::workspace;

/// Installs them into the cache, unless they are there, and tells where this one's program is.
///
/// # Errors
/// When npm cannot install them.
pub fn rival(program: &str) -> Result<PathBuf> {
    let home = std::env::var_os("HOME").context("HOME tells where caches lie")?;
    let installed = Path::new(&home).join(".cache/slipway/rivals");
    fs::create_dir_all(&installed)?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(workspace().join("e2e/rivals").join(file), installed.join(file))?;
    }
    let found = installed.join("node_modules/.bin").join(program);
    if !found.exists() {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&installed).stdin(Stdio::null());
        let output = npm.output().context("npm, which comes with Node.js, cannot be run")?;
        ensure!(output.status.success(), "npm ci: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(found)
}
