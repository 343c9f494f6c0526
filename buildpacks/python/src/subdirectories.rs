//! Python applications below a root that has none itself.

use slipway_buildpack_sdk::{Diagnostic, Source, warning};

use crate::detect::{MANIFESTS, OTHER_LANGUAGES};

/// Directories in which monorepositories keep their applications.
const GROUPS: [&str; 4] = ["apps", "packages", "services", "projects"];
const MOST_NAMED: usize = 8;

/// The directories that hold a Python manifest, at most one or two down; none where applications of other languages lie
/// beside them, since nothing tells which of them is meant.
pub fn with_manifest(source: &Source) -> Vec<String> {
    let dirs = source.directories(&GROUPS);
    let holds = |dir: &String, files: &[&str]| files.iter().any(|file| source.is_file(&format!("{dir}/{file}")));
    if dirs.iter().any(|dir| holds(dir, &OTHER_LANGUAGES)) {
        return Vec::new();
    }
    dirs.into_iter().filter(|dir| holds(dir, &MANIFESTS)).collect()
}

/// Functions that a serverless host would answer requests with.
pub fn function(source: &Source) -> Option<String> {
    source.find(2, |path| path.starts_with("api/") && path.ends_with(".py")).into_iter().next()
}

/// Says which root was probably meant.
pub fn diagnostic(source: &Source) -> Option<Diagnostic> {
    let dirs = with_manifest(source);
    if dirs.is_empty() {
        return None;
    }
    let names: Vec<_> = dirs.iter().take(MOST_NAMED).map(|dir| format!("`{dir}`")).collect();
    let message = format!(
        "Nothing at the root of the source says how it is started. Did you mean {}? Set the application's root directory to it.",
        names.join(" or ")
    );
    Some(warning("PYTHON_NO_START", message, None))
}
