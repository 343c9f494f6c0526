//! The programs of a module: at its root, or one in each directory of `cmd/`.

use slipway_buildpack_sdk::Source;

use crate::{
    code::{self, Package},
    module::Module,
};

/// Directories of `cmd/` that are looked at.
const MOST_COMMANDS: usize = 50;
/// What a program that serves is called where there are several, the likeliest first.
const USUAL: [&str; 6] = ["web", "server", "api", "app", "main", "http"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What its binary is called.
    pub name: String,
    /// For `go build`: `.` or `./cmd/web`.
    pub package: String,
    /// The file with its `main`.
    pub file: String,
    pub imports: Vec<String>,
}

/// All programs, and which of them to start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commands {
    pub all: Vec<Command>,
    chosen: Option<usize>,
}

impl Commands {
    /// `None`: there is none, or several and nothing says which.
    pub fn chosen(&self) -> Option<&Command> {
        self.chosen.map(|index| &self.all[index])
    }

    /// Whether any of the files of its own directory serves visitors.
    pub fn chosen_listens(&self, framework: bool) -> bool {
        framework || self.chosen().is_some_and(|command| command.imports.iter().any(|path| matches!(path.as_str(), "net/http" | "net")))
    }
}

pub fn find(source: &Source, module: &Module) -> Commands {
    // `v2` at the end of a path is a version.
    let is_version = |part: &str| part.strip_prefix('v').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()));
    let module_name = module.path.rsplit('/').find(|part| !is_version(part)).unwrap_or_default();
    if let Some(command) = of_package(code::package(source, "."), plain(module_name), ".") {
        return Commands { all: vec![command], chosen: Some(0) };
    }
    let directories = source.list("cmd").into_iter().filter(|entry| entry.is_dir).take(MOST_COMMANDS);
    let mut all: Vec<Command> = directories
        .filter_map(|entry| {
            let directory = format!("cmd/{}", entry.name);
            of_package(code::package(source, &directory), plain(&entry.name), &format!("./{directory}"))
        })
        .collect();
    // `cmd/main.go` beside nothing.
    if all.is_empty() {
        all.extend(of_package(code::package(source, "cmd"), plain(module_name), "./cmd"));
    }
    let named = |name: &str| all.iter().position(|command| command.name == name);
    let chosen = match all.len() {
        1 => Some(0),
        _ => USUAL.into_iter().find_map(named).or_else(|| named(module_name)),
    };
    Commands { all, chosen }
}

fn of_package(package: Package, name: String, path: &str) -> Option<Command> {
    let Package { main, imports } = package;
    Some(Command { name, package: path.to_owned(), file: main?, imports })
}

/// A name that needs no quoting anywhere.
fn plain(name: &str) -> String {
    let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).collect();
    let plain = plain.trim_start_matches(['-', '.']).to_owned();
    if plain.is_empty() { "app".into() } else { plain }
}
