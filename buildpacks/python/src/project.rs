//! What the manifests say: `requirements.txt`, `pyproject.toml`, `Pipfile`.

use std::collections::BTreeSet;

use slipway_buildpack_sdk::{Refusal, Source, parse_toml};
use toml::{Table, Value};

#[derive(Debug, Clone, Default)]
pub struct Project {
    pub pyproject: Option<Table>,
    pub pipfile: Option<Table>,
    pub requirements: Option<String>,
    /// Names of all direct dependencies, normalized: lower case, `-` for `_` and `.`.
    pub dependencies: BTreeSet<String>,
}

pub fn load(source: &Source) -> Result<Project, Refusal> {
    let table = |code: &str, file: &str| source.read(file)?.map(|text| parse_toml::<Table>(code, file, &text)).transpose();
    let mut project = Project {
        pyproject: table("PYTHON_PYPROJECT_INVALID", "pyproject.toml")?,
        pipfile: table("PYTHON_PIPFILE_INVALID", "Pipfile")?,
        requirements: source.read("requirements.txt")?,
        dependencies: BTreeSet::new(),
    };
    let mut names: Vec<String> = Vec::new();
    for text in project.requirements.iter().cloned().chain(nested_requirements(source)) {
        names.extend(text.lines().filter_map(requirement_name));
    }
    names.extend(project.project_dependencies().iter().filter_map(|line| requirement_name(line)));
    for table in
        [project.table(&["tool", "poetry", "dependencies"]), project.pipfile.as_ref().and_then(|file| file.get("packages")?.as_table())]
    {
        names.extend(table.into_iter().flat_map(|table| table.keys().map(|name| normalize(name))));
    }
    if let Some(setup) = source.peek("setup.py") {
        // Enough to see a framework in `install_requires`; nothing is run.
        names.extend(setup.split(['"', '\'']).skip(1).step_by(2).filter_map(requirement_name));
    }
    project.dependencies.extend(names);
    Ok(project)
}

/// The files that hosting platforms' conventions split requirements into.
fn nested_requirements(source: &Source) -> Vec<String> {
    ["requirements/production.txt", "requirements/prod.txt", "requirements/base.txt"].iter().filter_map(|file| source.peek(file)).collect()
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

    /// `project.dependencies`, as requirement lines.
    pub fn project_dependencies(&self) -> Vec<String> {
        let list = self.table(&["project"]).and_then(|project| project.get("dependencies")).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }
}

/// The name in a line such as `Flask[async]>=2 ; python_version > "3"  # why`.
fn requirement_name(line: &str) -> Option<String> {
    let line = line.trim();
    if !line.starts_with(|c: char| c.is_ascii_alphanumeric()) || line.contains("://") && !line.contains('@') {
        return None;
    }
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))).unwrap_or(line.len());
    Some(normalize(&line[..end]))
}

fn normalize(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_requirement_lines() {
        let names: Vec<_> = [
            "Flask==3",
            "uvicorn[standard]>=0.1 ; python_version>'3'",
            "psycopg2_binary",
            "# no",
            "-r x",
            "git+https://x/y",
            "a @ https://x",
        ]
        .iter()
        .filter_map(|line| requirement_name(line))
        .collect();
        assert_eq!(names, ["flask", "uvicorn", "psycopg2-binary", "a"]);
    }
}
