//! Somebody who writes plugins at a machine of their own: a bare Debian that has a linker, nginx and curl, with this tool chain and the
//! `slipway` of this build, and a platform that they may administer.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::example_plugins::{base_image, run};
use crate::platform::binary;

const IMAGE: &str = "slipway-e2e-author:1";
const DOCKERFILE: &str = "FROM debian:bookworm-slim\n\
    RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    gcc libc6-dev ca-certificates curl nginx-light >/dev/null && rm -rf /var/lib/apt/lists/*\n";

/// What they write stays until it is dropped.
pub struct Author {
    home: TempDir,
    mounts: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Author {
    /// Whose platform is at that address.
    ///
    /// # Errors
    /// When the machine cannot be made.
    pub fn of(platform: &str, token: &str) -> Result<Self> {
        prepare()?;
        let home = tempfile::Builder::new().prefix("slipway-author-").tempdir()?;
        let registry = cargo_home().join("registry");
        fs::create_dir_all(&registry)?;
        let mounts = [
            format!("{}:/opt/slipway:ro", binary()?.parent().context("a binary lies in a folder")?.canonicalize()?.display()),
            format!("{}:/opt/rust:ro", sysroot()?.display()),
            // What was fetched of crates.io before need not be fetched again.
            format!("{}:/opt/cargo/registry", registry.display()),
            format!("{}:/home/author", home.path().display()),
        ];
        let environment = [
            ("PATH", "/opt/slipway:/opt/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("CARGO_HOME", "/opt/cargo"),
            ("HOME", "/home/author"),
            // What is compiled here is tried for being right, not for being quick; and three crates' worth of it is to be done soon.
            ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
            ("SLIPWAY_URL", platform),
            ("SLIPWAY_TOKEN", token),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(Self { home, mounts: mounts.into(), environment: environment.into() })
    }

    /// Does what a page says, in their home. Gives what was printed.
    ///
    /// # Errors
    /// When it does not end well; with what was printed.
    pub fn does(&self, script: &str) -> Result<String> {
        let owner = fs::metadata(self.home.path())?;
        let user = format!("{}:{}", owner.uid(), owner.gid());
        let mut command = Command::new("docker");
        command.args(["run", "--rm", "--network", "host", "--user", &user, "--workdir", "/home/author"]);
        for mount in &self.mounts {
            command.args(["--volume", mount]);
        }
        for (name, value) in &self.environment {
            command.args(["--env", &format!("{name}={value}")]);
        }
        let output = command.args([IMAGE, "bash", "-euo", "pipefail", "-c", script]).output().context("docker")?;
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        ensure!(output.status.success(), "{script}\nended with {}:\n{said}", output.status);
        Ok(said)
    }
}

fn prepare() -> Result<()> {
    if Command::new("docker").args(["image", "inspect", IMAGE]).output().is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    base_image("debian:bookworm-slim")?;
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("Dockerfile"), DOCKERFILE)?;
    run(Command::new("docker").args(["build", "--quiet", "--network", "host", "--tag", IMAGE]).arg(folder.path()))
}

/// Of the tool chain that builds this.
fn sysroot() -> Result<PathBuf> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().context("rustc")?;
    Ok(Path::new(String::from_utf8(output.stdout)?.trim()).canonicalize()?)
}

fn cargo_home() -> PathBuf {
    env::var_os("CARGO_HOME").map_or_else(|| Path::new(&env::var_os("HOME").unwrap_or_default()).join(".cargo"), PathBuf::from)
}
