//! What a call can come to, other than an answer.

use std::time::Duration;

use slipway_plugin_abi::{manifest::Kind, messages::PluginError};

use crate::STRIKES;

#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// An expected outcome, in the plugin's own words, for the person whose request it was.
    #[error(transparent)]
    Refused(#[from] PluginError),
    #[error("plugin {plugin} is disabled")]
    Disabled { plugin: String },
    #[error("plugin {plugin} is quarantined after {STRIKES} strikes (the last one: it {last}); release it once it is mended")]
    Quarantined { plugin: String, last: String },
    #[error("plugin {plugin} is of kind {is}, and was asked a question for kind {asked}")]
    WrongKind { plugin: String, is: Kind, asked: Kind },
    #[error("settings of plugin {plugin}: {}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Settings { plugin: String, problems: Vec<SettingsProblem> },
    #[error("plugin {plugin} has too many calls under way; none ended within {} s", deadline.as_secs_f32())]
    Busy { plugin: String, deadline: Duration },
    /// Counted as a strike.
    #[error("plugin {plugin} {misconduct}")]
    Misconduct { plugin: String, misconduct: Misconduct },
    #[error("the call to plugin {plugin} could not be made: {cause}")]
    NotMade { plugin: String, cause: String },
}

/// What a plugin did that no plugin should do. Reads on from "the plugin ...".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misconduct {
    #[error("did not answer within {} s", .0.as_secs_f32())]
    Overran(Duration),
    #[error("panicked: {0}")]
    Panicked(String),
    #[error("did not understand a request of its own kind: {0}")]
    NotUnderstood(String),
    #[error("gave an unusable reply: {0}")]
    BadReply(String),
    /// What it ran in came to an end in the middle of a call.
    #[error("did not outlive the call: it {0}")]
    Ended(String),
    /// From a record of before this process began.
    #[error("{0}")]
    Recorded(String),
}

impl Misconduct {
    /// The same with its text changed.
    pub(crate) fn worded(self, word: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Overran(deadline) => Self::Overran(deadline),
            Self::Panicked(text) => Self::Panicked(word(text)),
            Self::NotUnderstood(text) => Self::NotUnderstood(word(text)),
            Self::BadReply(text) => Self::BadReply(word(text)),
            Self::Ended(text) => Self::Ended(word(text)),
            Self::Recorded(text) => Self::Recorded(word(text)),
        }
    }
}

/// Where settings do not fit their schema, and why. The values themselves are not repeated: a setting can be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsProblem {
    /// JSON pointer; empty: the settings as a whole.
    pub path: String,
    pub reason: String,
}

impl std::fmt::Display for SettingsProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = if self.path.is_empty() { "settings" } else { &self.path };
        write!(f, "{path}: {}", self.reason)
    }
}
