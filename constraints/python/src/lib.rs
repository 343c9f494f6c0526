//! Constraints on versions, as PEP 440 (`requires-python`), Poetry (`^3.11`, `~3.11`, `||`) and version files write them.

use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifier};

/// Lines of Python 3 and releases of a line that are tried; there have never been as many.
const MOST_LINES: u64 = 40;
const MOST_RELEASES: u64 = 40;

/// Alternatives, each of which is a list of conditions that all hold.
#[derive(Debug, Clone)]
pub struct Constraint(Vec<Vec<VersionSpecifier>>);

impl Constraint {
    /// `None`: not a constraint in any of the forms.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.replace("||", "|").split('|').map(conditions).collect::<Option<Vec<_>>>().map(Self)
    }

    #[must_use]
    pub fn allows(&self, version: &Version) -> bool {
        self.0.iter().any(|all| all.iter().all(|one| one.contains(version)))
    }

    /// Whether a release of Python may satisfy both.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let python3 = (0..MOST_LINES).map(|line| [3, line]);
        let releases = python3.chain([[2, 6], [2, 7]]).flat_map(|[major, minor]| (0..MOST_RELEASES).map(move |n| [major, minor, n]));
        let both = |version: &Version| self.allows(version) && other.allows(version);
        self.mentioned().chain(other.mentioned()).any(both) || releases.map(Version::new).any(|version| both(&version))
    }

    /// Whether any release of Python may satisfy it.
    #[must_use]
    pub fn is_satisfiable(&self) -> bool {
        self.meets(&Self(vec![vec![]]))
    }

    /// Versions in its own text, such as an unusually high release.
    fn mentioned(&self) -> impl Iterator<Item = &Version> {
        self.0.iter().flatten().map(VersionSpecifier::version)
    }
}

fn conditions(text: &str) -> Option<Vec<VersionSpecifier>> {
    let mut all = Vec::new();
    let mut condition_text = String::new();
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        // `>= 3.11` is one condition of two words.
        condition_text.push_str(word);
        if condition_text.chars().all(|c| "<>=!~^".contains(c)) {
            continue;
        }
        all.extend(condition(&condition_text)?);
        condition_text.clear();
    }
    (condition_text.is_empty() && !text.trim().is_empty()).then_some(all)
}

fn condition(text: &str) -> Option<Vec<VersionSpecifier>> {
    let specifier = |text: &str| VersionSpecifier::from_str(text).ok();
    if text == "*" {
        return Some(Vec::new());
    }
    if let Some(version) = text.strip_prefix('^') {
        let release = release(version)?;
        // The leftmost number that is not 0 stays: `^0.3` is below 0.4.
        let kept = release.iter().position(|number| *number != 0).unwrap_or(release.len() - 1);
        let mut below = release[..=kept].to_vec();
        below[kept] = below[kept].checked_add(1)?;
        return Some(vec![specifier(&format!(">={version}"))?, specifier(&format!("<{}", dotted(&below)))?]);
    }
    if let Some(version) = text.strip_prefix('~').filter(|rest| !rest.starts_with('=')) {
        let release = release(version)?;
        let mut below = release[..release.len().min(2)].to_vec();
        let last = below.last_mut()?;
        *last = last.checked_add(1)?;
        return Some(vec![specifier(&format!(">={version}"))?, specifier(&format!("<{}", dotted(&below)))?]);
    }
    if text.starts_with(['<', '>', '!', '~']) || text.starts_with("==") {
        // Poetry writes `<4.*` too, which says the same as `<4`.
        let plain = if text.starts_with(['<', '>']) { text.trim_end_matches(".*") } else { text };
        return Some(vec![specifier(plain)?]);
    }
    bare(text.trim_start_matches('='))
}

/// A version without an operator. Two numbers or fewer name a line, three a release.
fn bare(text: &str) -> Option<Vec<VersionSpecifier>> {
    let version = text.trim_end_matches(".*").trim_end_matches(".x");
    let is_line = release(version)?.len() < 3 && !Version::from_str(version).ok()?.any_prerelease();
    let text = if is_line { format!("=={version}.*") } else { format!("=={version}") };
    Some(vec![VersionSpecifier::from_str(&text).ok()?])
}

fn release(version: &str) -> Option<Vec<u64>> {
    Some(Version::from_str(version).ok()?.release().to_vec()).filter(|release| !release.is_empty())
}

fn dotted(release: &[u64]) -> String {
    release.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Constraint {
        Constraint::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn constraints_of_every_tool_are_known_from_other_words() {
        for good in [
            "3.13",
            "3.12.4",
            ">=3.11,<3.14",
            "^3.11",
            "~3.11",
            "~=3.11",
            "3.*",
            "*",
            "==3.11.*",
            ">=3.8, !=3.9.1",
            "3.14.0rc1",
            ">= 3.9",
            "^3.8 || ^3.10",
            ">=3.8 <4.0",
            "<4.*",
            ">=3.8|<2",
        ] {
            assert!(Constraint::parse(good).is_some(), "{good}");
        }
        for bad in ["", "pypy3.9-7.3", "three", "python", ">=", "3.12.0invalid", "^", "3,,x", "~=3", "||"] {
            assert!(Constraint::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_line_meets_a_range_when_one_of_its_releases_does() {
        assert!(parsed("3.12").meets(&parsed(">=3.12.4")));
        assert!(parsed("3.11").meets(&parsed("^3.8")));
        assert!(!parsed("3.9.6").meets(&parsed(">=3.10")));
        assert!(!parsed("3.13").meets(&parsed("~3.11")));
        assert!(parsed("3.12.999").meets(&parsed(">=3.12")));
        assert!(!parsed(">=3.14,<3.10").is_satisfiable());
    }

    #[test]
    fn a_caret_keeps_the_leftmost_number_that_is_not_zero() {
        let allows = |constraint: &str, version: &str| parsed(constraint).allows(&version.parse().unwrap());
        assert!(allows("^0.3.1", "0.3.9") && !allows("^0.3.1", "0.4.0"));
        assert!(allows("^1.2", "1.9") && !allows("^1.2", "2.0"));
    }
}
