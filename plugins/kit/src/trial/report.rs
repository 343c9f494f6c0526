//! What a trial found.

use serde::{Deserialize, Serialize};

/// Everything that was looked at, in the order in which it was.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// The plugin's id.
    pub plugin: String,
    /// Each with its result.
    pub checks: Vec<Check>,
}

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The manifest and the library.
    Plugin,
    /// Every question, as platforms ask it.
    Questions,
    /// The answers that its author expects.
    Cases,
    /// The same question, the same answer.
    Purity,
    /// Questions that nobody expects, but that customers can bring about.
    Hostile,
    /// What is no question at all, and what a later platform may send.
    Messages,
    /// What an administrator sets.
    Settings,
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
pub struct Check {
    /// What it is about.
    pub about: About,
    /// A few words, or a case's name.
    pub name: String,
    /// How it ended.
    pub status: Status,
    /// What was seen, in a sentence.
    pub message: String,
    /// Lines of their own: which questions it failed on and how, or the difference between expected and got.
    pub details: Vec<String>,
}

impl Report {
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

/// What is wrong, in a sentence and the lines that show it.
#[derive(Debug, Clone, Default)]
pub(super) struct Fault {
    pub message: String,
    pub details: Vec<String>,
    /// A call is still running and takes the processor, or a place that others need.
    pub hangs: bool,
}

impl Fault {
    pub fn new(message: impl Into<String>, details: Vec<String>) -> Self {
        Self { message: message.into(), details, hangs: false }
    }
}

/// What a check comes to: what was seen, or what is wrong.
pub(super) type Verdict = Result<Seen, Fault>;

pub(super) enum Seen {
    AsItShould(String),
    WrittenAnew(String),
}

impl From<String> for Seen {
    fn from(message: String) -> Self {
        Self::AsItShould(message)
    }
}

impl Check {
    pub(super) fn of(about: About, name: &str, verdict: Verdict) -> Self {
        let (status, message, details) = match verdict {
            Ok(Seen::AsItShould(message)) => (Status::Passed, message, Vec::new()),
            Ok(Seen::WrittenAnew(message)) => (Status::Updated, message, Vec::new()),
            Err(fault) => (Status::Failed, fault.message, fault.details),
        };
        Self { about, name: name.to_owned(), status, message, details }
    }
}
