//! Developer tasks: `cargo xtask dist | schema | versions | lint | bench`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its terminal")]

mod bench;
mod dependencies;
mod dist;
mod schema;
mod versions;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;

/// Developer tasks of the Slipway workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Task {
    /// Build the binary, the plugins and the buildpacks, and lay them out in `dist/` as an installation has them.
    Dist {
        /// Build with optimisations, as for a release.
        #[arg(long)]
        release: bool,
    },
    /// Write `schema.graphql` from the code.
    Schema {
        /// Only compare; fail when the file differs from the code.
        #[arg(long)]
        check: bool,
    },
    /// Ask the registries which releases of the languages there are, and write the plugins' `versions.json`.
    Versions,
    /// Check which crate may depend on which, and that the code map names every crate.
    Lint,
    /// Measure what `docs/performance.md` reports.
    Bench {
        /// Some of `plan`, `plugins`, `sandbox`, `deploy`, `rebuild`, `memory`, `dashboard`, `sockets` and `billing`; all when left out.
        which: Vec<String>,
    },
}

fn main() -> Result<()> {
    match Task::parse() {
        Task::Dist { release } => dist::assemble(release, &root().join("dist")),
        Task::Schema { check } => schema::write(check),
        Task::Versions => versions::write(),
        Task::Lint => dependencies::check(),
        Task::Bench { which } => bench::run_benches(&which),
    }
}

/// The top of the checkout that cargo runs this for. Checkouts may share a target directory, and with it this program: where it
/// was compiled says nothing.
fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().expect("xtask lies in the workspace").to_owned()
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // What cargo says of this program to this program: build scripts that look at it (ring's, and half of the workspace behind it)
    // would be taken to be out of date, once on the way in and once on the way out.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    command
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?} could not be started"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
