//! A buildpack's project: a directory with a `buildpack.toml`, and how a component is built of it.
//!
//! Without a `build` the project is a crate, and cargo builds it for `wasm32-wasip2`. Any other language states its command and
//! the file that it makes.

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

const MANIFEST: &str = "buildpack.toml";
const TARGET: &str = "wasm32-wasip2";
/// Where the tools of a project's own language are, below it.
const OWN_TOOLS: [&str; 2] = [".venv/bin", "node_modules/.bin"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    id: String,
    build: Option<Vec<String>>,
    component: Option<PathBuf>,
}

/// A project that can be built.
#[derive(Debug, Clone)]
pub struct Project {
    /// The runtime's name.
    pub id: String,
    directory: PathBuf,
    /// A command, and the file that it makes.
    stated: Option<(Vec<String>, PathBuf)>,
}

/// Why there is no component.
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
    /// A program that the build needs is not there.
    #[error("`{0}` is not installed")]
    MissingProgram(String),
    /// The compiler cannot compile for WebAssembly.
    #[error("the Rust compiler has no standard library for {TARGET}")]
    MissingTarget,
    /// It has said why on standard error.
    #[error("the build failed: `{0}`")]
    BuildFailed(String),
    /// The build went well and left nothing to try.
    #[error("the build made no component: {0}")]
    NoComponent(String),
}

impl ProjectError {
    /// What to do about it.
    #[must_use]
    pub fn fix(&self) -> String {
        match self {
            Self::NoManifest(_) => {
                format!("`slipway buildpack new NAME` writes a project; in one of your own, a {MANIFEST} with `id = \"NAME\"`")
            }
            Self::BadManifest { .. } => {
                "correct it: `id`, and outside of Rust also `build` (a list of words) and `component` (the file that it makes)".into()
            }
            Self::MissingProgram(program) if program == "cargo" => "install Rust with rustup".into(),
            Self::MissingProgram(program) if program == "componentize-py" => {
                "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt, in the project".into()
            }
            Self::MissingProgram(program) => format!("install {program}, or correct `build` in {MANIFEST}"),
            Self::MissingTarget => format!("rustup target add {TARGET}"),
            Self::BuildFailed(command) if command.starts_with("cargo ") => {
                slipway_starter::toolchain::lacking().unwrap_or_else(|| "the build's own output says what is wrong".into())
            }
            Self::BuildFailed(_) => "the build's own output says what is wrong".into(),
            Self::NoComponent(_) => {
                format!("a crate needs `crate-type = [\"cdylib\", \"rlib\"]`; another project a `component` in {MANIFEST}")
            }
        }
    }
}

impl Project {
    /// Reads the project in a directory.
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
        let manifest: Manifest = toml::from_str(&text).map_err(|error| bad(error.to_string().trim_end().to_owned()))?;
        let stated = match (manifest.build, manifest.component) {
            (None, None) => None,
            (Some(build), Some(component)) if !build.is_empty() => Some((build, component)),
            _ => return Err(bad("`build` and `component` are stated together, or neither".into())),
        };
        if !is_id(&manifest.id) {
            return Err(bad(format!("`{}` is not an id: small letters, digits and hyphens, a letter first", manifest.id)));
        }
        Ok(Self { id: manifest.id, directory: directory.to_owned(), stated })
    }

    /// Where its fixtures are.
    #[must_use]
    pub fn fixtures(&self) -> PathBuf {
        self.directory.join("fixtures")
    }

    /// Builds it. What compilers say goes to standard error.
    ///
    /// # Errors
    /// Those of the tools that it needs, and of the build.
    pub fn build(&self) -> Result<PathBuf, ProjectError> {
        match &self.stated {
            None => self.cargo(),
            Some((words, component)) => {
                let mut command = self.command(&words[0])?;
                command.args(&words[1..]).stdout(Stdio::from(io::stderr()));
                let status = command.status().map_err(|_| ProjectError::MissingProgram(words[0].clone()))?;
                let component = self.directory.join(component);
                match (status.success(), component.is_file()) {
                    (false, _) => Err(ProjectError::BuildFailed(words.join(" "))),
                    (true, false) => Err(ProjectError::NoComponent(component.display().to_string())),
                    (true, true) => Ok(component),
                }
            }
        }
    }

    fn cargo(&self) -> Result<PathBuf, ProjectError> {
        let words = ["build", "--release", "--target", TARGET, "--message-format=json-render-diagnostics"];
        let missing = |_| ProjectError::MissingProgram("cargo".into());
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.directory).args(words).stdin(Stdio::null()).stderr(Stdio::inherit());
        if !has_target() {
            return Err(if cargo.arg("--version").output().is_err() {
                ProjectError::MissingProgram("cargo".into())
            } else {
                ProjectError::MissingTarget
            });
        }
        let output = cargo.output().map_err(missing)?;
        if !output.status.success() {
            return Err(ProjectError::BuildFailed(format!("cargo {}", words[..4].join(" "))));
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        // The project is built last, after all that it depends on.
        let mut components =
            messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok()).flat_map(|message| message.filenames);
        let component = components.rfind(|file| file.extension().is_some_and(|extension| extension == "wasm"));
        component.ok_or_else(|| ProjectError::NoComponent("cargo built no file that ends in .wasm".into()))
    }

    /// The program in the project's own tools, else by the usual search.
    fn command(&self, program: &str) -> Result<Command, ProjectError> {
        let missing = || ProjectError::MissingProgram(program.to_owned());
        let directory = self.directory.canonicalize().map_err(|_| missing())?;
        let own = OWN_TOOLS.map(|tools| directory.join(tools));
        let usual = env::var_os("PATH").unwrap_or_default();
        let search: Vec<PathBuf> = own.into_iter().chain(env::split_paths(&usual)).collect();
        let found = if program.contains('/') { Some(directory.join(program)) } else { None };
        let found = found.or_else(|| search.iter().map(|place| place.join(program)).find(|file| file.is_file())).ok_or_else(missing)?;
        let mut command = Command::new(found);
        let path = env::join_paths(&search).unwrap_or_else(|_| OsString::from(&usual));
        command.current_dir(&directory).env("PATH", path).stdin(Stdio::null());
        Ok(command)
    }
}

/// One line of cargo's messages.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Whether the compiler that cargo will use knows the target. Asked first, because its own words for it are hard to understand.
fn has_target() -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    output.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

/// As the host's rules have names.
fn is_id(text: &str) -> bool {
    text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(manifest: &str) -> (tempfile::TempDir, Result<Project, ProjectError>) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(MANIFEST), manifest).unwrap();
        let project = Project::open(directory.path());
        (directory, project)
    }

    #[test]
    fn a_command_makes_the_component_in_the_project() {
        let (directory, project) = project("id = \"x\"\nbuild = [\"make-it\", \"x.wasm\"]\ncomponent = \"x.wasm\"\n");
        let tools = directory.path().join(".venv/bin");
        fs::create_dir_all(&tools).unwrap();
        fs::write(tools.join("make-it"), "#!/bin/sh\necho made > \"$1\"\n").unwrap();
        fs::set_permissions(tools.join("make-it"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(fs::read_to_string(project.unwrap().build().unwrap()).unwrap(), "made\n");
    }

    #[test]
    fn what_is_missing_is_named_with_what_to_do() {
        let empty = tempfile::tempdir().unwrap();
        let error = Project::open(empty.path()).unwrap_err();
        assert!(matches!(error, ProjectError::NoManifest(_)) && error.fix().contains("slipway buildpack new"));
        for (manifest, said) in [
            ("", "missing field `id`"),
            ("id = \"x\"\ncolour = 1", "colour"),
            ("id = \"X\"", "not an id"),
            ("id = \"x\"\nbuild = [\"make\"]", "together"),
            ("id = \"x\"\nbuild = []\ncomponent = \"x\"", "together"),
        ] {
            let error = project(manifest).1.unwrap_err();
            assert!(matches!(&error, ProjectError::BadManifest { problem, .. } if problem.contains(said)), "{manifest}: {error}");
        }
        let (_directory, absent) = project("id = \"x\"\nbuild = [\"no-such-program-here\"]\ncomponent = \"x.wasm\"\n");
        assert!(matches!(absent.unwrap().build(), Err(ProjectError::MissingProgram(_))));
        let (_directory, idle) = project("id = \"x\"\nbuild = [\"true\"]\ncomponent = \"x.wasm\"\n");
        assert!(matches!(idle.unwrap().build(), Err(ProjectError::NoComponent(_))));
        let (_directory, failing) = project("id = \"x\"\nbuild = [\"false\"]\ncomponent = \"x.wasm\"\n");
        assert!(matches!(failing.unwrap().build(), Err(ProjectError::BuildFailed(_))));
    }
}
