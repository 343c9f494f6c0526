//! Which Python the application wants.

use slipway_buildpack_sdk::{Diagnostic, Refusal, Source, Tool, refuse, warning};
use slipway_constraint_python::Constraint;
use toml::Value;

use crate::{
    project::Project,
    text::{line_of, plain},
};

const DEFAULT: &str = "3.13";
/// The oldest line that is still maintained.
const OLDEST_MAINTAINED: &str = ">=3.10";

const MISE: [&str; 5] = ["mise.toml", ".mise.toml", ".config/mise.toml", ".config/mise/config.toml", "mise/config.toml"];

/// A version or range where somebody wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stated {
    text: String,
    /// Such as `Pipfile#requires.python_version`.
    origin: String,
    file: String,
    line: Option<u32>,
}

/// The constraint, from the first place that states one: a choice before a range, which the choice has to be in.
pub fn constraint(source: &Source, project: &Project) -> Result<(Tool, Vec<Diagnostic>), Refusal> {
    let choices = choices(source, project);
    let ranges = ranges(source, project);
    let mut diagnostics = Vec::new();
    let Some(first) = choices.iter().chain(&ranges).next() else {
        return Ok((Tool { name: "python".into(), constraint: DEFAULT.into(), source: String::new(), is_default: true }, diagnostics));
    };
    let wanted = first.parse()?;
    if !wanted.is_satisfiable() {
        let message = format!("No version of Python satisfies `{}` in {}.", first.text, first.origin);
        return Err(first.refuse("PYTHON_VERSION_CONFLICT", message).fix("Correct the range, such as to `>=3.11,<3.14`."));
    }
    for range in ranges.iter().filter(|range| *range != first && range.file == "pyproject.toml") {
        if !wanted.meets(&range.parse()?) {
            let message = format!("`{}` in {} is outside of `{}`, which {} asks for.", first.text, first.origin, range.text, range.origin);
            return Err(first
                .refuse("PYTHON_VERSION_CONFLICT", message)
                .fix(format!("Change {} or {}, so that one version satisfies both.", first.origin, range.origin)));
        }
    }
    for other in choices.iter().skip(1) {
        let differs = Constraint::parse(&other.text).is_some_and(|other| !wanted.meets(&other));
        if differs && other.file == first.file {
            let message = format!("`{}` in {} contradicts `{}` in {}.", first.text, first.origin, other.text, other.origin);
            return Err(first.refuse("PYTHON_VERSION_CONFLICT", message).fix(format!("Delete one of the two from {}.", first.file)));
        }
        if differs {
            let message = format!("`{}` in {} is not used: {} says `{}`.", other.text, other.origin, first.origin, first.text);
            diagnostics.push(Diagnostic { line: other.line, ..warning("PYTHON_VERSION_TWICE", message, Some(&other.file)) });
        }
    }
    if Constraint::parse(OLDEST_MAINTAINED).is_some_and(|maintained| !wanted.meets(&maintained)) {
        let message =
            format!("Python `{}` no longer receives security fixes. Move to a maintained version, such as {DEFAULT}.", first.text);
        diagnostics.push(Diagnostic { line: first.line, ..warning("PYTHON_VERSION_EOL", message, Some(&first.file)) });
    }
    let tool = Tool { name: "python".into(), constraint: first.text.clone(), source: first.origin.clone(), is_default: false };
    Ok((tool, diagnostics))
}

/// The version of another tool in the files of version managers, such as of Poetry.
pub fn of_tool(source: &Source, tool: &str) -> Option<String> {
    let stated = tool_versions(source, tool).or_else(|| mise(source, tool))?;
    stated.text.starts_with(|c: char| c.is_ascii_digit()).then_some(stated.text).filter(|text| Constraint::parse(text).is_some())
}

/// Where one version or line is chosen, the strongest first.
fn choices(source: &Source, project: &Project) -> Vec<Stated> {
    let pipfile = |key: &str| {
        let text = project.pipfile.as_ref()?.get("requires")?.as_table()?.get(key)?.as_str()?.to_owned();
        let line = line_of(&source.peek("Pipfile")?, key);
        Some(Stated { text, origin: format!("Pipfile#requires.{key}"), file: "Pipfile".into(), line })
    };
    let found = [
        first_line(source, ".python-version"),
        first_line(source, "runtime.txt").filter(|stated| !stated.text.starts_with("r-")),
        tool_versions(source, "python"),
        mise(source, "python"),
        pipfile("python_full_version"),
        pipfile("python_version"),
    ];
    // What names no version leaves the choice to the other places.
    let is_choice = |stated: &Stated| !matches!(stated.text.as_str(), "system" | "latest" | "*") && !stated.text.starts_with("ref:");
    found.into_iter().flatten().filter(is_choice).collect()
}

/// Where a range is stated that the application works with.
fn ranges(source: &Source, project: &Project) -> Vec<Stated> {
    let pyproject = |path: &[&str], key: &str| {
        let text = project.text(path)?.trim().to_owned();
        let whole = source.peek("pyproject.toml")?;
        let after = if path.len() > 2 { line_of(&whole, "[tool.poetry.dependencies]").unwrap_or(0) as usize } else { 0 };
        let line = whole.lines().skip(after).position(|line| line.trim_start().starts_with(key)).map(|index| (index + after) as u32 + 1);
        Some(Stated { text, origin: format!("pyproject.toml#{}", path.join(".")), file: "pyproject.toml".into(), line })
    };
    let setup = |file: &str| {
        let text = source.peek(file)?;
        let (index, line) = text.lines().enumerate().find(|(_, line)| line.trim_start().starts_with("python_requires"))?;
        let value = line.split_once('=')?.1.trim().trim_end_matches(',').trim_matches(['"', '\'']).trim().to_owned();
        let stated = Stated { text: value, origin: format!("{file}#python_requires"), file: file.into(), line: Some(index as u32 + 1) };
        // In a program it may be anything.
        Constraint::parse(&stated.text).is_some().then_some(stated)
    };
    [
        pyproject(&["project", "requires-python"], "requires-python"),
        pyproject(&["tool", "poetry", "dependencies", "python"], "python"),
        setup("setup.cfg"),
        setup("setup.py"),
    ]
    .into_iter()
    .flatten()
    .filter(|stated| !stated.text.is_empty())
    .collect()
}

impl Stated {
    /// Of a file that holds nothing but a version.
    fn new(text: &str, file: &str, line: usize) -> Self {
        let text = text.trim().trim_matches(['"', '\'']);
        let text = text
            .strip_prefix("python-")
            .or_else(|| text.strip_prefix("cpython-"))
            .or_else(|| text.strip_prefix("cpython@"))
            .unwrap_or(text);
        let text = text.strip_prefix('v').unwrap_or(text).trim_end_matches("-dev").to_owned();
        Self { text, origin: file.to_owned(), file: file.to_owned(), line: Some(line as u32 + 1) }
    }

    fn parse(&self) -> Result<Constraint, Refusal> {
        Constraint::parse(&self.text).ok_or_else(|| {
            self.refuse("PYTHON_VERSION_INVALID", format!("`{}` in {} is not a version or range of Python.", self.text, self.origin))
                .fix("Write a version such as `3.13` or a range such as `>=3.11,<3.14`.")
        })
    }

    fn refuse(&self, code: &str, message: String) -> Refusal {
        Refusal { line: self.line, ..refuse(code, message).at(&self.file) }
    }
}

fn first_line(source: &Source, file: &str) -> Option<Stated> {
    let text = plain(source.peek(file)?);
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).enumerate();
    lines.into_iter().find(|(_, line)| !line.is_empty()).map(|(index, line)| Stated::new(line, file, index))
}

fn tool_versions(source: &Source, tool: &str) -> Option<Stated> {
    let file = ".tool-versions";
    plain(source.peek(file)?).lines().enumerate().find_map(|(index, line)| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        (words.next() == Some(tool)).then(|| words.next().map(|word| Stated::new(word, file, index)))?
    })
}

fn mise(source: &Source, tool: &str) -> Option<Stated> {
    let file = source.first_file(&MISE)?;
    let text = plain(source.peek(file)?);
    let table: toml::Table = text.parse().ok()?;
    let value = table.get("tools")?.as_table()?.get(tool)?;
    let value = value.as_array().map_or(Some(value), |list| list.first())?;
    let version = match value {
        Value::Table(table) => table.get("version")?.as_str()?,
        value => value.as_str()?,
    };
    let line = text.lines().position(|line| line.trim_start().trim_start_matches('"').starts_with(tool)).unwrap_or(0);
    Some(Stated::new(version, file, line))
}
