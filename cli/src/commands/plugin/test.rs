//! `slipway plugin test`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use slipway_plugin_kit::{
    project::{Project, ProjectError},
    trial::{self, About, Report, Status},
};

use crate::exit::Failure;
use crate::{Global, output};

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
        if global.json {
            let (passed, failed, updated) = (report.count(Status::Passed), report.count(Status::Failed), report.count(Status::Updated));
            output::json(&json!({ "report": report, "passed": passed, "failed": failed, "updated": updated }))?;
        } else {
            show(&report);
        }
        Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn show(report: &Report) {
    println!("{}", report.plugin);
    let width = report.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or_default();
    let mut about = None;
    for check in &report.checks {
        if about != Some(check.about) {
            about = Some(check.about);
            println!("\n{}", title(check.about));
        }
        let status = match check.status {
            Status::Passed => "ok     ",
            Status::Failed => "FAILED ",
            Status::Updated => "updated",
        };
        println!("  {status}  {:width$}  {}", check.name, check.message);
        for line in &check.details {
            println!("             {line}");
        }
    }
    let (failed, updated) = (report.count(Status::Failed), report.count(Status::Updated));
    let updated = if updated == 0 { String::new() } else { format!(", {updated} updated") };
    println!("\n{} passed, {failed} failed{updated}", report.count(Status::Passed));
}

fn title(about: About) -> &'static str {
    match about {
        About::Plugin => "The manifest, the library, its settings",
        About::Questions => "Every question, as platforms ask it",
        About::Cases => "Its cases: the answers that are expected",
        About::Purity => "The same question, the same answer",
        About::Hostile => "Questions that nobody expects: an answer or a refusal",
        About::Messages => "What is no question, and what later platforms send",
        About::Settings => "What an administrator sets",
    }
}
