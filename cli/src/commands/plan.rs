//! How a folder would be built: the plan, and what its tools resolve to.

mod explanation;
mod tools;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use slipway_buildpack_host::{
    Buildpack, Host, PlanFailure, PlanRequest, ResolvedTools, plan_directory, report_failure, report_unresolved, report_with_tools,
};
use slipway_buildpack_wit::{Base, Command, Context as BuildContext, Level, Plan as BuildPlan, Refusal};
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
    /// Say of each decision what was found, in which file, why it won, and what would change it.
    #[arg(long)]
    explain: bool,
    /// The application's place below the folder, in a repository that holds several.
    #[arg(long, default_value = ".")]
    root: String,
    /// Use this buildpack in place of the one that fits best.
    #[arg(long)]
    runtime: Option<String>,
    /// Keep the versions in this JSON file: what it has stays until its constraint changes, and what is new is added.
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,
    /// Folder of the plugins [default: `plugins` beside the binary].
    #[arg(long)]
    plugins: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// A runtime plugin's folder, and the buildpack that it carries.
struct Runtime {
    directory: PathBuf,
    buildpack: Buildpack,
}

/// Why there is nothing to show.
enum NoAnswer {
    Unplanned(PlanFailure),
    /// A plan whose tools do not exist as it wants them.
    Unresolved(Box<BuildPlan>, Refusal),
}

impl Plan {
    pub async fn run(self, global: &Global) -> Result<ExitCode> {
        let json = global.json || self.format == Format::Json;
        let (plan, resolved) = match self.answer().await? {
            Ok(answer) => answer,
            Err(failure) if json => {
                output::json(&match &failure {
                    NoAnswer::Unplanned(failure) => report_failure(failure),
                    NoAnswer::Unresolved(plan, refusal) => report_unresolved(plan, refusal),
                })?;
                return Ok(ExitCode::FAILURE);
            }
            Err(NoAnswer::Unplanned(PlanFailure::Refused(refusal)) | NoAnswer::Unresolved(_, refusal)) => {
                let message = place(refusal.message, refusal.file.as_deref(), refusal.line);
                return Err(Failure::new(refusal.code, message).fix(refusal.fix).into());
            }
            Err(NoAnswer::Unplanned(failure)) => return Err(Failure::new("NO_PLAN", failure.to_string()).into()),
        };
        if json {
            output::json(&report_with_tools(&plan, &resolved))?;
        } else if self.explain {
            let procfile = std::fs::read_to_string(self.directory.join(&plan.detection.app_root).join("Procfile")).ok();
            print!("{}", explanation::of(&plan, &resolved, procfile.as_deref()));
        } else {
            summarize(&plan, &resolved);
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn answer(&self) -> Result<Result<(BuildPlan, ResolvedTools), NoAnswer>> {
        let plugins = plugins_dir(self.plugins.as_deref())?;
        // The process ends after the answer: giving back what the engine mapped would only delay it.
        let host = std::mem::ManuallyDrop::new(Host::for_few_calls(cache_dir()?)?);
        let runtimes = runtimes_in(&host, &plugins)?;
        let context = BuildContext { app_root: self.root.clone(), ..BuildContext::default() };
        let request = PlanRequest { context, runtime: self.runtime.clone() };
        let buildpacks: Vec<_> = runtimes.iter().map(|runtime| runtime.buildpack.clone()).collect();
        let plan = match plan_directory(&buildpacks, &self.directory, &request).await {
            Ok(plan) => plan,
            Err(failure) => return Ok(Err(NoAnswer::Unplanned(failure))),
        };
        let kept = self.lock.as_deref().map(tools::read_lock).transpose()?.unwrap_or_default();
        let resolved = match tools::resolve(&plan, &kept, &runtimes, &self.directory).await? {
            Ok(resolved) => resolved,
            Err(refusal) => return Ok(Err(NoAnswer::Unresolved(Box::new(plan), refusal))),
        };
        if let Some(file) = self.lock.as_deref().filter(|_| resolved.lock != kept) {
            tools::write_lock(file, &resolved.lock)?;
        }
        Ok(Ok((plan, resolved)))
    }
}

/// The runtime plugins in that folder, by the id of their buildpacks; nothing of them is loaded yet.
fn runtimes_in(host: &Host, plugins: &Path) -> Result<Vec<Runtime>> {
    let missing = || Failure::new("NOT_FOUND", format!("no buildpacks in {}", plugins.display())).fix("`cargo xtask dist`, or --plugins");
    let entries = std::fs::read_dir(plugins).map_err(|_| missing())?.collect::<Result<Vec<_>, _>>()?;
    let mut found = Vec::new();
    for entry in entries {
        found.extend(runtime(host, entry.path())?);
    }
    if found.is_empty() {
        return Err(missing().into());
    }
    found.sort_by(|one, other| one.buildpack.id().cmp(other.buildpack.id()));
    Ok(found)
}

/// `None` for a folder without a plugin, and for a plugin without a buildpack.
fn runtime(host: &Host, directory: PathBuf) -> Result<Option<Runtime>> {
    let Ok(text) = std::fs::read_to_string(directory.join("plugin.toml")) else { return Ok(None) };
    let manifest: Manifest = toml::from_str(&text).with_context(|| directory.join("plugin.toml").display().to_string())?;
    let Some(file) = manifest.buildpack else { return Ok(None) };
    let path = directory.join(&file);
    let id = Path::new(&file).file_stem().and_then(|stem| stem.to_str()).context("a buildpack's file has a name")?;
    Ok(Some(Runtime { buildpack: host.of_file(id, &path), directory }))
}

/// Compiled buildpacks are kept from one run to the next.
pub fn cache_dir() -> Result<PathBuf> {
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

fn summarize(plan: &BuildPlan, resolved: &ResolvedTools) {
    let detection = &plan.detection;
    let framework = detection.framework.as_deref().map(|name| format!(", {name}")).unwrap_or_default();
    println!("{}{framework} (score {})", plan.buildpack, detection.score);
    for beside in &plan.beside {
        let about = [beside.framework.as_deref(), beside.package_manager.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", ");
        match &beside.makes[..] {
            [] => println!("  of a source that {} knows ({about})", beside.buildpack),
            makes => println!("  with {} made by {} ({about})", makes.join(" and "), beside.buildpack),
        }
    }
    for reason in &detection.reasons {
        let key = reason.key.as_deref().map(|key| format!("#{key}")).unwrap_or_default();
        println!("  because {}{key}: {}", reason.file, reason.why);
    }
    for tool in &plan.fragment.tools {
        let from = if tool.source.is_empty() { "the buildpack's default" } else { &tool.source };
        let version = resolved.lock.get(&tool.name).map_or("of unknown version", |locked| &locked.version);
        println!("\n{} {version} ({} from {from})", tool.name, tool.constraint);
        for notice in resolved.notices.get(&tool.name).into_iter().flatten() {
            println!("  note: {notice}");
        }
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
