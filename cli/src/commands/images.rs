use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use crate::exit::Failure;

#[derive(Subcommand)]
pub enum Images {
    /// Build the base images that runtimes need from Debian, npm and PyPI packages, under their usual names.
    Build {
        /// Which ones, such as node:22-slim [default: those of the default versions].
        images: Vec<String>,
        /// Folder with the set-up scripts [default: beside the binary, then ./setup].
        #[arg(long)]
        setup: Option<PathBuf>,
    },
}

impl Images {
    pub async fn run(self) -> Result<ExitCode> {
        let Self::Build { images, setup } = self;
        let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(|directory| directory.join("setup")));
        let candidates = [setup, beside, Some(PathBuf::from("setup"))];
        let script = candidates.into_iter().flatten().map(|directory| directory.join("images.sh")).find(|script| script.is_file());
        let script = script.ok_or_else(|| {
            Failure::new("NOT_FOUND", "the set-up scripts were not found").fix("slipway images build --setup CHECKOUT/setup")
        })?;
        let status = tokio::process::Command::new(script).args(images).status().await?;
        Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
