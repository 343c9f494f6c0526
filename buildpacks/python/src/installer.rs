//! Who installs the dependencies.

use slipway_buildpack_sdk::{Command, Diagnostic, Refusal, Source, argv, info, refuse, warning};

use crate::{
    lockfile::{LOCKFILES, Lockfile},
    project::Project,
    requirements::RequirementsFile,
    version,
};

/// The virtual environment, at the same place in every step and in the image.
pub const VENV: &str = "/opt/venv";
/// Where the installer itself lives, apart from the application's packages.
pub const TOOLS: &str = "/opt/tools";
/// Requirements that were read from pyproject.toml.
pub const DERIVED_REQUIREMENTS: &str = "/opt/slipway/requirements.txt";

const CONDA_FILES: [&str; 4] = ["environment.yml", "environment.yaml", "conda.yml", "conda.yaml"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installer {
    Pip,
    /// Requirements from `project.dependencies`, which pip cannot install without building the project.
    PipFromProject,
    /// `pip install .`
    PipProject,
    Poetry {
        locked: bool,
    },
    Pipenv {
        locked: bool,
    },
    Uv {
        locked: bool,
    },
    Pdm {
        locked: bool,
    },
}

/// The installer, or `None` when there is nothing to install; and what to tell the customer about the choice.
pub fn choose(source: &Source, project: &Project) -> Result<(Option<Installer>, Vec<Diagnostic>), Refusal> {
    let mut diagnostics = Vec::new();
    if let Some(lockfile) = lockfile(source, project, &mut diagnostics)? {
        lockfile.check(source, project)?;
        if let Some(file) = project.requirements.first() {
            let message = format!("`{}` is left aside: `{}` says exactly what to install.", file.path, lockfile.file);
            diagnostics.push(warning("PYTHON_REQUIREMENTS_UNUSED", message, Some(&file.path)));
        }
        return Ok((Installer::by_name(lockfile.tool, true), diagnostics));
    }
    if !project.requirements.is_empty() {
        project.requirements.iter().try_for_each(RequirementsFile::check)?;
        if let Some(file) = project.requirements.first().filter(|file| file.path.ends_with(".in")) {
            let message = "There is no lockfile: every build may install other versions. Commit what `pip-compile` writes.";
            diagnostics.push(warning("PYTHON_NO_LOCKFILE", message, Some(&file.path)));
        }
        return Ok((Some(Installer::Pip), diagnostics));
    }
    let unlocked = if project.pipfile.is_some() { Some("pipenv") } else { stated_tools(project).first().copied() };
    if let Some(tool) = unlocked {
        let manifest = if tool == "pipenv" { "Pipfile" } else { "pyproject.toml" };
        let message = format!("There is no lockfile: every build may install other versions. Commit the one that {tool} writes.");
        diagnostics.push(warning("PYTHON_NO_LOCKFILE", message, Some(manifest)));
        return Ok((Installer::by_name(tool, false), diagnostics));
    }
    // Linters keep their settings in setup.cfg too.
    let describes_project = |text: String| text.lines().any(|line| matches!(line.trim(), "[metadata]" | "[options]"));
    let has_setup = source.is_file("setup.py") || source.peek("setup.cfg").is_some_and(describes_project);
    let installer = if project.table(&["project"]).is_some() {
        if project.has_dynamic_dependencies() {
            Some(Installer::PipProject)
        } else if project.project_dependencies().is_empty() {
            None
        } else {
            let message = "There is no lockfile: every build may install other versions. Commit one, such as `uv lock` writes.";
            diagnostics.push(info("PYTHON_NO_LOCKFILE", message, Some("pyproject.toml")));
            Some(Installer::PipFromProject)
        }
    } else {
        has_setup.then_some(Installer::PipProject)
    };
    if installer.is_none()
        && let Some(file) = conda_file(source)
    {
        return Err(refuse("PYTHON_CONDA_UNSUPPORTED", format!("`{file}` is for Conda, and nothing else says what to install."))
            .at(file)
            .fix("Write the dependencies into a requirements.txt, or add a Dockerfile that starts from an image with Conda."));
    }
    Ok((installer, diagnostics))
}

/// A description of a Conda environment, told by its dependencies from other files of that name.
pub fn conda_file(source: &Source) -> Option<&'static str> {
    let states_dependencies =
        |file: &&str| source.peek(file).is_some_and(|text| text.lines().any(|line| line.starts_with("dependencies:")));
    CONDA_FILES.into_iter().find(|file| states_dependencies(file))
}

/// The one lockfile that is installed from.
fn lockfile(source: &Source, project: &Project, diagnostics: &mut Vec<Diagnostic>) -> Result<Option<Lockfile>, Refusal> {
    let present: Vec<Lockfile> = LOCKFILES.into_iter().filter(|lockfile| source.is_file(lockfile.file)).collect();
    let (usable, alone): (Vec<Lockfile>, Vec<Lockfile>) = present.into_iter().partition(|lockfile| source.is_file(lockfile.manifest));
    if let (Some(lockfile), true, true) = (alone.first(), usable.is_empty(), project.requirements.is_empty()) {
        return Err(refuse(
            "PYTHON_LOCKFILE_ALONE",
            format!("There is a `{}` but no `{}`, without which {} installs nothing.", lockfile.file, lockfile.manifest, lockfile.tool),
        )
        .at(lockfile.file)
        .fix(format!("Commit `{}` beside it.", lockfile.manifest)));
    }
    let [first, second, ..] = usable[..] else { return Ok(usable.first().copied()) };
    let decided: Vec<Lockfile> = usable.iter().copied().filter(|lockfile| version::of_tool(source, lockfile.tool).is_some()).collect();
    let stated = stated_tools(project);
    let decided = match &decided[..] {
        [one] => Some(*one),
        // A Pipfile is Pipenv's own word, as a table of pyproject.toml is that of the others.
        _ if project.pipfile.is_some() => None,
        _ => match &usable.iter().filter(|lockfile| stated.contains(&lockfile.tool)).collect::<Vec<_>>()[..] {
            [one] => Some(**one),
            _ => None,
        },
    };
    let Some(decided) = decided else {
        return Err(refuse(
            "PYTHON_LOCKFILES_CONFLICT",
            format!("`{}` and `{}` come from different tools, and nothing says which is right.", first.file, second.file),
        )
        .at(second.file)
        .fix("Delete the lockfile of the tool that is not used."));
    };
    for other in usable.iter().filter(|lockfile| **lockfile != decided) {
        let message = format!("`{}` is left aside: the project is one of {}. Delete it.", other.file, decided.tool);
        diagnostics.push(warning("PYTHON_LOCKFILE_UNUSED", message, Some(other.file)));
    }
    Ok(Some(decided))
}

/// The tools that pyproject.toml is written for, by their tables and by what builds the project.
fn stated_tools(project: &Project) -> Vec<&'static str> {
    let backend = project.text(&["build-system", "build-backend"]).unwrap_or_default();
    [("poetry", "poetry."), ("pdm", "pdm."), ("uv", "uv_build")]
        .into_iter()
        .filter(|(tool, prefix)| project.table(&["tool", tool]).is_some() || backend.starts_with(prefix))
        .map(|(tool, _)| tool)
        .collect()
}

impl Installer {
    fn by_name(tool: &str, locked: bool) -> Option<Self> {
        match tool {
            "poetry" => Some(Self::Poetry { locked }),
            "pipenv" => Some(Self::Pipenv { locked }),
            "uv" => Some(Self::Uv { locked }),
            "pdm" => Some(Self::Pdm { locked }),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Pip | Self::PipFromProject | Self::PipProject => "pip",
            Self::Poetry { .. } => "poetry",
            Self::Pipenv { .. } => "pipenv",
            Self::Uv { .. } => "uv",
            Self::Pdm { .. } => "pdm",
        }
    }

    /// What pip installs to have the installer, in the version that the application's version manager is told; empty: pip is
    /// enough.
    pub fn packages(self, source: &Source, project: &Project) -> Vec<String> {
        let pinned = version::of_tool(source, self.name()).filter(|version| version.matches('.').count() == 2);
        let required = match self {
            Self::Uv { .. } => project.text(&["tool", "uv", "required-version"]),
            Self::Poetry { .. } => project.text(&["tool", "poetry", "requires-poetry"]),
            _ => None,
        };
        let required =
            required.map(str::trim).filter(|text| text.parse::<pep440_rs::VersionSpecifiers>().is_ok_and(|list| !list.is_empty()));
        let default: &[&str] = match self {
            Self::Pip | Self::PipFromProject | Self::PipProject => return Vec::new(),
            Self::Poetry { .. } => &["poetry>=1.8,<3"],
            Self::Pipenv { .. } => &["pipenv>=2024"],
            Self::Uv { .. } => &["uv>=0.5,<1"],
            // PDM does not bound these two, whose later versions it cannot work with.
            Self::Pdm { .. } => &["pdm>=2.20,<2.26", "hishel<1", "unearth<0.18"],
        };
        let mut packages: Vec<String> = default.iter().map(|package| (*package).to_owned()).collect();
        match (pinned, required) {
            (Some(version), _) => packages[0] = format!("{}=={version}", self.name()),
            (None, Some(range)) => packages[0] = format!("{}{range}", self.name()),
            (None, None) => {}
        }
        packages
    }

    /// Installs what production needs into [`VENV`]; nothing of the project itself unless there is no other way.
    pub fn install(self, project: &Project) -> Command {
        let tool = |words: &[&str]| argv([&[&*format!("{TOOLS}/bin/{}", words[0])], &words[1..]].concat());
        let pip = |words: &[&str]| argv([&[&*format!("{VENV}/bin/pip"), "install"], words].concat());
        match self {
            Self::Pip => pip(&["-r", project.requirements.first().map_or("requirements.txt", |file| &file.path)]),
            Self::PipFromProject => pip(&["-r", DERIVED_REQUIREMENTS]),
            Self::PipProject => pip(&["."]),
            Self::Poetry { .. } => tool(&["poetry", "install", "--only", "main", "--no-root", "--no-interaction"]),
            Self::Pipenv { locked: true } => tool(&["pipenv", "sync"]),
            Self::Pipenv { locked: false } => tool(&["pipenv", "install", "--skip-lock"]),
            Self::Uv { locked: true } => tool(&["uv", "sync", "--frozen", "--no-dev", "--no-install-project"]),
            Self::Uv { locked: false } => tool(&["uv", "sync", "--no-dev", "--no-install-project"]),
            Self::Pdm { locked: true } => tool(&["pdm", "sync", "--prod", "--no-self"]),
            Self::Pdm { locked: false } => tool(&["pdm", "install", "--prod", "--no-self"]),
        }
    }

    /// What its commands need in their environment.
    pub fn env(self) -> Vec<(String, String)> {
        let mut env = vec![("PIP_DISABLE_PIP_VERSION_CHECK", "1"), ("PIP_ROOT_USER_ACTION", "ignore")];
        env.extend_from_slice(match self {
            Self::Pip | Self::PipFromProject | Self::PipProject => &[],
            Self::Poetry { .. } => {
                &[("VIRTUAL_ENV", VENV), ("POETRY_VIRTUALENVS_CREATE", "false"), ("POETRY_CACHE_DIR", "/root/.cache/pip/poetry")]
            }
            Self::Pipenv { .. } => &[("VIRTUAL_ENV", VENV), ("PIPENV_NOSPIN", "1"), ("PIPENV_CACHE_DIR", "/root/.cache/pip/pipenv")],
            Self::Uv { .. } => &[
                ("UV_PROJECT_ENVIRONMENT", VENV),
                ("UV_PYTHON_DOWNLOADS", "never"),
                ("UV_LINK_MODE", "copy"),
                // As pip does: the image writes no bytecode, so every start would compile anew.
                ("UV_COMPILE_BYTECODE", "1"),
                ("UV_CACHE_DIR", "/root/.cache/pip/uv"),
            ],
            Self::Pdm { .. } => &[("VIRTUAL_ENV", VENV), ("PDM_IGNORE_SAVED_PYTHON", "1"), ("PDM_CACHE_DIR", "/root/.cache/pip/pdm")],
        });
        env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The files that an install needs to see; empty: all of the source.
    pub fn inputs(self, source: &Source, project: &Project) -> Vec<String> {
        let names_a_path = |table: Option<&toml::Table>| {
            table
                .into_iter()
                .flat_map(|table| table.values())
                .any(|value| value.as_table().is_some_and(|table| table.contains_key("path") || table.contains_key("workspace")))
        };
        let local_address = || project.project_dependencies().iter().any(|line| line.contains("file:"));
        let everything = match self {
            Self::PipProject => true,
            Self::Pip => project.requirements.iter().any(RequirementsFile::names_local_directory),
            Self::Uv { .. } => {
                project.table(&["tool", "uv", "workspace"]).is_some() || names_a_path(project.table(&["tool", "uv", "sources"]))
            }
            Self::Poetry { .. } => names_a_path(project.poetry_dependencies()) || local_address(),
            Self::Pipenv { .. } => names_a_path(project.pipfile_packages()),
            Self::Pdm { .. } => local_address(),
            Self::PipFromProject => false,
        };
        if everything {
            return Vec::new();
        }
        let files: &[&str] = match self {
            Self::Pip => &["requirements*.txt", "requirements", "constraints*.txt"],
            Self::PipFromProject | Self::PipProject => &["pyproject.toml"],
            Self::Poetry { .. } => &["pyproject.toml", "poetry.lock", "poetry.toml"],
            Self::Pipenv { .. } => &["Pipfile", "Pipfile.lock"],
            Self::Uv { .. } => &["pyproject.toml", "uv.lock", "uv.toml"],
            Self::Pdm { .. } => &["pyproject.toml", "pdm.lock", "pdm.toml"],
        };
        let mut inputs: Vec<String> = files
            .iter()
            .filter(|file| file.contains('*') || source.is_file(file) || source.is_dir(file))
            .map(|file| (*file).to_owned())
            .collect();
        let covered = |path: &str| match path.split_once('/') {
            Some((dir, _)) => dir == "requirements",
            None => path.ends_with(".txt") && (path.starts_with("requirements") || path.starts_with("constraints")),
        };
        if self == Self::Pip {
            // What a file includes may be anywhere; of many, the whole tree is simpler than the list.
            let others: Vec<_> = project.requirements.iter().map(|file| file.path.clone()).filter(|path| !covered(path)).collect();
            if others.iter().any(|path| path.contains(['*', '?', '[', ']', '{', '}', '\\'])) {
                return Vec::new();
            }
            inputs.extend(others);
        }
        inputs
    }
}
