//! Compiles a component into a folder of compiled ones. The agent runs this for each buildpack that is new to it, and the control
//! plane for each plugin.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use slipway_buildpack_host::Host;

#[derive(Args)]
pub struct Precompile {
    /// The component.
    component: PathBuf,
    /// Folder for compiled buildpacks; made if it is not there.
    #[arg(long)]
    cache: PathBuf,
}

impl Precompile {
    pub fn run(self) -> Result<ExitCode> {
        let wasm = std::fs::read(&self.component).with_context(|| self.component.display().to_string())?;
        Host::new(&self.cache)?.precompile(&wasm)?;
        Ok(ExitCode::SUCCESS)
    }
}
