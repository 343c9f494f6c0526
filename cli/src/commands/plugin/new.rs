//! `slipway plugin new`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::json;
use slipway_plugin_host::Kind;
use slipway_plugin_kit::starter::{self, StarterError};

use crate::exit::Failure;
use crate::{Global, output};

#[derive(Args)]
pub struct New {
    /// What the plugin brings.
    #[arg(value_enum)]
    kind: What,
    /// What comes behind the kind in its id, such as `tiers` of `billing-tiers`.
    name: String,
    /// Folder to write to, which must not exist [default: ./KIND-NAME].
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    /// A language: its versions and their images.
    Runtime,
    /// What use costs.
    Billing,
    /// How visitors reach applications.
    Ingress,
}

impl New {
    pub fn run(self, global: &Global) -> Result<ExitCode> {
        let kind = match self.kind {
            What::Runtime => Kind::Runtime,
            What::Billing => Kind::Billing,
            What::Ingress => Kind::Ingress,
        };
        let name =
            starter::parse(kind, &self.name).map_err(|error| Failure::new("NAME_INVALID", error.to_string()).fix(error.fix(kind)))?;
        let id = format!("{kind}-{}", name.as_str());
        let directory = self.path.unwrap_or_else(|| PathBuf::from(&id));
        starter::write(kind, &name, &directory).map_err(|error| match &error {
            StarterError::Exists(_) => {
                Failure::new("EXISTS", error.to_string()).fix("choose another name, or a folder that does not exist with --path")
            }
            StarterError::Unwritable { .. } => Failure::new("UNWRITABLE", error.to_string()).fix("choose another folder with --path"),
        })?;
        if global.json {
            output::json(&json!({ "plugin": id, "directory": directory }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let shown = directory.display();
        println!("{shown} holds the plugin {id}. Its README.md says what is where; then:\n\n  slipway plugin test {shown}");
        Ok(ExitCode::SUCCESS)
    }
}
