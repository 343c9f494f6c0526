//! The globs of workspaces: `*` within a part of a path, `**` across parts. They are followed from the root down, so that only
//! the directories that they lead through are looked at.

use std::collections::BTreeSet;

use slipway_buildpack_sdk::Source;

/// Directories in which packages are never kept, and which may be large.
const NOT_ENTERED: [&str; 4] = ["node_modules", ".git", "dist", "build"];
/// How deep `**` reaches.
const MOST_DEPTH: usize = 4;
/// Directories beyond these are not looked into.
const MOST_DIRECTORIES: usize = 5_000;

/// The directories that the globs name, sorted; those behind `!` take out again.
pub fn expand(source: &Source, globs: &[String]) -> Vec<String> {
    let parts = |glob: &str| {
        let mut parts: Vec<String> = glob.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect();
        // One reaches as far as several, of which the ways to match would be too many to try.
        parts.dedup_by(|a, b| a == "**" && b == "**");
        parts
    };
    let mut walk = Walk { source, left: MOST_DIRECTORIES, found: BTreeSet::new() };
    for glob in globs.iter().filter(|glob| !glob.starts_with('!')) {
        walk.follow("", &parts(glob), MOST_DEPTH);
    }
    let excluded: Vec<_> = globs.iter().filter_map(|glob| glob.strip_prefix('!')).map(parts).collect();
    walk.found.into_iter().filter(|dir| !excluded.iter().any(|glob| path_matches(glob, &dir.split('/').collect::<Vec<_>>()))).collect()
}

struct Walk<'a> {
    source: &'a Source,
    left: usize,
    found: BTreeSet<String>,
}

impl Walk<'_> {
    /// `depth`: how many more directories a `**` may enter.
    fn follow(&mut self, dir: &str, glob: &[String], depth: usize) {
        let Some((first, rest)) = glob.split_first() else {
            if !dir.is_empty() {
                self.found.insert(dir.to_owned());
            }
            return;
        };
        if self.left == 0 || first == ".." {
            return;
        }
        self.left -= 1;
        if first == "**" {
            self.follow(dir, rest, depth);
            if depth > 0 {
                for name in self.directories(dir) {
                    self.follow(&below(dir, &name), glob, depth - 1);
                }
            }
        } else if first.contains('*') {
            for name in self.directories(dir).into_iter().filter(|name| part_matches(first, name)) {
                self.follow(&below(dir, &name), rest, depth);
            }
        } else if self.source.is_dir(&below(dir, first)) {
            self.follow(&below(dir, first), rest, depth);
        }
    }

    fn directories(&self, dir: &str) -> Vec<String> {
        let entries = self.source.list(dir).into_iter();
        entries.filter(|entry| entry.is_dir && !NOT_ENTERED.contains(&entry.name.as_str())).map(|entry| entry.name).collect()
    }
}

fn below(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

fn path_matches(glob: &[String], path: &[&str]) -> bool {
    match (glob.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" => {
            path_matches(rest, path) || path.split_first().is_some_and(|(_, tail)| path_matches(glob, tail))
        }
        (Some((first, rest)), Some((part, tail))) => part_matches(first, part) && path_matches(rest, tail),
        _ => false,
    }
}

/// The pieces between the stars, in their order: the first at the start, the last at the end.
fn part_matches(glob: &str, part: &str) -> bool {
    let Some((start, rest)) = glob.split_once('*') else { return glob == part };
    let Some(mut left) = part.strip_prefix(start) else { return false };
    let mut pieces = rest.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return left.ends_with(piece);
        }
        let Some(at) = left.find(piece) else { return false };
        left = &left[at + piece.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_are_followed_to_the_directories_that_they_name() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["apps/web/src", "apps/old-web", "tools", "libs/a/b", "libs/node_modules/c", "other"] {
            std::fs::create_dir_all(dir.path().join(path)).unwrap();
        }
        let source = Source::open(dir.path(), ".").unwrap();
        let expand = |globs: &[&str]| expand(&source, &globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>());
        assert_eq!(expand(&["apps/*", "./tools/", "!apps/old-*"]), ["apps/web", "tools"]);
        assert_eq!(expand(&["libs/**"]), ["libs", "libs/a", "libs/a/b"]);
        assert_eq!(expand(&["**/b", "missing/*", "../*", "apps/*-web"]), ["apps/old-web", "libs/a/b"]);
        assert_eq!(expand(&["**/**/**/**/**"]).len(), 9, "and it ends");
        assert!(expand(&["**", "!**"]).is_empty());
    }
}
