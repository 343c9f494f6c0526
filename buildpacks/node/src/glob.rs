//! The globs of workspaces: `*` within a part of a path, `**` across parts.

/// Whether a directory is one that the globs name; those behind `!` take out again.
pub fn any(globs: &[String], path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let matches = |glob: &str| path_matches(&glob.trim_start_matches("./").trim_end_matches('/').split('/').collect::<Vec<_>>(), &parts);
    globs.iter().filter(|glob| !glob.starts_with('!')).any(|glob| matches(glob))
        && !globs.iter().filter_map(|glob| glob.strip_prefix('!')).any(matches)
}

fn path_matches(glob: &[&str], path: &[&str]) -> bool {
    match (glob, path) {
        ([], []) => true,
        (["**"], _) => true,
        (["**", rest @ ..], [_, tail @ ..]) => path_matches(rest, path) || path_matches(glob, tail),
        ([first, rest @ ..], [part, tail @ ..]) => part_matches(first, part) && path_matches(rest, tail),
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
    fn directories_are_matched_part_by_part() {
        let globs = |list: &[&str]| list.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>();
        let apps = globs(&["apps/*", "./tools/", "libs/**", "!apps/old-*"]);
        for named in ["apps/web", "tools", "libs/a", "libs/a/b"] {
            assert!(any(&apps, named), "{named}");
        }
        for other in ["apps", "apps/web/src", "apps/old-web", "web"] {
            assert!(!any(&apps, other), "{other}");
        }
        assert!(any(&globs(&["packages/*-app"]), "packages/my-app"));
    }
}
