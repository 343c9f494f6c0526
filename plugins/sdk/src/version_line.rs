//! Version lines: `22` of Node.js or `3.13` of Python, each with one image that carries the newest release of the line.
//!
//! Which release that is, the image knows and the plugin does not. So a constraint fits a line in one of two ways: it allows
//! whatever the newest release is, or it allows some releases of the line and the image may carry another.

use chrono::{NaiveDate, NaiveTime};

use crate::{PluginError, Resolution, RuntimeVersion};

/// Constraints are written by customers; nothing real is longer.
const LONGEST_CONSTRAINT: usize = 256;

/// Stands for the newest release of a line, of which only the beginning is known.
pub const NEWEST_RELEASE: u64 = 99_999;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionLine {
    /// Such as `22` or `3.13`.
    pub version: &'static str,
    /// To build and to run with.
    pub image: &'static str,
    pub is_default: bool,
    /// The last day with security fixes.
    pub end_of_life: Option<NaiveDate>,
}

/// How well a constraint fits a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    No,
    /// It allows some release of the line, perhaps not the newest.
    Some,
    /// It allows the newest release of the line.
    Newest,
}

impl From<&VersionLine> for RuntimeVersion {
    fn from(line: &VersionLine) -> Self {
        Self {
            version: line.version.to_owned(),
            build_image: line.image.to_owned(),
            run_image: line.image.to_owned(),
            is_default: line.is_default,
            end_of_life: line.end_of_life.map(|day| day.and_time(NaiveTime::MIN).and_utc()),
        }
    }
}

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

/// The line to use, out of `lines` in ascending order: the best fit; among equals the default line, else the newest.
///
/// # Errors
/// `VERSION_UNAVAILABLE` where nothing fits. `fix` says where the customer states the version, as in
/// ``set `engines.node` in package.json to``.
pub fn resolve(
    language: &str,
    lines: &[VersionLine],
    constraint: &str,
    fix: &str,
    fit: impl Fn(&VersionLine) -> Fit,
) -> Result<Resolution, PluginError> {
    let fits = lines.iter().map(|line| (fit(line), line)).filter(|(fit, _)| *fit != Fit::No);
    // `max_by_key` takes the last of equals, which is the newest line.
    let Some((fit, line)) = fits.max_by_key(|(fit, line)| (*fit, line.is_default)) else {
        let available = listed(lines);
        let message = format!("no {language} that is available here satisfies `{constraint}`; there are {available}");
        return Err(
            PluginError::new("VERSION_UNAVAILABLE", message).with_fix(format!("{fix} a version or range that includes one of {available}"))
        );
    };
    let VersionLine { version, image, .. } = line;
    let mut notices = Vec::new();
    if fit == Fit::Some {
        notices.push(format!(
            "`{constraint}` asks for certain releases of {language} {version}; the image {image} carries the newest release of {version}, which is used."
        ));
    }
    let is_older = lines.iter().skip_while(|other| *other != line).skip(1).any(|newer| newer.is_default);
    if let Some(day) = line.end_of_life.filter(|_| is_older) {
        notices.push(format!("{language} {version} gets security fixes until {day}; plan to move to a newer version."));
    }
    Ok(Resolution { version: (*version).to_owned(), build_image: (*image).to_owned(), run_image: (*image).to_owned(), notices })
}

/// `UNKNOWN_TOOL`, for a tool that the plugin's description does not name.
#[must_use]
pub fn unknown_tool(tool: &str, known: &[&str]) -> PluginError {
    PluginError::new("UNKNOWN_TOOL", format!("this runtime brings {}, not `{tool}`", known.join(" and ")))
}

/// `CONSTRAINT_INVALID`, for a constraint that cannot be understood.
#[must_use]
pub fn not_understood(language: &str, constraint: &str, fix: &str, lines: &[VersionLine]) -> PluginError {
    PluginError::new("CONSTRAINT_INVALID", format!("`{constraint}` is not a {language} version constraint"))
        .with_fix(format!("{fix} a version or range that includes one of {}", listed(lines)))
}

fn listed(lines: &[VersionLine]) -> String {
    lines.iter().map(|line| line.version).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: [VersionLine; 3] = [
        VersionLine { version: "1", image: "it:1", is_default: false, end_of_life: NaiveDate::from_ymd_opt(2026, 4, 30) },
        VersionLine { version: "2", image: "it:2", is_default: true, end_of_life: NaiveDate::from_ymd_opt(2027, 4, 30) },
        VersionLine { version: "3", image: "it:3", is_default: false, end_of_life: None },
    ];

    fn resolved(fits: [Fit; 3]) -> Result<Resolution, PluginError> {
        resolve("It", &LINES, "?", "write", |line| fits[line.version.parse::<usize>().unwrap() - 1])
    }

    #[test]
    fn the_default_wins_among_equal_fits_and_else_the_newest() {
        assert_eq!(resolved([Fit::Newest; 3]).unwrap().version, "2");
        assert_eq!(resolved([Fit::Newest, Fit::No, Fit::Newest]).unwrap().version, "3");
        assert_eq!(resolved([Fit::Some; 3]).unwrap().version, "2");
    }

    #[test]
    fn a_whole_fit_wins_over_the_default() {
        assert_eq!(resolved([Fit::Newest, Fit::Some, Fit::Some]).unwrap().version, "1");
    }

    #[test]
    fn a_partial_fit_and_an_old_line_are_noticed() {
        assert_eq!(resolved([Fit::No, Fit::Newest, Fit::No]).unwrap().notices, [""; 0]);
        assert!(resolved([Fit::No, Fit::Some, Fit::No]).unwrap().notices[0].contains("the image it:2 carries the newest release"));
        assert!(resolved([Fit::Newest, Fit::No, Fit::No]).unwrap().notices[0].contains("until 2026-04-30"));
    }

    #[test]
    fn nothing_fitting_names_what_there_is() {
        let error = resolved([Fit::No; 3]).unwrap_err();
        assert_eq!(error.code, "VERSION_UNAVAILABLE");
        assert!(error.message.ends_with("there are 1, 2, 3"), "{}", error.message);
        assert_eq!(error.fix.unwrap(), "write a version or range that includes one of 1, 2, 3");
    }

    #[test]
    fn a_constraint_is_short_and_plain() {
        assert!(check_constraint("It", ">=1 <3 || 5").is_ok());
        for odd in ["a\nb".to_owned(), "\u{1b}[0m".to_owned(), "é".to_owned(), "1".repeat(257)] {
            assert_eq!(check_constraint("It", &odd).unwrap_err().code, "CONSTRAINT_INVALID");
        }
    }
}
