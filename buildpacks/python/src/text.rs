//! Text as people's editors leave it.

/// UTF-16, as some Windows shells write redirected output, without what reading it as UTF-8 leaves behind: a NUL beside
/// every letter, and replacement characters for the byte-order mark. All that manifests need is in ASCII.
pub fn plain(text: String) -> String {
    if text.contains('\0') { text.replace(['\0', '\u{fffd}'], "") } else { text }
}

/// The number, from 1, of the first line that holds `needle`.
pub fn line_of(text: &str, needle: &str) -> Option<u32> {
    text.lines().position(|line| line.contains(needle)).map(|index| index as u32 + 1)
}

/// Whether a module is `package` or within it.
pub fn is_within(module: &str, package: &str) -> bool {
    module.strip_prefix(package).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The modules that a line of Python imports.
pub fn imported(line: &str) -> impl Iterator<Item = &str> {
    let line = line.trim_start();
    let (list, is_from) = match (line.strip_prefix("import "), line.strip_prefix("from ")) {
        (Some(list), _) => (list, false),
        (_, Some(rest)) => (rest.split(" import").next().unwrap_or_default(), true),
        _ => ("", false),
    };
    let list = list.split('#').next().unwrap_or_default();
    list.split(',')
        .take(if is_from { 1 } else { usize::MAX })
        .filter_map(|part| part.split_whitespace().next())
        .filter(|module| !module.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(line: &str, package: &str) -> bool {
        imported(line).any(|module| is_within(module, package))
    }

    #[test]
    fn imports_are_seen_in_all_their_forms() {
        for line in
            ["import flask", "import os, flask", "from flask import Flask", "    from flask.views import View", "import flask as f # x"]
        {
            assert!(imports(line, "flask"), "{line}");
        }
        for line in ["import flask_cors", "# import flask", "from .flask import x", "important flask"] {
            assert!(!imports(line, "flask"), "{line}");
        }
    }

    #[test]
    fn what_reading_utf16_leaves_behind_is_taken_away() {
        let bytes: Vec<u8> = [0xff, 0xfe].into_iter().chain("flask==3\r\n".bytes().flat_map(|b| [b, 0])).collect();
        assert_eq!(plain(String::from_utf8_lossy(&bytes).into_owned()), "flask==3\r\n");
    }
}
