//! What is worth knowing of Go files: the package, and what they import. Read as text, which is enough for both.

use slipway_buildpack_sdk::Source;

/// Files of one directory that are looked at.
const MOST_FILES: usize = 200;

/// What the Go files of one directory say together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    /// The first file that is of `package main` and has a function of that name.
    pub main: Option<String>,
    pub imports: Vec<String>,
}

/// The package in a directory: `.` or a path.
pub fn package(source: &Source, directory: &str) -> Package {
    let mut package = Package::default();
    let is_code = |name: &str| name.ends_with(".go") && !name.ends_with("_test.go") && !name.starts_with(['_', '.']);
    let files = source.list(directory).into_iter().filter(|entry| !entry.is_dir && is_code(&entry.name)).take(MOST_FILES);
    for entry in files {
        let path = if directory == "." { entry.name } else { format!("{directory}/{}", entry.name) };
        let Some(text) = source.peek(&path) else { continue };
        let text = without_comments(&text);
        if package.main.is_none() && is_main(&text) {
            package.main = Some(path);
        }
        package.imports.extend(imports(&text));
    }
    package
}

fn is_main(text: &str) -> bool {
    // Of a file that is only a build's tool, such as `//go:build ignore`, the constraint is a comment and gone.
    text.lines().any(|line| line.trim() == "package main") && text.lines().any(|line| line.trim_start().starts_with("func main()"))
}

/// Files that are not part of the package become empty.
fn without_comments(text: &str) -> String {
    if text.lines().take_while(|line| !line.starts_with("package ")).any(|line| line.trim() == "//go:build ignore") {
        return String::new();
    }
    let mut left = String::with_capacity(text.len());
    let mut in_comment = false;
    for line in text.lines() {
        let mut rest = line;
        while !rest.is_empty() {
            if in_comment {
                let Some((_, after)) = rest.split_once("*/") else { break };
                (rest, in_comment) = (after, false);
            } else if let Some((before, after)) = rest.split_once("/*").filter(|(before, _)| !before.contains(['"', '`'])) {
                left.push_str(before);
                (rest, in_comment) = (after, true);
            } else {
                left.push_str(if rest.trim_start().starts_with("//") { "" } else { rest });
                break;
            }
        }
        left.push('\n');
    }
    left
}

fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_block = false;
    for line in text.lines().map(str::trim) {
        let single = line.strip_prefix("import ").map(str::trim);
        match (in_block, single) {
            (true, _) if line.starts_with(')') => in_block = false,
            (true, _) => found.extend(quoted(line)),
            (false, Some("(")) => in_block = true,
            (false, Some(line)) => found.extend(quoted(line)),
            // Imports stand before everything else.
            (false, None) if line.starts_with("func ") => break,
            (false, None) => {}
        }
    }
    found
}

/// The path in `alias "path"`.
fn quoted(line: &str) -> Option<String> {
    let (_, rest) = line.split_once('"')?;
    rest.split_once('"').map(|(path, _)| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_read_in_both_forms() {
        let text = "package main\n\nimport \"fmt\"\nimport (\n\tweb \"net/http\"\n\n\t_ \"embed\" // files\n)\nfunc main() { println(\"import\") }\n";
        assert_eq!(imports(&without_comments(text)), ["fmt", "net/http", "embed"]);
        assert!(is_main(text));
    }

    #[test]
    fn comments_and_ignored_files_say_nothing() {
        assert!(!is_main(&without_comments("//go:build ignore\n\npackage main\nfunc main() {}\n")));
        assert!(!is_main(&without_comments("package tools\n/*\npackage main\nfunc main() {}\n*/\n")));
        assert_eq!(imports(&without_comments("package a\n// import \"C\"\nimport \"os\"\n")), ["os"]);
    }
}
