//! A small project to begin a buildpack with: it compiles, and it passes its own trial.

mod manifests;
mod name;

use std::{fs, io, path::Path};

pub use self::name::{BadName, Name};
use crate::embedded;

/// What a buildpack is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Against `slipway-buildpack-sdk`.
    Rust,
    /// Against the WIT package alone, by componentize-py.
    Python,
}

/// Why no project was written. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum StarterError {
    /// There is something in the way.
    #[error("{0} exists already")]
    Exists(String),
    /// The file system says no.
    #[error("{path} could not be written: {cause}")]
    Unwritable {
        /// What was to be written.
        path: String,
        /// Why it was not.
        cause: io::Error,
    },
}

/// The licence of what is written below `vendor/`.
const LICENSE: &str = include_str!("../../../LICENSE");

/// Writes the project, whole or not at all.
///
/// The crates that it is written against are on no registry. Their sources lie in this program and go into `vendor/`.
///
/// # Errors
/// See [`StarterError`].
pub fn write(name: &Name, language: Language, directory: &Path) -> Result<(), StarterError> {
    if directory.symlink_metadata().is_ok() {
        return Err(StarterError::Exists(directory.display().to_string()));
    }
    let unwritable = |cause| StarterError::Unwritable { path: directory.display().to_string(), cause };
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(unwritable)?;
    let staged = tempfile::Builder::new().prefix(".new-buildpack-").tempdir_in(parent).map_err(unwritable)?;
    for (path, text) in files(name, language) {
        write_file(&staged.path().join(path), &text).map_err(unwritable)?;
    }
    let staged = staged.keep();
    // Temporary directories are for their owner alone; a project is not.
    let finished = fs::set_permissions(&staged, std::os::unix::fs::PermissionsExt::from_mode(0o755));
    finished.and_then(|()| fs::rename(&staged, directory)).map_err(|cause| {
        let _ = fs::remove_dir_all(&staged);
        unwritable(cause)
    })
}

fn write_file(path: &Path, text: &str) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)
}

/// Path within the project, and text.
fn files(name: &Name, language: Language) -> Vec<(String, String)> {
    let template = match language {
        Language::Rust => embedded::RUST_TEMPLATE,
        Language::Python => embedded::PYTHON_TEMPLATE,
    };
    let mut files: Vec<_> = template.iter().map(|(path, text)| (name.fill(&plain(path)), name.fill(text))).collect();
    files.extend(embedded::PLUGIN_TEMPLATE.iter().map(|(path, text)| (format!("plugin/{}", plain(path)), name.fill(text))));
    files.extend(vendored("plugin-sdk", embedded::PLUGIN_SDK));
    files.extend(vendored("plugin-abi", embedded::PLUGIN_ABI));
    match language {
        Language::Rust => {
            files.extend(vendored("sdk", embedded::BUILDPACK_SDK));
            files.extend(vendored("wit", embedded::BUILDPACK_WIT));
        }
        Language::Python => {
            let wit = embedded::BUILDPACK_WIT.iter().filter_map(|(path, text)| Some((path.strip_prefix("since_v0_1_0/")?, text)));
            files.extend(wit.map(|(path, text)| (format!("wit/{path}"), (*text).to_owned())));
        }
    }
    files.push(("vendor/LICENSE".into(), LICENSE.into()));
    files
}

/// Names that would mean something in this checkout are written differently there.
fn plain(path: &str) -> String {
    let path = path.strip_suffix(".in").unwrap_or(path);
    if path == "gitignore" { ".gitignore".into() } else { path.to_owned() }
}

fn vendored(directory: &str, tree: &[(&str, &str)]) -> Vec<(String, String)> {
    let text = |path: &str, text: &str| if path == "Cargo.toml" { manifests::standalone(text) } else { text.to_owned() };
    tree.iter().map(|(path, content)| (format!("vendor/{directory}/{path}"), text(path, content))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> Name {
        "my-lang".parse().unwrap()
    }

    #[test]
    fn nothing_is_left_to_fill_in_and_names_become_what_each_place_needs() {
        for language in [Language::Rust, Language::Python] {
            for (path, text) in files(&name(), language).iter().filter(|(path, _)| !path.starts_with("vendor/")) {
                assert!(!path.contains("{{") && !text.contains("{{"), "{path}");
                assert!(!path.ends_with(".in"), "{path}");
            }
        }
        let rust = files(&name(), Language::Rust);
        let text = |wanted: &str| rust.iter().find(|(path, _)| path == wanted).map(|(_, text)| text.as_str()).unwrap();
        assert!(text("Cargo.toml").contains("name = \"my-lang-buildpack\""));
        assert!(text("src/lib.rs").contains("struct MyLang") && text("src/lib.rs").contains("\"MY_LANG_MANIFEST_INVALID\""));
        assert!(text("vendor/wit/since_v0_1_0/buildpack.wit").starts_with("package slipway:buildpack@"));
    }

    #[test]
    fn what_is_there_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("kept"), "mine").unwrap();
        assert!(matches!(write(&name(), Language::Rust, directory.path()), Err(StarterError::Exists(_))));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_project_is_whole_or_not_there() {
        let directory = tempfile::tempdir().unwrap();
        write(&name(), Language::Rust, &directory.path().join("new/one")).unwrap();
        assert!(directory.path().join("new/one/buildpack.toml").is_file());
        fs::write(directory.path().join("file"), "").unwrap();
        assert!(matches!(write(&name(), Language::Rust, &directory.path().join("file/one")), Err(StarterError::Unwritable { .. })));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "nothing half-made");
    }
}
