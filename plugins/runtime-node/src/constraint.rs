//! What people write in `engines.node`, `.nvmrc` and `.node-version`.

use node_semver::{Range, Version};

#[derive(Debug)]
pub(crate) enum Wanted {
    /// `latest`, `node`.
    NewestLine,
    /// `lts/*`.
    NewestLongTerm,
    /// `lts/jod`.
    LongTerm(String),
    Range(Alternatives),
}

/// Alternatives, each of which is a list of ranges that all hold. Each range is one comparator or `a - b`: `node_semver` reads
/// comparators that contradict each other (`>22 <21`) as the first of them.
#[derive(Debug)]
pub(crate) struct Alternatives(Vec<Vec<Range>>);

pub(crate) fn parse(text: &str) -> Option<Wanted> {
    let alias = text.to_ascii_lowercase();
    Some(match alias.as_str() {
        "latest" | "current" | "node" | "stable" => Wanted::NewestLine,
        "lts" | "lts/*" | "--lts" => Wanted::NewestLongTerm,
        _ if has_operator_before_wildcard(text) => return None,
        _ => match alias.strip_prefix("lts/") {
            Some(name) => Wanted::LongTerm(name.to_owned()),
            None => Wanted::Range(Alternatives(text.split("||").map(all_of).collect::<Option<_>>()?)),
        },
    })
}

/// `~x`, `^*`, `>= *`: nobody means anything by them, and `node_semver` panics on some, which would count against this plugin.
fn has_operator_before_wildcard(text: &str) -> bool {
    let mut after_operator = false;
    for character in text.chars().filter(|c| !matches!(c, ' ' | 'v' | 'V')) {
        if after_operator && matches!(character, '*' | 'x' | 'X') {
            return true;
        }
        after_operator = matches!(character, '~' | '^' | '<' | '>' | '=');
    }
    false
}

fn all_of(text: &str) -> Option<Vec<Range>> {
    if text.contains(" - ") {
        return Some(vec![Range::parse(text.trim()).ok()?]);
    }
    let mut all = Vec::new();
    let mut comparator = String::new();
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        // `>= 20` is one comparator of two words.
        comparator.push_str(word);
        if !comparator.chars().all(|c| "<>=~^".contains(c)) {
            all.push(Range::parse(&comparator).ok()?);
            comparator.clear();
        }
    }
    comparator.is_empty().then_some(all)
}

impl Alternatives {
    /// Whether one release, such as `22.3.0`, is among them.
    pub fn allow(&self, release: &str) -> bool {
        Version::parse(release).is_ok_and(|version| self.0.iter().any(|all| all.iter().all(|range| version.satisfies(range))))
    }
}
