//! What a trial of a buildpack found.

use std::fmt;

use serde::Serialize;
pub use slipway_trial::Status;
use slipway_trial::Theme;

/// One thing that was looked at.
pub type Check = slipway_trial::Check<About>;
/// Everything that was looked at.
pub type Report = slipway_trial::Report<Candidate, About>;

/// What was tried.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The runtime's name.
    pub buildpack: String,
    /// The component's size.
    pub component_bytes: usize,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} KiB", self.buildpack, self.component_bytes.div_ceil(1024))
    }
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

impl Theme for About {
    fn title(self) -> &'static str {
        match self {
            Self::Component => "The component",
            Self::Fixtures => "Its fixtures: the answers that are expected",
            Self::Purity => "The same tree, the same answer",
            Self::Hostile => "Trees that nobody expects: an answer, and soon",
        }
    }
}
