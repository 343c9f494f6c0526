//! Plugins of `examples/`, built as a stranger builds them and put into a platform's folder of plugins.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::platform::{binary, dist, fresh_copy, workspace};

/// # Errors
/// With all that the command said, when it failed.
pub fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    ensure!(output.status.success(), "{command:?} ended with {}:\n{said}", output.status);
    Ok(())
}

/// Makes sure of a base image, as its README tells an administrator to.
///
/// # Errors
/// When nothing gives it.
pub fn base_image(name: &str) -> Result<()> {
    run(Command::new(binary()?).args(["images", "build", name, "--setup"]).arg(workspace().join("setup")))
}

/// The shipped plugins in a folder of their own, and in it the plugin of `examples/plugin-ID`, whose buildpack may be at `component`.
/// What is compiled is kept in `target` between runs.
///
/// # Errors
/// When it does not build, or a file cannot be copied.
pub fn plugins_with(id: &str, component: Option<&Path>, target: &Path) -> Result<TempDir> {
    let crate_directory = workspace().join("examples").join(format!("plugin-{id}"));
    let cargo = env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    run(Command::new(cargo).current_dir(&crate_directory).args(["build", "--release"]).env("CARGO_TARGET_DIR", target))?;
    let plugins = fresh_copy(&dist().join("plugins"))?;
    let directory = plugins.path().join(id);
    fs::create_dir(&directory)?;
    let manifest = fs::read_to_string(crate_directory.join("plugin.toml"))?;
    let field = |name: &str| {
        let line = manifest.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
        line.map(|value| value.trim().trim_matches('"').to_owned())
    };
    let library = field("library").context("a manifest names its library")?;
    fs::copy(target.join("release").join(&library), directory.join(&library))?;
    fs::write(directory.join("plugin.toml"), &manifest)?;
    if let Some(component) = component {
        fs::copy(component, directory.join(field("buildpack").context("a runtime names its buildpack")?))?;
    }
    Ok(plugins)
}
