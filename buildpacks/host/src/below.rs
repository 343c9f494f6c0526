//! Where an application is that the root does not hold: repositories often keep one in a directory of its own, or several side
//! by side. One alone is meant; of several nobody but their author knows which.

use std::path::Path;

use slipway_buildpack_wit::{Diagnostic, Level, Refusal};

/// Files of which each says that the directory holds an application.
const MANIFESTS: [&str; 9] =
    ["package.json", "requirements.txt", "pyproject.toml", "Pipfile", "setup.py", "manage.py", "composer.json", "Dockerfile", "index.php"];
/// The same of languages that no buildpack here knows: beside one of these nothing is chosen.
const UNKNOWN_MANIFESTS: [&str; 12] = [
    "Gemfile",
    "go.mod",
    "Cargo.toml",
    "mix.exs",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "project.clj",
    "build.sbt",
    "deno.json",
    "pubspec.yaml",
    "Package.swift",
];
/// Directories that hold no application to be deployed.
const NOT_ENTERED: [&str; 14] = [
    "node_modules",
    "vendor",
    "dist",
    "build",
    "target",
    "docs",
    "doc",
    "test",
    "tests",
    "examples",
    "fixtures",
    "scripts",
    "terraform",
    "venv",
];
/// Extensions of files that are about a repository and not of an application.
const ABOUT: [&str; 5] = ["md", "txt", "rst", "code-workspace", "png"];
/// Names of such files.
const ABOUT_NAMES: [&str; 12] = [
    "license",
    "licence",
    "copying",
    "notice",
    "authors",
    "codeowners",
    "readme",
    "makefile",
    "justfile",
    "vercel.json",
    "netlify.toml",
    "render.yaml",
];
/// Several services that are run together.
const COMPOSE: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
const MOST_DEPTH: usize = 3;
const MOST_DIRECTORIES: usize = 2_000;
const MOST_NAMED: usize = 8;

/// What lies below a root that holds no application itself.
#[derive(Debug, PartialEq, Eq)]
pub enum Below {
    /// Nothing that could be meant.
    Nothing,
    /// The one directory that holds an application, as a path from the root.
    One(String),
    Several(Refusal),
}

/// Looks below the root, where that holds nothing but what is about the repository.
pub fn look(tree: &Path) -> Below {
    let mut search = Search { tree, left: MOST_DIRECTORIES, found: Vec::new(), has_unknown: false };
    let Some(names) = search.entries("") else { return Below::Nothing };
    let files: Vec<&str> = names.iter().filter(|(_, is_dir)| !is_dir).map(|(name, _)| name.as_str()).collect();
    let has_compose = files.iter().any(|name| COMPOSE.contains(name));
    if !files.iter().all(|name| is_about(name) || COMPOSE.contains(name)) {
        return Below::Nothing;
    }
    search.directories("", &names, 1);
    let Search { found, has_unknown, .. } = search;
    match &found[..] {
        [] => Below::Nothing,
        [one] if !has_compose && !has_unknown => Below::One(one.clone()),
        [_] if has_unknown && !has_compose => Below::Nothing,
        several => Below::Several(refuse(several)),
    }
}

/// Says which directory was taken for the root.
pub fn diagnostic(dir: &str) -> Diagnostic {
    Diagnostic {
        level: Level::Info,
        code: "ROOT_CHOSEN".into(),
        message: format!("The root holds no application, and `{dir}` is the only directory that does, so that is what is built."),
        file: None,
        line: None,
    }
}

struct Search<'a> {
    tree: &'a Path,
    left: usize,
    found: Vec<String>,
    has_unknown: bool,
}

impl Search<'_> {
    /// Names and whether they are directories, sorted; links are neither followed nor listed.
    fn entries(&self, dir: &str) -> Option<Vec<(String, bool)>> {
        let mut entries: Vec<_> = std::fs::read_dir(self.tree.join(dir))
            .ok()?
            .take(MOST_DIRECTORIES)
            .filter_map(Result::ok)
            .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.file_type().ok()?)))
            .filter(|(_, kind)| kind.is_dir() || kind.is_file())
            .map(|(name, kind)| (name, kind.is_dir()))
            .collect();
        entries.sort();
        Some(entries)
    }

    fn directories(&mut self, dir: &str, entries: &[(String, bool)], depth: usize) {
        for (name, _) in entries.iter().filter(|(name, is_dir)| *is_dir && is_entered(name)) {
            if self.left == 0 {
                return;
            }
            self.left -= 1;
            let path = if dir.is_empty() { name.clone() } else { format!("{dir}/{name}") };
            let Some(inner) = self.entries(&path) else { continue };
            let holds = |files: &[&str]| inner.iter().any(|(name, is_dir)| !is_dir && files.contains(&name.as_str()));
            if holds(&MANIFESTS) {
                // What lies further down belongs to it.
                self.found.push(path);
            } else if holds(&UNKNOWN_MANIFESTS) {
                self.has_unknown = true;
            } else if depth < MOST_DEPTH {
                self.directories(&path, &inner, depth + 1);
            }
        }
    }
}

fn is_entered(name: &str) -> bool {
    !name.starts_with('.') && !NOT_ENTERED.contains(&name.to_ascii_lowercase().as_str())
}

fn is_about(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let extension = lower.rsplit_once('.').map_or("", |(_, extension)| extension);
    // What tools keep for themselves says nothing of an application.
    lower.starts_with('.')
        || ABOUT_NAMES.contains(&lower.as_str())
        || (ABOUT.contains(&extension) && !matches!(lower.as_str(), "requirements.txt" | "runtime.txt"))
}

fn refuse(dirs: &[String]) -> Refusal {
    let names: Vec<_> = dirs.iter().take(MOST_NAMED).map(|dir| format!("`{dir}`")).collect();
    Refusal {
        code: "ROOT_HOLDS_NO_APPLICATION".into(),
        message: format!("The root of the source holds no application, but directories below it do. Did you mean {}?", names.join(" or ")),
        file: None,
        line: None,
        fix: format!("Set the application's root directory to one of them, such as `{}`.", dirs[0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_at(files: &[&str]) -> Below {
        let tree = tempfile::tempdir().unwrap();
        for file in files {
            let path = tree.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        look(tree.path())
    }

    #[test]
    fn one_application_below_a_root_of_remarks_is_the_one_that_is_meant() {
        assert_eq!(look_at(&["README.md", ".gitignore", "site/package.json", "site/packages/a/package.json"]), Below::One("site".into()));
        assert_eq!(look_at(&["LICENSE", "services/api/requirements.txt", "docs/package.json"]), Below::One("services/api".into()));
    }

    #[test]
    fn of_several_all_are_named() {
        let Below::Several(refusal) = look_at(&["README.md", "client/package.json", "server/pyproject.toml"]) else { panic!() };
        assert_eq!(refusal.code, "ROOT_HOLDS_NO_APPLICATION");
        assert!(refusal.message.ends_with("Did you mean `client` or `server`?"), "{}", refusal.message);
        assert!(matches!(look_at(&["compose.yaml", "web/Dockerfile"]), Below::Several(_)), "a database may be beside it");
    }

    #[test]
    fn a_root_with_a_program_or_an_unknown_language_hides_what_is_below() {
        for files in [
            &["main.go", "web/package.json"][..],
            &["go.mod", "web/package.json"],
            &["README.md", "web/package.json", "api/go.mod"],
            &["README.md"],
            &[],
        ] {
            assert_eq!(look_at(files), Below::Nothing, "{files:?}");
        }
    }
}
