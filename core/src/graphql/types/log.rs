//! Lines of logs, and batches of them.

use async_graphql::{ComplexObject, ID, SimpleObject};
use chrono::{DateTime, Utc};
use slipway_model::state as model;
use slipway_protocol::LineFilter;

use super::state::{LogSeverity, LogStream};
use crate::{application_logs::Cursor, error::UserError, log_history};

/// One line of a log.
#[derive(Debug, Clone, SimpleObject)]
#[graphql(complex)]
pub struct LogLine {
    /// Resume after it with `after`.
    pub cursor: String,
    /// When it was written, by the clock of the machine that it was written on.
    pub timestamp: DateTime<Utc>,
    /// Where it came from.
    pub stream: LogStream,
    /// The instance that wrote it.
    pub instance_id: Option<ID>,
    /// Without its line end.
    pub message: String,
    /// Whether its end was cut off.
    pub truncated: bool,
}

#[ComplexObject]
impl LogLine {
    /// How bad it is, by what the line itself says: in JSON (`level`, `severity`), in pairs (`level=error`), or with a word at its beginning
    /// (`[ERROR]`, `WARN:`, klog's `E0102`). `null`: it says nothing. Standard error alone is no error.
    async fn severity(&self) -> Option<LogSeverity> {
        model::LogSeverity::of(&self.message).map(Into::into)
    }
}

/// What the arguments of those who read lines say of these.
pub(crate) fn filter(streams: Option<Vec<LogStream>>, search: Option<&str>, least: Option<LogSeverity>) -> Result<LineFilter, UserError> {
    if search.is_some_and(|search| search.chars().count() > 200) {
        return Err(UserError::too_long("search", "Use at most 200 characters."));
    }
    let streams = streams.map(|streams| streams.into_iter().map(Into::into).collect());
    Ok(LineFilter::new(streams, search, least.map(Into::into)))
}

/// A piece of what was written.
#[derive(Debug, Clone, SimpleObject)]
pub struct LogPage {
    /// In order.
    pub lines: Vec<LogLine>,
    /// Look further back with `before`; `null`: there is nothing.
    pub start_cursor: Option<String>,
    /// Look further on with `after`; `null`: there is nothing.
    pub end_cursor: Option<String>,
    /// Whether there are more in the direction that was asked for.
    pub has_more: bool,
    /// Whether a machine could not be asked, or did not tell everything in time: there may be other lines.
    pub incomplete: bool,
}

impl From<log_history::Past> for LogPage {
    fn from(past: log_history::Past) -> Self {
        let cursor = |line: Option<&slipway_protocol::LogLine>| line.map(|line| Cursor::from(line).to_string());
        Self {
            start_cursor: cursor(past.lines.first()),
            end_cursor: cursor(past.lines.last()),
            has_more: past.more,
            incomplete: past.incomplete,
            lines: past.lines.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<slipway_protocol::LogLine> for LogLine {
    fn from(line: slipway_protocol::LogLine) -> Self {
        Self {
            cursor: Cursor::from(&line).to_string(),
            timestamp: line.at,
            stream: line.stream.into(),
            instance_id: Some(ID(line.instance.to_string())),
            message: line.message,
            truncated: line.truncated,
        }
    }
}

/// Lines that came together.
#[derive(Debug, Clone, SimpleObject)]
pub struct LogBatch {
    /// In order.
    pub lines: Vec<LogLine>,
    /// Resume after it with `after`: nothing is lost or repeated.
    pub end_cursor: String,
    /// Lines left out since the last batch, because they came faster than they were read.
    pub dropped_lines: i64,
}
