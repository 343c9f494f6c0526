//! For authors of buildpacks: a project to begin with, and the trial that a buildpack has to stand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::{Subcommand, ValueEnum};
use serde_json::json;
use slipway_buildpack_kit::{
    project::{Project, ProjectError},
    starter::{self, Language, StarterError},
    trial::{self, Subject},
};

use super::{plan::cache_dir, trial_report};
use crate::exit::Failure;
use crate::{Global, output};

#[derive(Subcommand)]
pub enum Buildpack {
    /// Write a small project for a language of your own: it compiles, and it passes `slipway buildpack test`.
    New {
        /// The runtime's name, such as `ruby`.
        name: String,
        /// What the buildpack is written in.
        #[arg(long, value_enum, default_value_t = Lang::Rust)]
        lang: Lang,
        /// Folder to write to, which must not exist [default: ./NAME].
        #[arg(long, value_name = "DIR")]
        path: Option<PathBuf>,
    },
    /// Build a buildpack and try it: its fixtures, that the same tree gives the same answer, and trees that nobody expects.
    Test {
        /// A project's folder, or a component's file.
        #[arg(default_value = ".")]
        what: PathBuf,
        /// Write what the buildpack answers now into the fixtures as what is expected.
        #[arg(long)]
        update: bool,
        /// Folder of fixtures [default: `fixtures` in the project; none for a file].
        #[arg(long, value_name = "DIR")]
        fixtures: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Lang {
    /// With an SDK.
    Rust,
    /// From the interface description alone, by componentize-py.
    Python,
}

impl Buildpack {
    pub async fn run(self, global: &Global) -> Result<ExitCode> {
        match self {
            Self::New { name, lang, path } => new(&name, lang, path, global),
            Self::Test { what, update, fixtures } => test(&what, update, fixtures, global).await,
        }
    }
}

fn new(name: &str, lang: Lang, path: Option<PathBuf>, global: &Global) -> Result<ExitCode> {
    let name = starter::parse(name).map_err(|error| Failure::new("NAME_INVALID", error.to_string()).fix(error.fix()))?;
    let directory = path.unwrap_or_else(|| PathBuf::from(name.as_str()));
    let language = match lang {
        Lang::Rust => Language::Rust,
        Lang::Python => Language::Python,
    };
    starter::write(&name, language, &directory).map_err(|error| match &error {
        StarterError::Exists(_) => {
            Failure::new("EXISTS", error.to_string()).fix("choose another name, or a folder that does not exist with --path")
        }
        StarterError::Unwritable { .. } => Failure::new("UNWRITABLE", error.to_string()).fix("choose another folder with --path"),
    })?;
    if global.json {
        output::json(&json!({ "buildpack": name.as_str(), "directory": directory }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let shown = directory.display();
    println!("{shown} holds a buildpack for {}. Its README.md says what is where; then:\n", name.as_str());
    match lang {
        Lang::Rust => println!("  rustup target add wasm32-wasip2      # once"),
        Lang::Python => println!("  cd {shown} && python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && cd -   # once"),
    }
    println!("  slipway buildpack test {shown}");
    Ok(ExitCode::SUCCESS)
}

async fn test(what: &Path, update: bool, fixtures: Option<PathBuf>, global: &Global) -> Result<ExitCode> {
    let subject = subject(what, fixtures)?;
    let report = trial::run(&subject, &cache_dir()?, update).await?;
    trial_report::show(&report, global)
}

/// Builds a project; takes a file as it is.
fn subject(what: &Path, fixtures: Option<PathBuf>) -> Result<Subject> {
    if what.is_file() {
        let id = what.file_stem().and_then(|stem| stem.to_str()).context("a component's file has a name")?.to_owned();
        return Ok(Subject { id, wasm: read(what)?, fixtures });
    }
    if !what.is_dir() {
        let failure = Failure::new("NOT_FOUND", format!("there is no {}", what.display()));
        return Err(failure.fix("name a project's folder, or a file that ends in .wasm").into());
    }
    let no_component = |error: ProjectError| Failure::new("NO_COMPONENT", error.to_string()).fix(error.fix());
    let project = Project::open(what).map_err(no_component)?;
    let started = Instant::now();
    let component = project.build().map_err(no_component)?;
    eprintln!("built {} in {:.1} s", component.display(), started.elapsed().as_secs_f32());
    Ok(Subject { id: project.id.clone(), wasm: read(&component)?, fixtures: Some(fixtures.unwrap_or_else(|| project.fixtures())) })
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| file.display().to_string())
}
