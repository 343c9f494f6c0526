//! Which Python the application wants.

use slipway_buildpack_sdk::{Refusal, Source, Tool, refuse};

use crate::project::Project;

const DEFAULT: &str = "3.13";

/// The constraint, from the first place that states one: an exact choice before a range.
pub fn constraint(source: &Source, project: &Project) -> Result<Tool, Refusal> {
    let pipfile =
        |key: &str| project.pipfile.as_ref().and_then(|file| file.get("requires")?.as_table()?.get(key)?.as_str()).map(str::to_owned);
    let stated = [
        (first_line(source, ".python-version"), ".python-version", ".python-version"),
        (first_line(source, "runtime.txt"), "runtime.txt", "runtime.txt"),
        (tool_versions(source), ".tool-versions", ".tool-versions"),
        (mise(source), "mise.toml", "mise.toml"),
        (pipfile("python_full_version"), "Pipfile#requires.python_full_version", "Pipfile"),
        (pipfile("python_version"), "Pipfile#requires.python_version", "Pipfile"),
        (project.text(&["project", "requires-python"]).map(str::to_owned), "pyproject.toml#project.requires-python", "pyproject.toml"),
        (
            project.text(&["tool", "poetry", "dependencies", "python"]).map(str::to_owned),
            "pyproject.toml#tool.poetry.dependencies.python",
            "pyproject.toml",
        ),
    ];
    for (text, origin, file) in stated {
        let Some(text) = text else { continue };
        let constraint = text.trim().trim_start_matches("python-").trim_start_matches("cpython-").trim().to_owned();
        if !is_constraint(&constraint) {
            return Err(refuse("PYTHON_VERSION_INVALID", format!("`{text}` in {origin} is not a version or range of Python."))
                .at(file)
                .fix("Write a version such as `3.13` or a range such as `>=3.11,<3.14`."));
        }
        return Ok(Tool { name: "python".into(), constraint, source: origin.into(), is_default: false });
    }
    Ok(Tool { name: "python".into(), constraint: DEFAULT.into(), source: String::new(), is_default: true })
}

fn first_line(source: &Source, file: &str) -> Option<String> {
    let text = source.peek(file)?;
    text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).find(|line| !line.is_empty()).map(str::to_owned)
}

fn tool_versions(source: &Source) -> Option<String> {
    source.peek(".tool-versions")?.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("python")).then(|| words.next().map(str::to_owned))?
    })
}

fn mise(source: &Source) -> Option<String> {
    let text = source.peek("mise.toml").or_else(|| source.peek(".mise.toml"))?;
    let table: toml::Table = text.parse().ok()?;
    match table.get("tools")?.as_table()?.get("python")? {
        toml::Value::String(version) => Some(version.clone()),
        toml::Value::Table(table) => Some(table.get("version")?.as_str()?.to_owned()),
        _ => None,
    }
}

/// The form of PEP 440 and Poetry's constraints; what they mean is for whoever resolves them.
fn is_constraint(text: &str) -> bool {
    !text.is_empty()
        && text.split("||").flat_map(|part| part.split(',')).all(|part| {
            let number = part.trim().trim_start_matches(['>', '<', '=', '~', '^', '!']).trim();
            number == "*"
                || (number.starts_with(|c: char| c.is_ascii_digit())
                    && number.bytes().all(|b| b.is_ascii_alphanumeric() || b".*".contains(&b)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_of_every_tool_are_known_from_other_words() {
        for good in ["3.13", "3.12.4", ">=3.11,<3.14", "^3.11", "~3.11", "~=3.11", "3.*", "*", "==3.11.*", ">=3.8, !=3.9.1", "3.14.0rc1"] {
            assert!(is_constraint(good), "{good}");
        }
        for bad in ["", "pypy3.9-7.3", "three", "python", ">="] {
            assert!(!is_constraint(bad), "{bad}");
        }
    }
}
