//! `.dockerignore`, as Docker reads it: patterns from the context's root, `**` across parts, `!` to take back, and the last
//! match counts.

use globset::{GlobBuilder, GlobMatcher};

#[derive(Debug, Clone, Default)]
pub struct DockerIgnore {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    matcher: GlobMatcher,
    excludes: bool,
}

impl DockerIgnore {
    /// Patterns that are not well-formed are passed over.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self { rules: text.trim_start_matches('\u{feff}').lines().filter_map(rule).collect() }
    }

    /// Whether the path, relative to the context, is left out.
    #[must_use]
    pub fn excludes(&self, path: &str) -> bool {
        let mut excluded = false;
        for rule in &self.rules {
            let hit = rule.matcher.is_match(path) || path.match_indices('/').any(|(end, _)| rule.matcher.is_match(&path[..end]));
            if hit {
                excluded = rule.excludes;
            }
        }
        excluded
    }
}

fn rule(line: &str) -> Option<Rule> {
    // A comment only counts at the very beginning of the line.
    if line.starts_with('#') {
        return None;
    }
    let line = line.trim();
    let (excludes, pattern) = match line.strip_prefix('!') {
        Some(pattern) => (false, pattern.trim()),
        None => (true, line),
    };
    let pattern = clean(pattern)?;
    // Docker knows no alternatives in braces.
    let pattern = pattern.replace('{', "[{]").replace('}', "[}]");
    let matcher = GlobBuilder::new(&pattern).literal_separator(true).backslash_escape(true).build().ok()?.compile_matcher();
    Some(Rule { matcher, excludes })
}

/// Without `.`, `..`, doubled and outer slashes; `None` when nothing is left.
fn clean(pattern: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `paths`, those that stay.
    fn kept<'a>(ignore: &str, paths: &[&'a str]) -> Vec<&'a str> {
        let ignore = DockerIgnore::parse(ignore);
        paths.iter().copied().filter(|path| !ignore.excludes(path)).collect()
    }

    #[test]
    fn patterns_begin_at_the_root_and_take_directories_with_them() {
        assert_eq!(kept("node_modules\n/dist/\n", &["node_modules/a/b", "dist/x", "src/dist/x", "app.js"]), ["src/dist/x", "app.js"]);
    }

    #[test]
    fn two_stars_go_across_directories_and_one_does_not() {
        assert_eq!(kept("*.log\n", &["a.log", "b/a.log"]), ["b/a.log"]);
        assert_eq!(kept("**/*.log\n", &["a.log", "b/c/a.log", "a.txt"]), ["a.txt"]);
        assert_eq!(kept("docs/**\n", &["docs/a/b", "docs.md"]), ["docs.md"]);
    }

    #[test]
    fn the_last_match_counts() {
        assert_eq!(kept("*\n!src\n!package.json\nsrc/secret\n", &["a", "src/a", "src/secret", "package.json"]), ["src/a", "package.json"]);
        assert_eq!(kept("*.md\n!README.md\n", &["a.md", "README.md"]), ["README.md"]);
    }

    #[test]
    fn comments_blank_lines_and_braces_are_what_docker_takes_them_for() {
        assert_eq!(kept("# a\n\n   \n{a,b}\n", &["# a", "a", "b", "{a,b}"]), ["# a", "a", "b"]);
    }
}
