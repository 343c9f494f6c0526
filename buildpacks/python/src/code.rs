//! The files that an application may be started from, with their text.

use std::collections::BTreeSet;

use slipway_buildpack_sdk::Source;

use crate::text::{imported, is_within};

/// The files in which people put the application object or the program, the likeliest first.
const FILES: [&str; 36] = [
    "app.py",
    "main.py",
    "wsgi.py",
    "asgi.py",
    "application.py",
    "server.py",
    "api.py",
    "run.py",
    "start.py",
    "index.py",
    "hello.py",
    "web.py",
    "bot.py",
    "streamlit_app.py",
    "Home.py",
    "manage.py",
    "__main__.py",
    "app/main.py",
    "app/__init__.py",
    "app/app.py",
    "app/server.py",
    "app/api.py",
    "api/main.py",
    "api/app.py",
    "api/index.py",
    "src/main.py",
    "src/app.py",
    "src/server.py",
    "src/api.py",
    "src/app/main.py",
    "src/api/main.py",
    "backend/main.py",
    "backend/app.py",
    "backend/app/main.py",
    "server/main.py",
    "server/app.py",
];
const IN_PACKAGES: [&str; 8] = ["main.py", "app.py", "__init__.py", "__main__.py", "wsgi.py", "asgi.py", "server.py", "api.py"];
/// Files of a root that are never started.
const NOT_PROGRAMS: [&str; 7] =
    ["setup.py", "conftest.py", "gunicorn.conf.py", "gunicorn_config.py", "noxfile.py", "tasks.py", "fabfile.py"];
const NOT_PACKAGES: [&str; 9] = ["tests", "test", "docs", "scripts", "migrations", "examples", "node_modules", "venv", "alembic"];

const MOST_FILES: usize = 150;
const MOST_BYTES: u64 = 128 << 10;
const MOST_BYTES_IN_ALL: usize = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeFile {
    pub path: String,
    pub text: String,
    /// Read once, since every framework asks for them.
    modules: BTreeSet<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Code {
    pub files: Vec<CodeFile>,
}

pub fn load(source: &Source) -> Code {
    let mut code = Code::default();
    let names = |dir: &str, dirs: bool| {
        let entries = source.list(dir).into_iter().filter(move |entry| entry.is_dir == dirs && !entry.name.starts_with('.'));
        entries.map(|entry| entry.name).collect::<Vec<_>>()
    };
    let root = names(".", false).into_iter().filter(|name| name.ends_with(".py") && !is_aside(name));
    let packages = names(".", true).into_iter().filter(|dir| dir != "src" && !NOT_PACKAGES.contains(&dir.as_str()));
    let of_src = names("src", true).into_iter().filter(|dir| !NOT_PACKAGES.contains(&dir.as_str())).map(|dir| format!("src/{dir}"));
    let inner = of_src.chain(packages).flat_map(|dir| IN_PACKAGES.map(|file| format!("{dir}/{file}")));
    for path in FILES.iter().map(|file| (*file).to_owned()).chain(root).chain(inner) {
        if code.files.len() >= MOST_FILES || code.files.iter().map(|file| file.text.len()).sum::<usize>() > MOST_BYTES_IN_ALL {
            break;
        }
        if code.file(&path).is_none()
            && source.is_file(&path)
            && let Some(text) = source.peek_start(&path, MOST_BYTES)
        {
            code.files.push(CodeFile::new(path, text));
        }
    }
    code
}

/// Whether a file of the root configures a tool rather than being a program.
pub fn is_aside(name: &str) -> bool {
    NOT_PROGRAMS.contains(&name) || name.starts_with("test_") || name.ends_with("_test.py") || name.starts_with("__")
}

impl Code {
    pub fn file(&self, path: &str) -> Option<&CodeFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The first file that imports the module.
    pub fn first_with(&self, module: &str) -> Option<usize> {
        self.files.iter().position(|file| file.imports(module))
    }
}

impl CodeFile {
    pub fn new(path: String, text: String) -> Self {
        let modules = text.lines().flat_map(imported).map(str::to_owned).collect();
        Self { path, text, modules }
    }

    pub fn imports(&self, module: &str) -> bool {
        self.modules.iter().any(|found| is_within(found, module))
    }

    /// The directory that the file has to be started in for its imports to be found: its own, where it imports what lies
    /// beside it as if that were the root.
    pub fn home<'a>(&'a self, source: &Source) -> Option<&'a str> {
        let (dir, _) = self.path.rsplit_once('/')?;
        // That one is on the path anyway.
        if dir == "src" {
            return None;
        }
        let package = dir.split('/').next().unwrap_or_default();
        // A package that imports itself, or what lies beside it as a part, is started from outside.
        let is_package = |module: &str| module.starts_with('.') || module.split('.').next() == Some(package);
        if self.modules.iter().any(|module| is_package(module)) {
            return None;
        }
        let exists = |path: &str| source.is_file(&format!("{path}.py")) || source.is_dir(path);
        let is_beside = |module: &str| {
            let top = module.split('.').next().unwrap_or_default();
            !top.is_empty() && exists(&format!("{dir}/{top}")) && !exists(top) && !exists(&format!("src/{top}"))
        };
        self.modules.iter().any(|module| is_beside(module)).then_some(dir)
    }
}
