//! Programs: files whose name says that they are started, and entry points that the manifest states.

use slipway_buildpack_sdk::{Command, Source, argv};

use crate::{
    app_object::module_of,
    code::{Code, is_aside},
    project::Project,
};

const AT_ROOT: [&str; 14] = [
    "main.py",
    "app.py",
    "start.py",
    "bot.py",
    "hello.py",
    "server.py",
    "run.py",
    "application.py",
    "index.py",
    "api.py",
    "web.py",
    "serve.py",
    "streamlit_app.py",
    "__main__.py",
];
const BELOW: [&str; 10] = [
    "src/main.py",
    "src/app.py",
    "src/bot.py",
    "src/server.py",
    "src/run.py",
    "src/index.py",
    "app/main.py",
    "app/app.py",
    "bot/main.py",
    "src/__main__.py",
];

/// For shells, where there is no program.
const SCRIPTS: [&str; 4] = ["start.sh", "run.sh", "entrypoint.sh", "boot.sh"];

/// What starts a program, and the file with its text where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub command: Command,
    pub file: Option<String>,
    pub why: &'static str,
}

pub fn find(source: &Source, project: &Project, code: &Code) -> Option<Program> {
    let of_file = |file: String, why| Program { command: argv(["python", &file]), file: Some(file), why };
    if let Some(file) = source.first_file(&AT_ROOT) {
        return Some(of_file(file.to_owned(), "a file whose name says that it is started"));
    }
    entry_point(source, project)
        .or_else(|| source.first_file(&BELOW).map(|file| of_file(file.to_owned(), "a file whose name says that it is started")))
        .or_else(|| package(source, project))
        .or_else(|| only_file(source, code).map(|file| of_file(file, "the only program at the root")))
        .or_else(|| {
            let script = source.first_file(&SCRIPTS)?;
            let why = "a script whose name says that it starts the application";
            Some(Program { command: argv(["bash", script]), file: Some(script.to_owned()), why })
        })
}

/// The file that a framework's own command is given.
pub fn file(source: &Source, code: &Code, module: &str) -> Option<String> {
    let importing = code.first_with(module).map(|index| code.files[index].path.clone());
    importing
        .or_else(|| source.first_file(&AT_ROOT).or_else(|| source.first_file(&BELOW)).map(str::to_owned))
        .or_else(|| only_file(source, code))
}

/// `[project.scripts]` and `[tool.poetry.scripts]`, of which the project's own name, or the only one, is what it is for. The
/// function is called without installing the project: its modules are on the path.
fn entry_point(source: &Source, project: &Project) -> Option<Program> {
    let scripts = project.table(&["project", "scripts"]).or_else(|| project.table(&["tool", "poetry", "scripts"]))?;
    let usual = ["start", "serve", "server", "web", "app", "main", "run"];
    let (_, target) = scripts
        .iter()
        .find(|(name, _)| Some(name.as_str()) == project.name())
        .or_else(|| usual.iter().find_map(|name| scripts.get_key_value(*name)))
        .or_else(|| scripts.iter().next().filter(|_| scripts.len() == 1))?;
    let (module, function) = target.as_str()?.split_once(':')?;
    let (module, function) = (module.trim(), function.split('[').next().unwrap_or_default().trim());
    let path = module.replace('.', "/");
    let is_sound = module_of(&path).is_some() && module_of(&function.replace('.', "/")).is_some();
    let exists = |path: &str| source.is_file(&format!("{path}.py")) || source.is_file(&format!("{path}/__init__.py"));
    let file = [path.clone(), format!("src/{path}")].into_iter().find(|path| exists(path)).filter(|_| is_sound)?;
    let root = function.split('.').next().unwrap_or_default();
    let call = format!("import sys; from {module} import {root}; sys.exit({function}())");
    Some(Program { command: argv(["python", "-c", &call]), file: Some(format!("{file}.py")), why: "the script that pyproject.toml states" })
}

/// `python -m name`, for the package that is named like the project or the only one that can be run.
fn package(source: &Source, project: &Project) -> Option<Program> {
    let named = project.name().into_iter().flat_map(|name| [name.to_owned(), name.replace(['-', '.'], "_")]);
    let runnable = |name: &String| ["", "src/"].iter().any(|dir| source.is_file(&format!("{dir}{name}/__main__.py")));
    let found = named.clone().find(runnable).or_else(|| {
        let dirs = ["."].into_iter().chain(source.is_dir("src").then_some("src"));
        let all: Vec<String> =
            dirs.flat_map(|dir| source.list(dir)).filter(|entry| entry.is_dir).map(|entry| entry.name).filter(runnable).collect();
        match &all[..] {
            [one] => Some(one.clone()),
            _ => None,
        }
    })?;
    let is_plain = found.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) && !found.starts_with('-');
    let file = ["", "src/"].iter().map(|dir| format!("{dir}{found}/__main__.py")).find(|path| source.is_file(path));
    is_plain.then(|| Program { command: argv(["python", "-m", &found]), file, why: "a package that can be run" })
}

/// The only program of the root, whatever its name; of several files, the only one that says it is a program.
fn only_file(source: &Source, code: &Code) -> Option<String> {
    let files: Vec<String> = source
        .list(".")
        .into_iter()
        .filter(|entry| !entry.is_dir && entry.name.ends_with(".py") && !is_aside(&entry.name))
        .map(|entry| entry.name)
        .collect();
    if let [file] = &files[..] {
        return Some(file.clone());
    }
    let programs: Vec<&String> = files
        .iter()
        .filter(|file| code.file(file).is_some_and(|file| file.text.lines().any(|line| line.starts_with("if __name__"))))
        .collect();
    match programs[..] {
        [file] => Some(file.clone()),
        _ => None,
    }
}
