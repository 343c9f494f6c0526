use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use slipway_buildpack_host::{Buildpack, Host, PlanFailure, PlanRequest, plan_directory, report, report_failure};
use slipway_buildpack_wit::{Base, Command, Context as BuildContext, Level, Plan as BuildPlan};
use slipway_plugin_abi::Manifest;

use super::server::plugins_dir;
use crate::exit::Failure;
use crate::{Global, output};

#[derive(Args)]
pub struct Plan {
    /// Folder with the source.
    #[arg(default_value = ".")]
    directory: PathBuf,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The application's place below the folder, in a repository that holds several.
    #[arg(long, default_value = ".")]
    root: String,
    /// Use this buildpack in place of the one that fits best.
    #[arg(long)]
    runtime: Option<String>,
    /// Folder of the plugins [default: `plugins` beside the binary].
    #[arg(long)]
    plugins: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Plan {
    pub async fn run(self, global: &Global) -> Result<ExitCode> {
        let host = Host::new(cache_dir()?)?;
        let buildpacks = load(&host, &plugins_dir(self.plugins.as_deref())?)?;
        let context = BuildContext { app_root: self.root, ..BuildContext::default() };
        let request = PlanRequest { context, runtime: self.runtime };
        let json = global.json || self.format == Format::Json;
        match plan_directory(&buildpacks, &self.directory, &request).await {
            Ok(plan) => {
                if json {
                    output::json(&report(&plan))?
                } else {
                    explain(&plan)
                }
                Ok(ExitCode::SUCCESS)
            }
            Err(failure) if json => {
                output::json(&report_failure(&failure))?;
                Ok(ExitCode::FAILURE)
            }
            Err(PlanFailure::Refused(refusal)) => {
                Err(Failure::new(refusal.code, place(refusal.message, refusal.file.as_deref(), refusal.line)).fix(refusal.fix).into())
            }
            Err(failure) => Err(Failure::new("NO_PLAN", failure.to_string()).into()),
        }
    }
}

/// The buildpacks of the runtime plugins in that folder, without loading the plugins themselves.
fn load(host: &Host, plugins: &Path) -> Result<Vec<Buildpack>> {
    let missing = || Failure::new("NOT_FOUND", format!("no buildpacks in {}", plugins.display())).fix("`cargo xtask dist`, or --plugins");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(plugins).map_err(|_| missing())? {
        let directory = entry?.path();
        let Ok(text) = std::fs::read_to_string(directory.join("plugin.toml")) else { continue };
        let manifest: Manifest = toml::from_str(&text).with_context(|| directory.join("plugin.toml").display().to_string())?;
        if let Some(file) = manifest.buildpack {
            let path = directory.join(&file);
            let wasm = std::fs::read(&path).with_context(|| path.display().to_string())?;
            let id = Path::new(&file).file_stem().and_then(|stem| stem.to_str()).context("a buildpack's file has a name")?;
            found.push(host.load(id, &wasm).with_context(|| path.display().to_string())?);
        }
    }
    if found.is_empty() {
        return Err(missing().into());
    }
    found.sort_by(|one, other| one.id().cmp(other.id()));
    Ok(found)
}

/// Compiled buildpacks are kept from one run to the next.
fn cache_dir() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(directory) => PathBuf::from(directory),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(base.join("slipway/buildpacks"))
}

fn place(message: String, file: Option<&str>, line: Option<u32>) -> String {
    match (file, line) {
        (Some(file), Some(line)) => format!("{message} ({file}:{line})"),
        (Some(file), None) => format!("{message} ({file})"),
        (None, _) => message,
    }
}

fn explain(plan: &BuildPlan) {
    let detection = &plan.detection;
    let framework = detection.framework.as_deref().map(|name| format!(", {name}")).unwrap_or_default();
    println!("{}{framework} (score {})", plan.buildpack, detection.score);
    for reason in &detection.reasons {
        let key = reason.key.as_deref().map(|key| format!("#{key}")).unwrap_or_default();
        println!("  because {}{key}: {}", reason.file, reason.why);
    }
    for tool in &plan.fragment.tools {
        let from = if tool.source.is_empty() { "the buildpack's default" } else { &tool.source };
        println!("\n{} {} (from {from})", tool.name, tool.constraint);
    }
    for step in &plan.fragment.steps {
        println!("\nstep {} on {}", step.id, base(&step.base));
        for run in &step.run {
            println!("  $ {}", command(&run.command));
        }
    }
    if let Some(dockerfile) = &plan.fragment.dockerfile {
        println!("\nbuilds {} in {}", dockerfile.path, dockerfile.context);
    }
    for process in &plan.fragment.processes {
        println!("\nprocess {}: {}", process.name, command(&process.command));
    }
    for port in &plan.fragment.ports {
        println!("port {} (told by ${})", port.default, port.env);
    }
    for diagnostic in &plan.fragment.diagnostics {
        let level = match diagnostic.level {
            Level::Info => "note",
            Level::Warning => "warning",
        };
        let message = place(diagnostic.message.clone(), diagnostic.file.as_deref(), diagnostic.line);
        println!("{level}: {message} [{}]", diagnostic.code);
    }
    println!("\nplan {}", plan.id());
}

fn base(base: &Base) -> String {
    match base {
        Base::Tool(name) => format!("the image of {name}"),
        Base::Step(id) => format!("step {id}"),
        Base::Image(image) => image.clone(),
    }
}

fn command(command: &Command) -> String {
    match command {
        Command::Argv(words) => words.join(" "),
        Command::Shell(line) => line.clone(),
    }
}
