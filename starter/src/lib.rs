//! How a project for an author is written: its [`Name`] in every place, the crates that it is built against beside it, and the
//! whole of it or nothing.

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}
pub mod manifests;
mod name;
pub mod toolchain;

use std::{fs, io, path::Path};

pub use self::name::{Malformed, Name};

/// Files by their path within a tree.
pub type Tree = [(&'static str, &'static str)];

/// The licence of what is written below `vendor/`.
const LICENSE: &str = include_str!("../../LICENSE");

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

/// Writes a project, whole or not at all: paths within it, and texts.
///
/// # Errors
/// See [`StarterError`].
pub fn write(directory: &Path, files: &[(String, String)]) -> Result<(), StarterError> {
    if directory.symlink_metadata().is_ok() {
        return Err(StarterError::Exists(directory.display().to_string()));
    }
    let unwritable = |cause| StarterError::Unwritable { path: directory.display().to_string(), cause };
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(unwritable)?;
    let staged = tempfile::Builder::new().prefix(".new-project-").tempdir_in(parent).map_err(unwritable)?;
    for (path, text) in files {
        write_file(&staged.path().join(path), text).map_err(unwritable)?;
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

/// A template's files with the name in its places, below `prefix`.
pub fn filled(prefix: &str, template: &Tree, name: &Name) -> Vec<(String, String)> {
    template.iter().map(|(path, text)| (format!("{prefix}{}", name.fill(&plain(path))), name.fill(text))).collect()
}

/// Names that would mean something in this checkout are written differently there.
fn plain(path: &str) -> String {
    let path = path.strip_suffix(".in").unwrap_or(path);
    if path == "gitignore" { ".gitignore".into() } else { path.to_owned() }
}

/// A crate of this workspace below `vendor/`, standing by itself.
#[must_use]
pub fn vendored(directory: &str, tree: &Tree) -> Vec<(String, String)> {
    let text = |path: &str, text: &str| if path == "Cargo.toml" { manifests::standalone(text) } else { text.to_owned() };
    tree.iter().map(|(path, content)| (format!("vendor/{directory}/{path}"), text(path, content))).collect()
}

/// What every plugin in Rust is built against, below `vendor/`.
#[must_use]
pub fn plugin_sdk() -> Vec<(String, String)> {
    let mut files = vendored("plugin-sdk", embedded::PLUGIN_SDK);
    // The interface of the WebAssembly form lies beside it under another name here.
    for (_, text) in &mut files {
        *text = text.replace("\"../abi/wit\"", "\"../plugin-abi/wit\"");
    }
    files.extend(vendored("plugin-abi", embedded::PLUGIN_ABI));
    files.push(("vendor/LICENSE".into(), LICENSE.into()));
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Vec<(String, String)> {
        vec![("src/lib.rs".into(), "// nothing yet\n".into())]
    }

    #[test]
    fn what_is_there_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("kept"), "mine").unwrap();
        assert!(matches!(write(directory.path(), &one()), Err(StarterError::Exists(_))));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_project_is_whole_or_not_there() {
        let directory = tempfile::tempdir().unwrap();
        write(&directory.path().join("new/one"), &one()).unwrap();
        assert!(directory.path().join("new/one/src/lib.rs").is_file());
        fs::write(directory.path().join("file"), "").unwrap();
        assert!(matches!(write(&directory.path().join("file/one"), &one()), Err(StarterError::Unwritable { .. })));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "nothing half-made");
    }

    #[test]
    fn the_crates_of_a_plugin_stand_by_themselves() {
        let files = plugin_sdk();
        for (path, text) in files.iter().filter(|(path, _)| path.ends_with("Cargo.toml")) {
            assert!(!text.contains("workspace ="), "{path}: {text}");
            assert!(text.contains("version = \"") && text.contains("edition = \"2024\""), "{path}: {text}");
        }
        assert!(files.iter().any(|(path, _)| path == "vendor/plugin-abi/src/messages.rs"));
        let guest = &files.iter().find(|(path, _)| path == "vendor/plugin-sdk/src/guest.rs").unwrap().1;
        assert!(guest.contains("path: \"../plugin-abi/wit\"") && files.iter().any(|(path, _)| path == "vendor/plugin-abi/wit/plugin.wit"));
    }
}
