//! What a trial found, of a plugin or of a buildpack: its checks, how each of them ended, and how that is shown to an author.
//!
//! What is looked at is each kit's own: a [`Theme`] names it.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

/// What a check is about.
pub trait Theme: Copy + PartialEq {
    /// Over the checks that are about it.
    fn title(self) -> &'static str;
}

/// Everything that was looked at, in the order in which it was.
#[derive(Debug, Clone, Serialize)]
pub struct Report<Subject, About> {
    /// What was tried, by itself the report's first line.
    #[serde(flatten)]
    pub subject: Subject,
    /// Each with its result.
    pub checks: Vec<Check<About>>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should.
    Passed,
    /// Not as it should.
    Failed,
    /// What was expected has been written anew.
    Updated,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Check<About> {
    /// What it is about.
    pub about: About,
    /// A few words, or the name of a case or a fixture.
    pub name: String,
    /// How it ended.
    pub status: Status,
    /// What was seen, in a sentence.
    pub message: String,
    /// Lines of their own: what it failed on and how, what was printed, or the difference between expected and got.
    pub details: Vec<String>,
}

impl<About> Check<About> {
    /// As it should.
    pub fn passed(about: About, name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { about, name: name.into(), status: Status::Passed, message: message.into(), details: Vec::new() }
    }

    /// With what was expected written anew.
    pub fn updated(about: About, name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status: Status::Updated, ..Self::passed(about, name, message) }
    }

    /// Not as it should.
    pub fn failed(about: About, name: impl Into<String>, message: impl Into<String>, details: Vec<String>) -> Self {
        Self { status: Status::Failed, details, ..Self::passed(about, name, message) }
    }
}

impl<Subject, About> Report<Subject, About> {
    /// Before anything was looked at.
    pub fn of(subject: Subject) -> Self {
        Self { subject, checks: Vec::new() }
    }

    /// Whether nothing failed.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.count(Status::Failed) == 0
    }

    /// How many checks ended in that way.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }
}

/// As an author reads it.
impl<Subject: Display, About: Theme> Display for Report<Subject, About> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.subject)?;
        let width = self.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or_default();
        let mut about = None;
        for check in &self.checks {
            if about != Some(check.about) {
                about = Some(check.about);
                writeln!(f, "\n{}", check.about.title())?;
            }
            let status = match check.status {
                Status::Passed => "ok     ",
                Status::Failed => "FAILED ",
                Status::Updated => "updated",
            };
            writeln!(f, "  {status}  {:width$}  {}", check.name, check.message)?;
            for line in &check.details {
                writeln!(f, "             {line}")?;
            }
        }
        let (failed, updated) = (self.count(Status::Failed), self.count(Status::Updated));
        write!(f, "\n{} passed, {failed} failed", self.count(Status::Passed))?;
        if updated > 0 {
            write!(f, ", {updated} updated")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq, Serialize)]
    enum Letters {
        First,
        Last,
    }

    impl Theme for Letters {
        fn title(self) -> &'static str {
            match self {
                Self::First => "At the beginning",
                Self::Last => "At the end",
            }
        }
    }

    #[derive(Serialize)]
    struct Alphabet {
        letters: usize,
    }

    impl Display for Alphabet {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "an alphabet of {}", self.letters)
        }
    }

    fn report() -> Report<Alphabet, Letters> {
        let checks = vec![
            Check::passed(Letters::First, "a", "it is there"),
            Check::updated(Letters::First, "b and c", "they are expected now"),
            Check::failed(Letters::Last, "z", "it is another one", vec!["- z".into(), "+ ж".into()]),
        ];
        Report { checks, ..Report::of(Alphabet { letters: 26 }) }
    }

    #[test]
    fn a_report_is_read_theme_by_theme_and_ends_with_the_count() {
        let shown = "an alphabet of 26

At the beginning
  ok       a        it is there
  updated  b and c  they are expected now

At the end
  FAILED   z        it is another one
             - z
             + ж

1 passed, 1 failed, 1 updated";
        assert_eq!(report().to_string(), shown);
        assert!(!report().is_good() && Report::<_, Letters>::of(Alphabet { letters: 0 }).is_good());
    }

    #[test]
    fn a_program_reads_the_subjects_own_fields_beside_the_checks() {
        let read = serde_json::to_value(report()).unwrap();
        assert_eq!((&read["letters"], &read["checks"][2]["status"]), (&26.into(), &"failed".into()));
    }
}
