//! What people write in `requires-python` (PEP 440), in Poetry's tables (`^3.11`, `~3.11`, `||`) and in `.python-version`.

use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifier};

/// Alternatives, each of which is a list of conditions that all hold.
#[derive(Debug)]
pub(crate) struct Wanted(Vec<Vec<VersionSpecifier>>);

impl Wanted {
    /// Whether one release, such as `3.13.2`, satisfies it.
    pub fn allows(&self, release: &str) -> bool {
        Version::from_str(release).is_ok_and(|version| self.0.iter().any(|all| all.iter().all(|one| one.contains(&version))))
    }
}

pub(crate) fn parse(text: &str) -> Option<Wanted> {
    text.split("||").map(conditions).collect::<Option<Vec<_>>>().map(Wanted)
}

fn conditions(text: &str) -> Option<Vec<VersionSpecifier>> {
    let mut all = Vec::new();
    let mut operator = String::new();
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        // `>= 3.11` is one condition of two words.
        operator.push_str(word);
        if operator.chars().all(|c| "<>=!~^".contains(c)) {
            continue;
        }
        all.extend(condition(&operator)?);
        operator.clear();
    }
    operator.is_empty().then_some(all)
}

fn condition(text: &str) -> Option<Vec<VersionSpecifier>> {
    let specifier = |text: &str| VersionSpecifier::from_str(text).ok();
    if text == "*" {
        return Some(Vec::new());
    }
    if let Some(version) = text.strip_prefix('^') {
        let [major, ..] = release(version)?[..] else { return None };
        return Some(vec![specifier(&format!(">={version}"))?, specifier(&format!("<{}", major.checked_add(1)?))?]);
    }
    if let Some(version) = text.strip_prefix('~').filter(|rest| !rest.starts_with('=')) {
        let below = match release(version)?[..] {
            [major] => format!("<{}", major.checked_add(1)?),
            [major, minor, ..] => format!("<{major}.{}", minor.checked_add(1)?),
            [] => return None,
        };
        return Some(vec![specifier(&format!(">={version}"))?, specifier(&below)?]);
    }
    if text.starts_with(['<', '>', '!', '~']) || text.starts_with("==") {
        return Some(vec![specifier(text)?]);
    }
    bare(text.trim_start_matches('='))
}

/// A version without an operator. Two numbers or fewer name a line, three a release.
fn bare(text: &str) -> Option<Vec<VersionSpecifier>> {
    let version = text.strip_prefix("python-").or_else(|| text.strip_prefix('v')).unwrap_or(text);
    let version = version.trim_end_matches(".*").trim_end_matches(".x");
    let is_line = release(version)?.len() < 3;
    let specifier = if is_line { format!("=={version}.*") } else { format!("=={version}") };
    Some(vec![VersionSpecifier::from_str(&specifier).ok()?])
}

fn release(version: &str) -> Option<Vec<u64>> {
    Some(Version::from_str(version).ok()?.release().to_vec())
}
