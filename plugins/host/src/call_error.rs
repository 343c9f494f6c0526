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
    #[error("settings of plugin {plugin}: {}", problems.join("; "))]
    Settings { plugin: String, problems: Vec<String> },
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
}
