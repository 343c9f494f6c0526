//! Version lines: `22` of Node.js or `3.13` of Python, each with one image that carries the newest release of the line.
//!
//! What is known of lines and releases stands in a data file beside the plugin, see [`Catalogue`]. A constraint fits a line in
//! one of two ways: it allows the newest release, or it allows some other and the image may carry a newer one.

mod refusal;
mod releases;

use std::cmp::Reverse;

use chrono::{NaiveDate, NaiveTime};
use serde::Deserialize;

pub use self::refusal::{check_constraint, not_understood, unknown_tool};
use crate::{PluginError, Resolution, RuntimeVersion};

/// Stands for the newest release of a line, of which only the beginning is known.
pub const NEWEST_RELEASE: u64 = 99_999;

/// The lines of one tool, from the oldest to the newest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Where the data is from, for people to read.
    pub basis: String,
    /// The day on which it was true. What has ended is judged by this day: the same plugin gives the same answer for ever.
    pub as_of: NaiveDate,
    pub lines: Vec<VersionLine>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionLine {
    /// Such as `22` or `3.13`.
    pub version: String,
    /// To build and to run with. Of lines without one it is only known that they existed.
    pub image: Option<String>,
    /// The last day with security fixes.
    pub end_of_life: Option<NaiveDate>,
    /// The name under which the line has long-term support.
    pub lts: Option<String>,
    /// From the oldest to the newest; none where releases are not known one by one.
    #[serde(default)]
    pub releases: Vec<String>,
}

/// Which lines go before others.
#[derive(Debug, Clone, Copy)]
pub struct Preference<'a> {
    /// Taken wherever it fits.
    pub default: &'a str,
    /// Lines whose images an installation can make without a registry.
    pub at_hand: &'a [&'a str],
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

/// What a constraint allows of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    pub fit: Fit,
    /// The newest known release that it allows.
    pub release: Option<String>,
}

impl From<Fit> for Match {
    fn from(fit: Fit) -> Self {
        Self { fit, release: None }
    }
}

/// A constraint, and whose it is, in the words of a refusal.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Such as `Node.js`.
    pub language: &'a str,
    pub constraint: &'a str,
    /// Where the customer states the version, as in ``set `engines.node` in package.json to``.
    pub fix: &'a str,
}

#[derive(Debug)]
struct Chosen<'a> {
    found: Match,
    line: &'a VersionLine,
    image: &'a str,
}

impl Catalogue {
    /// Reads a plugin's own data file.
    ///
    /// # Panics
    /// When it is not such a file, which the plugin's tests see.
    #[must_use]
    pub fn parse(json: &str) -> Self {
        serde_json::from_str(json).expect("a plugin's versions are a catalogue")
    }

    #[must_use]
    pub fn has_ended(&self, line: &VersionLine) -> bool {
        line.end_of_life.is_some_and(|day| day < self.as_of)
    }

    /// What is offered to choose from: the lines that have not ended, and the default one.
    #[must_use]
    pub fn offered(&self, default: &str) -> Vec<RuntimeVersion> {
        let supported = self.lines.iter().filter(|line| line.version == default || !self.has_ended(line));
        supported.filter_map(|line| line.offered(line.version == default)).collect()
    }

    /// The line to use: one that fits whole; among equals the default line, else one at hand, else one that has not ended, else
    /// one with long-term support, else the one closest to the default: a jump past several lines breaks more than a step.
    ///
    /// # Errors
    /// `VERSION_UNKNOWN` where the constraint is a version that never was, `VERSION_UNAVAILABLE` where nothing else fits.
    pub fn resolve(
        &self,
        question: Question<'_>,
        preference: Preference<'_>,
        matching: impl Fn(&VersionLine) -> Match,
    ) -> Result<Resolution, PluginError> {
        self.answer(question, preference, self.choose(preference, matching))
    }

    /// The same for lines whose releases are known, given what the constraint says of one release.
    ///
    /// # Errors
    /// As for [`Catalogue::resolve`].
    pub fn resolve_by_release(
        &self,
        question: Question<'_>,
        preference: Preference<'_>,
        allows: impl Fn(&str) -> bool,
    ) -> Result<Resolution, PluginError> {
        let known = self.choose(preference, |line| line.match_known(&allows));
        let chosen = known.or_else(|| self.choose(preference, |line| self.match_unlisted(line, &allows)));
        self.answer(question, preference, chosen)
    }

    fn choose(&self, preference: Preference<'_>, matching: impl Fn(&VersionLine) -> Match) -> Option<Chosen<'_>> {
        let default = self.lines.iter().position(|line| line.version == preference.default).unwrap_or(self.lines.len());
        let with_image =
            self.lines.iter().enumerate().filter_map(|(place, line)| Some((place.abs_diff(default), line, line.image.as_deref()?)));
        let fits = with_image.map(|(steps, line, image)| (steps, Chosen { found: matching(line), line, image }));
        let fits = fits.filter(|(_, chosen)| chosen.found.fit != Fit::No);
        // `max_by_key` takes the last of equals, which is the newest line.
        let best = fits.max_by_key(|(steps, Chosen { found, line, .. })| {
            let version = line.version.as_str();
            let (is_default, is_at_hand) = (version == preference.default, preference.at_hand.contains(&version));
            let is_supported = !self.has_ended(line);
            // Nobody is moved to an ended line because of a few releases.
            let fits_whole = found.fit == Fit::Newest && (is_at_hand || is_supported);
            (fits_whole, is_default, is_at_hand, is_supported, found.fit, line.lts.is_some(), Reverse(*steps))
        });
        best.map(|(_, chosen)| chosen)
    }

    fn answer(&self, question: Question<'_>, preference: Preference<'_>, chosen: Option<Chosen<'_>>) -> Result<Resolution, PluginError> {
        let chosen = chosen.ok_or_else(|| self.nothing_fits(question))?;
        let notices = self.notices(question, preference, &chosen);
        let Chosen { found, line, image } = chosen;
        let version = found.release.unwrap_or_else(|| line.version.clone());
        Ok(Resolution { version, build_image: image.to_owned(), run_image: image.to_owned(), notices })
    }

    fn notices(
        &self,
        Question { language, constraint, .. }: Question<'_>,
        preference: Preference<'_>,
        Chosen { found, line, image }: &Chosen<'_>,
    ) -> Vec<String> {
        let mut notices = Vec::new();
        let version = &line.version;
        if found.fit == Fit::Some {
            notices.push(format!(
                "`{constraint}` asks for certain releases of {language} {version}; the image {image} carries the newest release of {version}, which is used."
            ));
        }
        if found.release.is_none() && !line.releases.is_empty() {
            notices.push(format!("on {} no release of {language} {version} was known that `{constraint}` allows.", self.as_of));
        }
        let is_older = self.lines.iter().skip_while(|other| other != line).skip(1).any(|newer| newer.version == preference.default);
        match line.end_of_life {
            Some(day) if self.has_ended(line) => {
                notices.push(format!("{language} {version} has had no security fixes since {day}; move to a newer version."));
            }
            Some(day) if is_older => {
                notices.push(format!("{language} {version} gets security fixes until {day}; plan to move to a newer version."));
            }
            _ => {}
        }
        notices
    }
}

impl VersionLine {
    fn offered(&self, is_default: bool) -> Option<RuntimeVersion> {
        let image = self.image.as_ref()?;
        Some(RuntimeVersion {
            version: self.version.clone(),
            build_image: image.clone(),
            run_image: image.clone(),
            is_default,
            end_of_life: self.end_of_life.map(|day| day.and_time(NaiveTime::MIN).and_utc()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATALOGUE: &str = r#"{
        "basis": "made up", "as_of": "2026-06-01", "lines": [
            { "version": "1", "end_of_life": "2020-04-30" },
            { "version": "2", "image": "it:2", "end_of_life": "2026-04-30", "lts": "Two" },
            { "version": "3", "image": "it:3", "end_of_life": "2026-05-30" },
            { "version": "4", "image": "it:4", "end_of_life": "2027-04-30", "releases": ["4.0.0", "4.0.2", "4.1.0"] },
            { "version": "5", "image": "it:5" },
            { "version": "6", "image": "it:6", "lts": "Six" },
            { "version": "7", "image": "it:7" }
        ]
    }"#;

    fn ask(constraint: &str, preference: Preference<'_>, fit: impl Fn(&str) -> Fit) -> Result<Resolution, PluginError> {
        let question = Question { language: "It", constraint, fix: "write" };
        Catalogue::parse(CATALOGUE).resolve(question, preference, |line| fit(&line.version).into())
    }

    fn chosen(lines: &[&str], default: &str, at_hand: &[&str]) -> String {
        ask("?", Preference { default, at_hand }, |line| if lines.contains(&line) { Fit::Newest } else { Fit::No }).unwrap().version
    }

    #[test]
    fn the_default_goes_first_and_then_what_is_at_hand_supported_long_supported_and_close() {
        assert_eq!(chosen(&["2", "3", "4", "5", "6", "7"], "4", &["3"]), "4");
        assert_eq!(chosen(&["2", "3", "5", "6", "7"], "4", &["3"]), "3");
        assert_eq!(chosen(&["2", "5", "6", "7"], "4", &["3"]), "6");
        assert_eq!(chosen(&["2", "5", "7"], "4", &[]), "5");
        assert_eq!(chosen(&["2", "3"], "4", &[]), "2");
        assert_eq!(chosen(&["5", "7"], "6", &[]), "7");
    }

    #[test]
    fn a_whole_fit_wins_over_the_default() {
        let fit = |line: &str| if line == "2" { Fit::Newest } else { Fit::Some };
        assert_eq!(ask("?", Preference { default: "4", at_hand: &["2"] }, fit).unwrap().version, "2");
        assert_eq!(ask("?", Preference { default: "4", at_hand: &[] }, fit).unwrap().version, "4", "not for an ended line");
    }

    #[test]
    fn a_line_without_an_image_is_never_chosen() {
        let only = |line: &str| if line == "1" { Fit::Newest } else { Fit::No };
        let error = ask("1", Preference { default: "4", at_hand: &[] }, only).unwrap_err();
        assert_eq!(error.code, "VERSION_UNAVAILABLE");
    }

    #[test]
    fn a_partial_fit_and_the_end_of_a_line_are_noticed() {
        let notices = |line: &'static str, fit| {
            let only = move |other: &str| if other == line { fit } else { Fit::No };
            ask("?", Preference { default: "5", at_hand: &[] }, only).unwrap().notices.join(" ")
        };
        assert_eq!(notices("5", Fit::Newest), "");
        assert!(notices("5", Fit::Some).contains("the image it:5 carries the newest release"));
        assert!(notices("2", Fit::Newest).contains("no security fixes since 2026-04-30"));
        assert!(notices("4", Fit::Newest).contains("until 2027-04-30"));
    }

    #[test]
    fn ended_lines_are_not_offered_unless_one_is_the_default() {
        let offered = |default| Catalogue::parse(CATALOGUE).offered(default).into_iter().map(|line| line.version).collect::<Vec<_>>();
        assert_eq!(offered("4"), ["4", "5", "6", "7"]);
        assert_eq!(offered("2"), ["2", "4", "5", "6", "7"]);
    }
}
