//! `slipway plugin test`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use slipway_plugin_kit::{
    project::{Project, ProjectError},
    trial,
};

use crate::Global;
use crate::commands::trial_report;
use crate::exit::Failure;

#[derive(Args)]
pub struct Test {
    /// A project's folder, or a plugin's as it is installed.
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Write what the plugin answers now into its cases as what is expected.
    #[arg(long)]
    update: bool,
    /// Folder of cases [default: `cases` in the project, where there is one].
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
}

impl Test {
    pub async fn run(self, global: &Global) -> Result<ExitCode> {
        if !self.path.is_dir() {
            let failure = Failure::new("NOT_FOUND", format!("there is no folder {}", self.path.display()));
            return Err(failure.fix("name the folder of a project, or of a plugin").into());
        }
        let no_plugin = |error: ProjectError| Failure::new("NO_PLUGIN", error.to_string()).fix(error.fix());
        let project = Project::open(&self.path).map_err(no_plugin)?;
        let started = Instant::now();
        let staged = project.stage().map_err(no_plugin)?;
        eprintln!("built {} in {:.1} s", project.id(), started.elapsed().as_secs_f32());
        if let Some(component) = &staged.without {
            eprintln!("{component} is not there: the plugin is tried without its buildpack, which `slipway buildpack test` is for");
        }
        let cases = self.cases.or_else(|| project.cases());
        let program = std::env::current_exe()?;
        let command = |from: usize| {
            let mut command = tokio::process::Command::new(&program);
            command.args(["plugin", "trial"]).arg(staged.root()).args(["--from", &from.to_string()]);
            if let Some(cases) = &cases {
                command.arg("--cases").arg(cases);
            }
            if self.update {
                command.arg("--update");
            }
            command
        };
        let report = trial::apart(project.id(), command).await?;
        trial_report::show(&report, global)
    }
}
