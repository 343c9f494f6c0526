//! What a trial found.

use serde::Serialize;

/// Everything that was looked at, in the order in which it was.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The runtime's name.
    pub buildpack: String,
    /// The component's size.
    pub component_bytes: usize,
    /// Each with its result.
    pub checks: Vec<Check>,
}

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The file itself.
    Component,
    /// The answers that its author expects.
    Fixtures,
    /// The same tree, the same answer.
    Purity,
    /// Trees that nobody expects.
    Hostile,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// What it is about.
    pub about: About,
    /// A few words, or a fixture's name.
    pub name: String,
    /// How it ended.
    pub status: Status,
    /// What was seen, in a sentence.
    pub message: String,
    /// Lines of their own: the difference between expected and got, what the buildpack printed, which trees it failed on.
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

impl Check {
    pub(super) fn passed(about: About, name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { about, name: name.into(), status: Status::Passed, message: message.into(), details: Vec::new() }
    }

    pub(super) fn updated(about: About, name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status: Status::Updated, ..Self::passed(about, name, message) }
    }

    pub(super) fn failed(about: About, name: impl Into<String>, message: impl Into<String>, details: Vec<String>) -> Self {
        Self { status: Status::Failed, details, ..Self::passed(about, name, message) }
    }
}
