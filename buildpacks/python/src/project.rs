//! What the manifests say: requirements files, `pyproject.toml`, `Pipfile`, `setup.py` and `setup.cfg`.

use std::collections::BTreeSet;

use slipway_buildpack_sdk::{Refusal, Source, parse_toml};
use toml::{Table, Value};

use crate::{
    requirements::{self, Requirement, RequirementsFile, normalize},
    text::plain,
};

#[derive(Debug, Clone, Default)]
pub struct Project {
    pub pyproject: Option<Table>,
    pub pipfile: Option<Table>,
    /// The file that pip installs from, then all that it includes.
    pub requirements: Vec<RequirementsFile>,
    /// Names of all direct dependencies, normalized, and `name[extra]` for their extras.
    pub dependencies: BTreeSet<String>,
}

pub fn load(source: &Source) -> Result<Project, Refusal> {
    let table = |code: &str, file: &str| source.read(file)?.map(|text| parse_toml::<Table>(code, file, &plain(text))).transpose();
    let mut project = Project {
        pyproject: table("PYTHON_PYPROJECT_INVALID", "pyproject.toml")?,
        pipfile: table("PYTHON_PIPFILE_INVALID", "Pipfile")?,
        requirements: requirements::load(source)?,
        dependencies: BTreeSet::new(),
    };
    let mut found: Vec<Requirement> = project.requirements.iter().flat_map(RequirementsFile::requirements).collect();
    found.extend(project.project_dependencies().iter().filter_map(|line| requirements::parse(line)));
    for table in [project.poetry_dependencies(), project.pipfile_packages()].into_iter().flatten() {
        found.extend(table.iter().map(|(name, value)| from_table(name, value)));
    }
    if let Some(setup) = source.peek("setup.py") {
        // Enough to see a framework in `install_requires`; nothing is run.
        found.extend(setup.split(['"', '\'']).skip(1).step_by(2).filter_map(requirements::parse));
    }
    if let Some(setup) = source.peek("setup.cfg") {
        let lines = setup.lines().skip_while(|line| !line.trim_start().starts_with("install_requires"));
        found.extend(
            lines.map(|line| line.trim_start_matches("install_requires").trim_start_matches([' ', '='])).filter_map(requirements::parse),
        );
    }
    for Requirement { name, extras, .. } in found {
        project.dependencies.extend(extras.iter().map(|extra| format!("{name}[{extra}]")));
        project.dependencies.insert(name);
    }
    Ok(project)
}

/// An entry of a Pipfile or of Poetry's table.
pub fn from_table(name: &str, value: &Value) -> Requirement {
    let table = value.as_table();
    let extras = table.and_then(|table| table.get("extras")?.as_array());
    let conditions = ["markers", "python", "platform", "optional", "git", "path", "url", "file", "ref", "platform_system", "sys_platform"];
    Requirement {
        name: normalize(name),
        extras: extras.into_iter().flatten().filter_map(Value::as_str).map(str::to_ascii_lowercase).collect(),
        specifiers: value.as_str().or_else(|| table?.get("version")?.as_str()).unwrap_or_default().to_owned(),
        is_conditional: value.is_array() || table.is_some_and(|table| conditions.iter().any(|key| table.contains_key(*key))),
    }
}

impl Project {
    pub fn uses(&self, package: &str) -> bool {
        self.dependencies.contains(package)
    }

    /// A table of pyproject.toml.
    pub fn table(&self, path: &[&str]) -> Option<&Table> {
        path.iter().try_fold(self.pyproject.as_ref()?, |table, key| table.get(*key)?.as_table())
    }

    /// A string of pyproject.toml.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        let (last, tables) = path.split_last()?;
        self.table(tables)?.get(*last)?.as_str()
    }

    /// The project's own name, as it states it.
    pub fn name(&self) -> Option<&str> {
        self.text(&["project", "name"]).or_else(|| self.text(&["tool", "poetry", "name"]))
    }

    /// `project.dependencies`, as requirement lines.
    pub fn project_dependencies(&self) -> Vec<String> {
        let list = self.table(&["project"]).and_then(|project| project.get("dependencies")).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Whether the dependencies are known only to what builds the project.
    pub fn has_dynamic_dependencies(&self) -> bool {
        let list = self.table(&["project"]).and_then(|project| project.get("dynamic")).and_then(Value::as_array);
        list.into_iter().flatten().any(|name| name.as_str() == Some("dependencies"))
    }

    pub fn poetry_dependencies(&self) -> Option<&Table> {
        self.table(&["tool", "poetry", "dependencies"])
    }

    pub fn pipfile_packages(&self) -> Option<&Table> {
        self.pipfile.as_ref()?.get("packages")?.as_table()
    }
}
