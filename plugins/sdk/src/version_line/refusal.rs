//! The refusals of a constraint, each of which says what to write instead.

use super::{Catalogue, Question, releases::numbers};
use crate::PluginError;

/// Constraints are written by customers; nothing real is longer.
const LONGEST_CONSTRAINT: usize = 256;

/// Refuses a constraint that no person wrote, before a parser sees it.
///
/// # Errors
/// `CONSTRAINT_INVALID`.
pub fn check_constraint(language: &str, constraint: &str) -> Result<(), PluginError> {
    if constraint.len() > LONGEST_CONSTRAINT || !constraint.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        let message = format!("the {language} version constraint is longer than {LONGEST_CONSTRAINT} characters or not plain text");
        return Err(PluginError::new("CONSTRAINT_INVALID", message));
    }
    Ok(())
}

/// `UNKNOWN_TOOL`, for a tool that the plugin's description does not name.
#[must_use]
pub fn unknown_tool(tool: &str, known: &[&str]) -> PluginError {
    PluginError::new("UNKNOWN_TOOL", format!("this runtime brings {}, not `{tool}`", known.join(" and ")))
}

/// `CONSTRAINT_INVALID`, for a constraint that cannot be understood.
#[must_use]
pub fn not_understood(Question { language, constraint, fix }: Question<'_>, catalogue: &Catalogue) -> PluginError {
    PluginError::new("CONSTRAINT_INVALID", format!("`{constraint}` is not a {language} version constraint"))
        .with_fix(format!("{fix} a version or range that includes one of {}", catalogue.supported()))
}

impl Catalogue {
    pub(super) fn nothing_fits(&self, question: Question<'_>) -> PluginError {
        let Question { language, constraint, fix } = question;
        if let Some(nearest) = named(constraint).and_then(|version| self.nearest_to_unknown(&version)) {
            let message = format!("there is no {language} `{constraint}`; the nearest is {}", nearest.join(" or "));
            return PluginError::new("VERSION_UNKNOWN", message).with_fix(format!("{fix} {}", nearest.join(" or ")));
        }
        let message = format!("no {language} that is available here satisfies `{constraint}`; there is {}", self.span());
        PluginError::new("VERSION_UNAVAILABLE", message)
            .with_fix(format!("{fix} a version or range that includes one of {}", self.supported()))
    }

    /// The versions around one that never was; `None` for one that was, of a line without an image.
    fn nearest_to_unknown(&self, wanted: &[u64]) -> Option<Vec<&str>> {
        let is_old_line = |line: &[u64]| wanted.starts_with(line) || line.starts_with(wanted);
        if self.lines.iter().any(|line| line.image.is_none() && numbers(&line.version).is_some_and(|line| is_old_line(&line))) {
            return None;
        }
        let mut names: Vec<(Vec<u64>, &str)> = Vec::new();
        for line in self.lines.iter().filter(|line| line.image.is_some()) {
            let of_line = numbers(&line.version)?;
            let by_release = wanted.len() > of_line.len() && !line.releases.is_empty();
            let known = if by_release { line.releases.as_slice() } else { std::slice::from_ref(&line.version) };
            names.extend(known.iter().filter_map(|name| Some((numbers(name)?, name.as_str()))));
        }
        let below = names.iter().rfind(|(version, _)| version.as_slice() < wanted);
        let above = names.iter().find(|(version, _)| version.as_slice() > wanted);
        let nearest: Vec<_> = below.into_iter().chain(above).map(|(_, name)| *name).collect();
        (!nearest.is_empty()).then_some(nearest)
    }

    /// Such as `4 to 26`.
    fn span(&self) -> String {
        let mut with_image = self.lines.iter().filter(|line| line.image.is_some()).map(|line| line.version.as_str());
        match (with_image.next(), with_image.next_back()) {
            (Some(oldest), Some(newest)) => format!("{oldest} to {newest}"),
            (only, _) => only.unwrap_or("none").to_owned(),
        }
    }

    fn supported(&self) -> String {
        let supported = self.lines.iter().filter(|line| line.image.is_some() && !self.has_ended(line));
        supported.map(|line| line.version.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// The version that a constraint names, where it is not a range: `23.5.0`, `v23`, `==3.12.*`.
fn named(constraint: &str) -> Option<Vec<u64>> {
    let version = constraint.trim_start_matches("python-").trim_start_matches(['=', ' ', 'v']);
    let version = version.trim_end_matches(".*").trim_end_matches(".x");
    numbers(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATALOGUE: &str = r#"{
        "basis": "made up", "as_of": "2026-06-01", "lines": [
            { "version": "1", "end_of_life": "2020-04-30" },
            { "version": "4", "image": "it:4", "end_of_life": "2026-04-30", "releases": ["4.0.0", "4.1.0"] },
            { "version": "6", "image": "it:6", "releases": ["6.0.0"] }
        ]
    }"#;

    fn refusal(constraint: &str) -> PluginError {
        Catalogue::parse(CATALOGUE).nothing_fits(Question { language: "It", constraint, fix: "write" })
    }

    #[test]
    fn a_version_that_never_was_is_told_with_its_neighbours() {
        for (constraint, nearest) in [
            ("4.9.0", "4.1.0 or 6.0.0"),
            ("v5", "4 or 6"),
            ("=5.1", "4.1.0 or 6.0.0"),
            ("99.x", "6"),
            ("7.0.0", "6.0.0"),
            ("0.1.0", "4.0.0"),
        ] {
            let error = refusal(constraint);
            assert_eq!(error.code, "VERSION_UNKNOWN", "{constraint}");
            assert_eq!(error.message, format!("there is no It `{constraint}`; the nearest is {nearest}"));
            assert_eq!(error.fix.unwrap(), format!("write {nearest}"));
        }
    }

    #[test]
    fn an_old_line_or_a_range_that_nothing_fits_is_told_with_what_there_is() {
        for constraint in ["1", "1.2.3", "<4", "^9", "4.0.0 - 4.0.0-rc.1"] {
            let error = refusal(constraint);
            assert_eq!(error.code, "VERSION_UNAVAILABLE", "{constraint}");
            assert!(error.message.ends_with("there is 4 to 6"), "{}", error.message);
            assert_eq!(error.fix.unwrap(), "write a version or range that includes one of 6");
        }
    }

    #[test]
    fn a_constraint_is_short_and_plain() {
        assert!(check_constraint("It", ">=1 <3 || 5").is_ok());
        for odd in ["a\nb".to_owned(), "\u{1b}[0m".to_owned(), "é".to_owned(), "1".repeat(257)] {
            assert_eq!(check_constraint("It", &odd).unwrap_err().code, "CONSTRAINT_INVALID");
        }
    }
}
