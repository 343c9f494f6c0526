//! `slipway plugin trial`: the process of its own that `slipway plugin test` tries a plugin in.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use slipway_plugin_kit::trial::{self, Subject};

#[derive(Args)]
pub struct Trial {
    /// A folder with the plugin's folder in it.
    root: PathBuf,
    /// Folder of the author's cases.
    #[arg(long)]
    cases: Option<PathBuf>,
    /// What is answered now becomes what the cases expect.
    #[arg(long)]
    update: bool,
    /// So many checks are passed over.
    #[arg(long, default_value_t = 0)]
    from: usize,
}

impl Trial {
    pub async fn run(self) -> Result<ExitCode> {
        let subject = Subject { root: self.root, cases: self.cases, update: self.update };
        trial::run(&subject, self.from, &mut |event| println!("{}", event.to_line())).await;
        Ok(ExitCode::SUCCESS)
    }
}
