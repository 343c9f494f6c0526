//! Clients of the API that others wrote: the programs of `e2e/clients`, run by Node in the image that set-up provides.
//!
//! Their packages are installed once for each lockfile, outside the checkout, and shared by all tests.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::platform::workspace;

const IMAGE: &str = "node:24-slim";
/// A program that hangs is ended, and its test fails.
const PROGRAM_SECONDS: u32 = 240;

/// Packages as `e2e/clients/package-lock.json` names them, installed.
pub struct Clients {
    installed: PathBuf,
    cache: PathBuf,
}

impl Clients {
    /// # Errors
    /// When npm cannot install them; with what it said.
    pub fn install() -> Result<Self> {
        let cache = match std::env::var_os("SLIPWAY_CACHE") {
            Some(cache) => PathBuf::from(cache),
            None => PathBuf::from(std::env::var_os("HOME").context("HOME tells where caches lie")?).join(".cache/slipway"),
        };
        let source = workspace().join("e2e/clients");
        let lockfile = fs::read(source.join("package-lock.json"))?;
        let installed = cache.join("clients").join(slipway_model::Sha256Digest::of(&lockfile).to_string().replace(':', "-"));
        fs::create_dir_all(&installed)?;
        fs::create_dir_all(cache.join("npm"))?;
        let clients = Self { installed, cache };

        // Tests run as processes of their own, side by side.
        let lock = File::create(clients.installed.join(".lock"))?;
        lock.lock()?;
        let done = clients.installed.join(".done");
        if !done.exists() {
            for file in ["package.json", "package-lock.json"] {
                fs::copy(source.join(file), clients.installed.join(file))?;
            }
            let output = clients.node(&[], &[], &["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"])?.output()?;
            ensure!(output.status.success(), "npm ci: {}", String::from_utf8_lossy(&output.stderr));
            File::create(done)?;
        }
        Ok(clients)
    }

    /// Runs one of `e2e/clients/programs` and returns how it ended.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn run(&self, program: &str, environment: &[(&str, &str)]) -> Result<Output> {
        Ok(self.node(environment, &[], &["node", &format!("programs/{program}")])?.output()?)
    }

    /// Begins one, with its output to be read as it comes. It is ended when the value is dropped.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn start(&self, program: &str, environment: &[(&str, &str)]) -> Result<tokio::process::Child> {
        let command = self.node(environment, &[], &["node", &format!("programs/{program}")])?;
        let mut command = tokio::process::Command::from(command);
        Ok(command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?)
    }

    /// A command on the host's network, with further folders mounted.
    ///
    /// # Errors
    /// When the folder of the packages cannot be looked at.
    pub fn node(&self, environment: &[(&str, &str)], mounts: &[(&Path, &str)], words: &[&str]) -> Result<Command> {
        let owner = fs::metadata(&self.installed)?;
        let mut command = Command::new("docker");
        command.args(["run", "--rm", "--init", "--network", "host", "--workdir", "/clients"]);
        command.args(["--user", &format!("{}:{}", owner.uid(), owner.gid())]);
        let (npm, source) = (self.cache.join("npm"), workspace().join("e2e/clients"));
        let (programs, documents) = (source.join("programs"), source.join("documents"));
        let schema = workspace().join("schema.graphql");
        let usual: [(&Path, &str); 5] = [
            (&self.installed, "/clients"),
            (&npm, "/npm"),
            (&programs, "/clients/programs:ro"),
            (&documents, "/clients/documents:ro"),
            (&schema, "/clients/schema.graphql:ro"),
        ];
        for (from, to) in usual.into_iter().chain(mounts.iter().copied()) {
            command.arg("--volume").arg(format!("{}:{to}", from.display()));
        }
        for (name, value) in [("HOME", "/tmp"), ("npm_config_cache", "/npm")].into_iter().chain(environment.iter().copied()) {
            command.args(["--env", &format!("{name}={value}")]);
        }
        command.arg(IMAGE).args(["timeout", &PROGRAM_SECONDS.to_string()]).args(words).stdin(Stdio::null());
        Ok(command)
    }
}

/// What a program printed, after it ended well.
///
/// # Panics
/// When it ended otherwise, with all that it said.
#[must_use]
pub fn printed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "the program ended with {}:\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    text
}
