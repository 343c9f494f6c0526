//! What a trial of a plugin found.

use std::fmt;

use serde::{Deserialize, Serialize};
pub use slipway_trial::Status;
use slipway_trial::Theme;

/// One thing that was looked at.
pub type Check = slipway_trial::Check<About>;
/// Everything that was looked at.
pub type Report = slipway_trial::Report<Candidate, About>;

/// What was tried.
#[derive(Debug, Clone, Serialize)]
pub struct Candidate {
    /// The plugin's id.
    pub plugin: String,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plugin)
    }
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

impl Theme for About {
    fn title(self) -> &'static str {
        match self {
            Self::Plugin => "The manifest, the library, its settings",
            Self::Questions => "Every question, as platforms ask it",
            Self::Cases => "Its cases: the answers that are expected",
            Self::Purity => "The same question, the same answer",
            Self::Hostile => "Questions that nobody expects: an answer or a refusal",
            Self::Messages => "What is no question, and what later platforms send",
            Self::Settings => "What an administrator sets",
        }
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

/// A check that came to that.
pub(super) fn judged(about: About, name: &str, verdict: Verdict) -> Check {
    match verdict {
        Ok(Seen::AsItShould(message)) => Check::passed(about, name, message),
        Ok(Seen::WrittenAnew(message)) => Check::updated(about, name, message),
        Err(fault) => Check::failed(about, name, fault.message, fault.details),
    }
}
