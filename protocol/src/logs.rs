use serde::{Deserialize, Serialize};
use slipway_model::{
    InstanceId, Timestamp,
    state::{LogSeverity, LogStream},
};

/// Names one open log query of a session.
pub type LogQueryId = u64;

/// Asks for the output of instances. The agent reads it from the engine's own bounded log files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogQuery {
    pub query: LogQueryId,
    pub instances: Vec<InstanceId>,
    /// Only lines after this moment.
    pub since: Option<Timestamp>,
    /// Only this many of the newest lines of each instance, before following.
    pub tail: Option<u32>,
    pub follow: bool,
    /// What of the past is wanted, without following. An agent that does not know of it sends everything.
    #[serde(default)]
    pub past: Option<PastLines>,
}

/// Narrows a look back, so that what nobody wants stays on the node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastLines {
    /// Only lines up to this moment.
    pub until: Option<Timestamp>,
    /// Only of these streams.
    pub streams: Option<Vec<LogStream>>,
    /// Only lines with this in them, in either case.
    pub contains: Option<String>,
    /// Only lines that say they are at least so bad. An agent that does not know of it sends the others too.
    #[serde(default)]
    pub least: Option<LogSeverity>,
    /// No more than so many of all instances together: the newest, or else the oldest.
    pub most: u32,
    pub newest: bool,
}

impl PastLines {
    /// What is said of the lines themselves.
    #[must_use]
    pub fn filter(&self) -> LineFilter {
        LineFilter::new(self.streams.clone(), self.contains.as_deref(), self.least)
    }
}

/// Which lines are wanted, by where they came from and what they say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineFilter {
    /// `None`: all.
    pub streams: Option<Vec<LogStream>>,
    /// Only lines with this in them. In small letters.
    contains: Option<String>,
    /// Only lines that say they are at least so bad.
    pub least: Option<LogSeverity>,
}

impl LineFilter {
    /// `contains` in either case.
    #[must_use]
    pub fn new(streams: Option<Vec<LogStream>>, contains: Option<&str>, least: Option<LogSeverity>) -> Self {
        Self { streams, contains: contains.map(str::to_lowercase), least }
    }

    #[must_use]
    pub fn contains(&self) -> Option<&str> {
        self.contains.as_deref()
    }

    #[must_use]
    pub fn takes(&self, line: &LogLine) -> bool {
        self.streams.as_ref().is_none_or(|streams| streams.contains(&line.stream))
            && self.contains.as_ref().is_none_or(|text| line.message.to_lowercase().contains(text))
            && self.is_bad_enough(line)
    }

    #[must_use]
    pub fn is_bad_enough(&self, line: &LogLine) -> bool {
        self.least.is_none_or(|least| LogSeverity::of(&line.message) >= Some(least))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogBatch {
    pub query: LogQueryId,
    pub lines: Vec<LogLine>,
    /// Lines that were left out since the last batch because the reader was too slow.
    pub dropped_lines: u64,
    /// What there was has been told: from now on every line that is written comes. Agents before this field never say so.
    #[serde(default)]
    pub live: bool,
    /// Nothing more will come.
    pub end: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    pub instance: InstanceId,
    /// By the node's clock, with nanoseconds as the engine wrote it.
    pub at: Timestamp,
    pub stream: LogStream,
    /// Without its line end; at most 16 KiB, UTF-8 with U+FFFD for what is not.
    pub message: String,
    pub truncated: bool,
}
