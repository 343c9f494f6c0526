//! A plugin as its author has it, made into a plugin as a platform has it: a directory with the manifest, the library and, for a
//! runtime, the component.
//!
//! Beside a `Cargo.toml` the library is built by cargo. Without one it lies there already, from whatever made it.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;
use tempfile::TempDir;
use toml::{Table, Value};

const MANIFEST: &str = "plugin.toml";
/// Of the form `wasm`.
const TARGET: &str = "wasm32-wasip2";

/// A directory with a manifest.
#[derive(Debug, Clone)]
pub struct Project {
    directory: PathBuf,
    /// As far as it is needed here; the host reads it in earnest.
    manifest: Table,
}

/// A plugin's directory, alone in another one. Goes with the value.
#[derive(Debug)]
pub struct Staged {
    root: TempDir,
    /// The component that the manifest names and that is not there: the plugin is staged without it.
    pub without: Option<String>,
}

impl Staged {
    /// The directory that the plugin's directory is in.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }
}

/// Why there is no plugin to try.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The directory is no project.
    #[error("{} has no {MANIFEST}", .0.display())]
    NoManifest(PathBuf),
    /// The manifest cannot be used.
    #[error("{}: {problem}", path.display())]
    BadManifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A panic of this library would end the platform.
    #[error("Cargo.toml says `panic = \"abort\"`: the first panic would end the platform instead of one call")]
    Aborts,
    /// The compiler is not there.
    #[error("`cargo` is not installed")]
    NoCargo,
    /// It has said why on standard error.
    #[error("the build failed: `{0}`")]
    BuildFailed(String),
    /// The build went well and left nothing to try.
    #[error("cargo built no library")]
    NoLibrary,
    /// The library that the manifest names.
    #[error("there is no {0} beside the manifest")]
    MissingLibrary(String),
    /// The file system says no.
    #[error("{path}: {cause}")]
    Io {
        /// What was to be read or written.
        path: String,
        /// Why it was not.
        cause: io::Error,
    },
}

impl ProjectError {
    /// What to do about it.
    #[must_use]
    pub fn fix(&self) -> String {
        if let Self::BuildFailed(_) = self
            && let Some(lacking) = slipway_starter::toolchain::lacking()
        {
            return lacking;
        }
        let fix = match self {
            Self::NoManifest(_) => "`slipway plugin new KIND NAME` writes a project; docs/plugins/ says what a manifest has",
            Self::BadManifest { .. } => "correct it: docs/plugins/README.md has every field",
            Self::Aborts => "remove it from [profile.release]",
            Self::NoCargo => "install Rust with rustup; docs/plugins/README.md says what else is needed",
            Self::BuildFailed(command) if command.contains(TARGET) => {
                "the build's own output says what is wrong; the compiler gets the target by `rustup target add wasm32-wasip2`"
            }
            Self::BuildFailed(_) => "the build's own output says what is wrong",
            Self::NoLibrary => "Cargo.toml needs `crate-type = [\"cdylib\", \"rlib\"]` under [lib]",
            Self::MissingLibrary(_) => "build it, or correct `library` in plugin.toml",
            Self::Io { .. } => "see that the directory can be read, and that there is room for temporary files",
        };
        fix.to_owned()
    }
}

impl Project {
    /// Reads the manifest of the project or the plugin in a directory.
    ///
    /// # Errors
    /// [`ProjectError::NoManifest`] and [`ProjectError::BadManifest`].
    pub fn open(directory: &Path) -> Result<Self, ProjectError> {
        let path = directory.join(MANIFEST);
        let bad = |problem: String| ProjectError::BadManifest { path: path.clone(), problem };
        let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ProjectError::NoManifest(directory.to_owned()),
            _ => bad(error.to_string()),
        })?;
        let manifest: Table = text.parse().map_err(|error: toml::de::Error| bad(error.to_string().trim_end().to_owned()))?;
        let project = Self { directory: directory.to_owned(), manifest };
        for field in ["id", "library"] {
            project.name(field).ok_or_else(|| bad(format!("`{field}` is missing, or not a plain name")))?;
        }
        Ok(project)
    }

    /// What the plugin calls itself.
    #[must_use]
    pub fn id(&self) -> &str {
        self.name("id").unwrap_or_default()
    }

    /// The author's cases, where there are some.
    #[must_use]
    pub fn cases(&self) -> Option<PathBuf> {
        Some(self.directory.join("cases")).filter(|cases| cases.is_dir())
    }

    /// Builds it where it is a crate, and lays it out as it is installed. What the compiler says goes to standard error.
    ///
    /// # Errors
    /// See [`ProjectError`].
    pub fn stage(&self) -> Result<Staged, ProjectError> {
        let library = self.name("library").unwrap_or_default();
        let built = if self.directory.join("Cargo.toml").is_file() {
            self.build()?
        } else {
            Some(self.directory.join(library))
                .filter(|file| file.is_file())
                .ok_or_else(|| ProjectError::MissingLibrary(library.to_owned()))?
        };
        let failed = |path: &Path, cause| ProjectError::Io { path: path.display().to_string(), cause };
        let root = tempfile::Builder::new().prefix("slipway-plugin-").tempdir().map_err(|cause| failed(&env::temp_dir(), cause))?;
        let directory = root.path().join(self.id());
        fs::create_dir(&directory).map_err(|cause| failed(&directory, cause))?;
        let mut manifest = self.manifest.clone();
        let mut without = None;
        if let Some(buildpack) = self.name("buildpack") {
            let component = self.directory.join(buildpack);
            if component.is_file() {
                fs::copy(&component, directory.join(buildpack)).map_err(|cause| failed(&component, cause))?;
            } else {
                without = Some(buildpack.to_owned());
                manifest.remove("buildpack");
            }
        }
        fs::copy(&built, directory.join(library)).map_err(|cause| failed(&built, cause))?;
        let path = directory.join(MANIFEST);
        fs::write(&path, manifest.to_string()).map_err(|cause| failed(&path, cause))?;
        Ok(Staged { root, without })
    }

    fn build(&self) -> Result<PathBuf, ProjectError> {
        // A component that panics ends itself and nothing else.
        if self.aborts() && self.name("form") != Some("wasm") {
            return Err(ProjectError::Aborts);
        }
        let is_component = self.name("form") == Some("wasm");
        let target = ["--target", TARGET];
        let words = ["build", "--release", "--message-format=json-render-diagnostics"];
        let words: Vec<&str> = words.into_iter().chain(target.into_iter().filter(|_| is_component)).collect();
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.directory).args(&words).stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = cargo.output().map_err(|_| ProjectError::NoCargo)?;
        if !output.status.success() {
            return Err(ProjectError::BuildFailed(format!("cargo {}", words.join(" "))));
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        // The project is built last, after all that it depends on.
        let mut files =
            messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok()).flat_map(|message| message.filenames);
        let wanted = if is_component { "wasm" } else { "so" };
        files.rfind(|file| file.extension().is_some_and(|extension| extension == wanted)).ok_or(ProjectError::NoLibrary)
    }

    fn aborts(&self) -> bool {
        let text = fs::read_to_string(self.directory.join("Cargo.toml")).unwrap_or_default();
        let manifest: Table = text.parse().unwrap_or_default();
        let panic = manifest.get("profile").and_then(|profile| profile.get("release")).and_then(|release| release.get("panic"));
        panic.and_then(Value::as_str) == Some("abort")
    }

    /// A field that names a file or a directory, and leads nowhere else.
    fn name(&self, field: &str) -> Option<&str> {
        let name = self.manifest.get(field)?.as_str()?;
        let is_plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
        is_plain.then_some(name)
    }
}

/// One line of cargo's messages.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(manifest: &str) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(MANIFEST), manifest).unwrap();
        directory
    }

    #[test]
    fn what_is_missing_is_named_with_what_to_do() {
        let empty = tempfile::tempdir().unwrap();
        let error = Project::open(empty.path()).unwrap_err();
        assert!(matches!(error, ProjectError::NoManifest(_)) && error.fix().contains("slipway plugin new"));
        for (manifest, said) in
            [("", "`id`"), ("id = \"x\"", "`library`"), ("id = \"x\"\nlibrary = \"../x.so\"", "`library`"), ("id", "TOML")]
        {
            let error = Project::open(directory(manifest).path()).unwrap_err();
            assert!(matches!(&error, ProjectError::BadManifest { problem, .. } if problem.contains(said)), "{manifest}: {error}");
        }
        let there = directory("id = \"x\"\nlibrary = \"x.so\"");
        assert!(matches!(Project::open(there.path()).unwrap().stage(), Err(ProjectError::MissingLibrary(_))));
        fs::write(there.path().join("Cargo.toml"), "[profile.release]\npanic = \"abort\"\n").unwrap();
        assert!(matches!(Project::open(there.path()).unwrap().stage(), Err(ProjectError::Aborts)));
    }

    #[test]
    fn a_plugin_is_staged_as_it_lies_there_without_a_component_that_is_not_made_yet() {
        let there = directory("id = \"x\"\nlibrary = \"x.so\"\nbuildpack = \"x.wasm\"");
        fs::write(there.path().join("x.so"), "library").unwrap();
        let project = Project::open(there.path()).unwrap();
        let staged = project.stage().unwrap();
        assert_eq!(staged.without.as_deref(), Some("x.wasm"));
        assert!(!fs::read_to_string(staged.root().join("x/plugin.toml")).unwrap().contains("buildpack"));
        fs::write(there.path().join("x.wasm"), "component").unwrap();
        let staged = project.stage().unwrap();
        assert_eq!((staged.without.as_deref(), staged.root().join("x/x.wasm").is_file()), (None, true));
        assert_eq!(fs::read_to_string(staged.root().join("x/x.so")).unwrap(), "library");
        assert_eq!(fs::read_dir(staged.root()).unwrap().count(), 1);
    }
}
