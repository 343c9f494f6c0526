//! Lockfiles: which there are, and whether one was written for the manifest beside it.

use std::{collections::BTreeMap, str::FromStr};

use pep440_rs::{Version, VersionSpecifiers};
use serde_json::Value;
use slipway_buildpack_sdk::{Refusal, Source, parse_json, refuse};
use slipway_constraint_python::Constraint;

use crate::{
    project::{self, Project},
    requirements::{self, Requirement, normalize},
    text::{line_of, plain},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lockfile {
    pub file: &'static str,
    /// The file without which the tool does not work.
    pub manifest: &'static str,
    pub tool: &'static str,
    /// What writes it anew.
    pub update: &'static str,
}

pub const LOCKFILES: [Lockfile; 4] = [
    Lockfile { file: "uv.lock", manifest: "pyproject.toml", tool: "uv", update: "uv lock" },
    Lockfile { file: "poetry.lock", manifest: "pyproject.toml", tool: "poetry", update: "poetry lock" },
    Lockfile { file: "pdm.lock", manifest: "pyproject.toml", tool: "pdm", update: "pdm lock" },
    Lockfile { file: "Pipfile.lock", manifest: "Pipfile", tool: "pipenv", update: "pipenv lock" },
];

/// Names and versions, normalized.
type Locked = BTreeMap<String, Vec<String>>;

impl Lockfile {
    /// Refuses a lockfile that cannot be read, or that lacks what the manifest asks for. What only a tool can judge, such as
    /// requirements for other platforms, is left to it.
    pub fn check(&self, source: &Source, project: &Project) -> Result<(), Refusal> {
        // A lockfile that is too large to read is of a size that no hand wrote.
        let Some(text) = source.peek(self.file).map(plain) else { return Ok(()) };
        if let Some(line) = text.lines().position(|line| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ")) {
            return Err(refuse(
                "PYTHON_LOCKFILE_INVALID",
                format!("`{}` holds what is left from a merge that was not finished.", self.file),
            )
            .at(self.file)
            .line(line as u32 + 1)
            .fix(format!("Finish the merge, run `{}`, and commit the file.", self.update)));
        }
        let locked = if self.tool == "pipenv" { pipfile_lock(self.file, &text)? } else { packages(&text) };
        if locked.is_empty() || project.table(&["tool", "uv"]).is_some_and(|uv| uv.contains_key("override-dependencies")) {
            return Ok(());
        }
        for wanted in self.wanted(project).iter().filter(|wanted| !wanted.is_conditional && wanted.name != "python") {
            let problem = match locked.get(&wanted.name) {
                None => format!("does not have `{}`", wanted.name),
                Some(versions) if !versions.iter().any(|version| self.allows(&wanted.specifiers, version)) => {
                    format!("has `{}` {}, which is not `{}`", wanted.name, versions.join(", "), wanted.specifiers)
                }
                Some(_) => continue,
            };
            let manifest = source.peek(self.manifest).unwrap_or_default();
            let line = manifest.lines().position(|line| {
                let name = line.trim_start().trim_start_matches(['"', '\'']);
                requirements::parse(name).is_some_and(|found| found.name == wanted.name)
            });
            let refusal = refuse(
                "PYTHON_LOCKFILE_OUTDATED",
                format!("`{}` {problem}, which `{}` asks for: it was not written for this manifest.", self.file, self.manifest),
            )
            .at(self.manifest)
            .fix(format!("Run `{}` and commit `{}`.", self.update, self.file));
            return Err(Refusal { line: line.map(|index| index as u32 + 1).or_else(|| line_of(&manifest, &wanted.name)), ..refusal });
        }
        Ok(())
    }

    fn wanted(&self, project: &Project) -> Vec<Requirement> {
        let of_project = || project.project_dependencies().into_iter().filter_map(|line| requirements::parse(&line)).collect::<Vec<_>>();
        let table = match self.tool {
            "pipenv" => project.pipfile_packages(),
            "poetry" => project.poetry_dependencies(),
            _ => None,
        };
        let mut wanted = if self.tool == "pipenv" { Vec::new() } else { of_project() };
        let own = project.name().map(normalize);
        wanted.extend(table.into_iter().flatten().map(|(name, value)| project::from_table(name, value)));
        // Poetry's table adds conditions to what `project.dependencies` names.
        let conditional: Vec<_> = wanted.iter().filter(|one| one.is_conditional).map(|one| one.name.clone()).collect();
        wanted.retain(|one| !conditional.contains(&one.name) && Some(&one.name) != own.as_ref());
        wanted
    }

    /// Whether the locked version is one that the manifest allows; what is not understood here is allowed.
    fn allows(&self, specifiers: &str, version: &str) -> bool {
        let Ok(version) = Version::from_str(version) else { return true };
        let plain = specifiers.trim_start_matches('(').trim_end_matches(')').trim();
        // How builds of a release and versions before one compare is for the tool to say.
        if plain.is_empty() || version.any_prerelease() || version.is_local() {
            return true;
        }
        if self.tool == "poetry" || self.tool == "pipenv" {
            return Constraint::parse(plain).is_none_or(|wanted| wanted.allows(&version));
        }
        VersionSpecifiers::from_str(plain).is_ok_and(|wanted| wanted.contains(&version)) || VersionSpecifiers::from_str(plain).is_err()
    }
}

/// The `[[package]]` entries of the lockfiles of uv, Poetry and PDM. They may be large, so they are read by line.
fn packages(text: &str) -> Locked {
    let mut locked = Locked::new();
    let mut name = None;
    for line in text.lines() {
        let value = |key: &str| Some(line.strip_prefix(key)?.trim_start().strip_prefix('=')?.trim().trim_matches('"'));
        if line.starts_with('[') {
            name = None;
        } else if let Some(found) = value("name") {
            name = Some(normalize(found));
            locked.entry(normalize(found)).or_default();
        } else if let (Some(name), Some(version)) = (&name, value("version")) {
            locked.entry(name.clone()).or_default().push(version.to_owned());
        }
    }
    // Without a version it is a directory or an address, which fits any.
    for versions in locked.values_mut().filter(|versions| versions.is_empty()) {
        versions.push("any".into());
    }
    locked
}

fn pipfile_lock(file: &str, text: &str) -> Result<Locked, Refusal> {
    let lock: Value = parse_json("PYTHON_LOCKFILE_INVALID", file, text)?;
    let packages = lock.get("default").and_then(Value::as_object);
    let version = |value: &Value| value.get("version").and_then(Value::as_str).unwrap_or("any").trim_start_matches('=').to_owned();
    Ok(packages.into_iter().flatten().map(|(name, value)| (normalize(name), vec![version(value)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_read_by_line() {
        let locked = packages(
            "version = 1\n[[package]]\nname = \"Flask\"\nversion = \"3.1.0\"\n[package.dependencies]\nname = \">1\"\n[[package]]\nname=\"own\"\n",
        );
        assert_eq!(locked["flask"], ["3.1.0"]);
        assert_eq!(locked["own"], ["any"]);
    }

    #[test]
    fn each_tool_s_own_forms_of_a_constraint_are_known() {
        let [uv, poetry, _, pipenv] = LOCKFILES;
        assert!(uv.allows("~=3.0", "3.1") && !uv.allows(">=3.1", "3.0.9") && uv.allows("not one", "1"));
        assert!(poetry.allows("^2.3", "2.9") && !poetry.allows("^2.3", "3.0") && poetry.allows("1.2", "1.2"));
        assert!(pipenv.allows("*", "9") && !pipenv.allows("==1.0", "2.0") && pipenv.allows(">=1", "any"));
    }
}
