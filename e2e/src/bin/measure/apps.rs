//! The applications that planning is measured on.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use slipway_e2e::example;
use tempfile::TempDir;

const EXAMPLES: &[&str] = &["node-express", "python-flask", "php-plain"];

/// A folder of folders, each an application.
pub const VARIABLE: &str = "SLIPWAY_MEASURE_APPS";

pub struct App {
    pub name: String,
    pub path: PathBuf,
    /// Of an example, which is copied.
    _copy: Option<TempDir>,
}

/// Those of the folder that the environment names, else the examples.
pub fn apps() -> Result<Vec<App>> {
    let Some(folder) = std::env::var_os(VARIABLE) else {
        return EXAMPLES.iter().map(|name| example_app(name)).collect();
    };
    let mut apps = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("{VARIABLE}={}", folder.display()))? {
        let path = entry?.path();
        if let (true, Some(name)) = (path.is_dir(), path.file_name()) {
            apps.push(App { name: name.to_string_lossy().into_owned(), path, _copy: None });
        }
    }
    ensure!(!apps.is_empty(), "{VARIABLE}={} holds no folder", folder.display());
    apps.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(apps)
}

fn example_app(name: &str) -> Result<App> {
    let copy = example(name)?;
    Ok(App { name: name.to_owned(), path: copy.path().to_owned(), _copy: Some(copy) })
}
