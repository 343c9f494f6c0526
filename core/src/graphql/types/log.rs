//! Lines of logs, and batches of them.

use async_graphql::{ID, SimpleObject};
use chrono::{DateTime, Utc};

use super::state::LogStream;

/// One line of a log.
#[derive(Debug, Clone, SimpleObject)]
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
