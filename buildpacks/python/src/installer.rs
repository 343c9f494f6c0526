//! Who installs the dependencies.

use slipway_buildpack_sdk::{Command, Diagnostic, Refusal, Source, argv, refuse, warning};

use crate::project::Project;

/// The virtual environment, at the same place in every step and in the image.
pub const VENV: &str = "/opt/venv";
/// Where the installer itself lives, apart from the application's packages.
pub const TOOLS: &str = "/opt/tools";
/// Requirements that were read from pyproject.toml.
pub const DERIVED_REQUIREMENTS: &str = "/opt/slipway/requirements.txt";

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

const LOCKFILES: [(&str, Installer); 4] = [
    ("uv.lock", Installer::Uv { locked: true }),
    ("poetry.lock", Installer::Poetry { locked: true }),
    ("pdm.lock", Installer::Pdm { locked: true }),
    ("Pipfile.lock", Installer::Pipenv { locked: true }),
];

/// The installer, or `None` when there is nothing to install; and what to tell the customer about the choice.
pub fn choose(source: &Source, project: &Project) -> Result<(Option<Installer>, Vec<Diagnostic>), Refusal> {
    let found: Vec<_> = LOCKFILES.into_iter().filter(|(file, _)| source.is_file(file)).collect();
    if let [(first, _), (second, _), ..] = found[..] {
        return Err(refuse(
            "PYTHON_LOCKFILES_CONFLICT",
            format!("`{first}` and `{second}` come from different tools, and nothing says which is right."),
        )
        .at(second)
        .fix("Delete the lockfile of the tool that is not used."));
    }
    if let Some((file, installer)) = found.first() {
        let mut diagnostics = Vec::new();
        if project.requirements.is_some() {
            let message = format!("`requirements.txt` is left aside: `{file}` says exactly what to install.");
            diagnostics.push(warning("PYTHON_REQUIREMENTS_UNUSED", message, Some("requirements.txt")));
        }
        return Ok((Some(*installer), diagnostics));
    }
    let unlocked = |installer: Installer| {
        let message =
            format!("There is no lockfile: every build may install other versions. Commit the one that {} writes.", installer.name());
        (Some(installer), vec![warning("PYTHON_NO_LOCKFILE", message, Some("pyproject.toml"))])
    };
    Ok(if project.requirements.is_some() {
        (Some(Installer::Pip), Vec::new())
    } else if project.pipfile.is_some() {
        unlocked(Installer::Pipenv { locked: false })
    } else if project.table(&["tool", "poetry"]).is_some() {
        unlocked(Installer::Poetry { locked: false })
    } else if project.table(&["tool", "pdm"]).is_some() {
        unlocked(Installer::Pdm { locked: false })
    } else if project.table(&["tool", "uv"]).is_some() {
        unlocked(Installer::Uv { locked: false })
    } else if project.table(&["project"]).is_some() {
        let installer = if project.project_dependencies().is_empty() { None } else { Some(Installer::PipFromProject) };
        (installer, Vec::new())
    } else if source.is_file("setup.py") || source.is_file("setup.cfg") {
        (Some(Installer::PipProject), Vec::new())
    } else {
        (None, Vec::new())
    })
}

impl Installer {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pip | Self::PipFromProject | Self::PipProject => "pip",
            Self::Poetry { .. } => "poetry",
            Self::Pipenv { .. } => "pipenv",
            Self::Uv { .. } => "uv",
            Self::Pdm { .. } => "pdm",
        }
    }

    /// What pip installs to have the installer; empty: pip is enough.
    pub fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Pip | Self::PipFromProject | Self::PipProject => &[],
            Self::Poetry { .. } => &["poetry>=1.8,<3"],
            Self::Pipenv { .. } => &["pipenv>=2024"],
            Self::Uv { .. } => &["uv>=0.5,<1"],
            // PDM does not bound these two, whose later versions it cannot work with.
            Self::Pdm { .. } => &["pdm>=2.20,<2.26", "hishel<1", "unearth<0.18"],
        }
    }

    /// Installs what production needs into [`VENV`]; nothing of the project itself unless there is no other way.
    pub fn install(self) -> Command {
        let tool = |words: &[&str]| argv([&[&*format!("{TOOLS}/bin/{}", words[0])], &words[1..]].concat());
        let pip = |words: &[&str]| argv([&[&*format!("{VENV}/bin/pip"), "install"], words].concat());
        match self {
            Self::Pip => pip(&["-r", "requirements.txt"]),
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
                ("UV_CACHE_DIR", "/root/.cache/pip/uv"),
            ],
            Self::Pdm { .. } => &[("VIRTUAL_ENV", VENV), ("PDM_IGNORE_SAVED_PYTHON", "1"), ("PDM_CACHE_DIR", "/root/.cache/pip/pdm")],
        });
        env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The files that an install needs to see; empty: all of the source.
    pub fn inputs(self, source: &Source, project: &Project) -> Vec<String> {
        let local = |text: &str| {
            text.lines().any(|line| {
                matches!(line.trim().split([' ', '=']).next(), Some("-e" | "--editable" | "." | "file:")) || line.starts_with("./")
            })
        };
        let everything = match self {
            Self::PipProject => true,
            Self::Pip => project.requirements.as_deref().is_some_and(local),
            Self::Uv { .. } => project.table(&["tool", "uv", "workspace"]).is_some() || project.table(&["tool", "uv", "sources"]).is_some(),
            Self::Poetry { .. } => project
                .table(&["tool", "poetry", "dependencies"])
                .is_some_and(|table| table.values().any(|value| value.as_table().is_some_and(|table| table.contains_key("path")))),
            Self::PipFromProject | Self::Pipenv { .. } | Self::Pdm { .. } => false,
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
        files
            .iter()
            .filter(|file| file.contains('*') || source.is_file(file) || source.is_dir(file))
            .map(|file| (*file).to_owned())
            .collect()
    }
}
