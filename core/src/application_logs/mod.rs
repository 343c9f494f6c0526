//! What applications write: read from the nodes where their instances run, and merged.
//!
//! Nothing of it is kept here. A reader that comes back gives the cursor of the last line it saw, and goes on after it. However many
//! follow one application, its new lines are read from the nodes once.

mod feed;
mod follower;
mod reading;

use std::str::FromStr;

use chrono::Timelike;
use futures::Stream;
use slipway_model::{ApplicationId, InstanceId, Timestamp, Viewer};
use slipway_protocol::{LineFilter, LogLine};
use slipway_store::{applications, instances};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

pub use self::feed::Feeds;
use self::{follower::Follower, reading::Reading};
use crate::{
    Platform,
    error::{Result, UserError},
};

/// Lines of one batch, and bytes of their text after which no further ones are waited for.
const BATCH_LINES: usize = 256;
const BATCH_BYTES: usize = 256 * 1024;
/// Batches that may wait at each step between the nodes and the reader. What waits in front of them is bounded by its size.
const BATCHES: usize = 2;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct LogRequest {
    pub application: ApplicationId,
    /// Only of this instance.
    pub instance: Option<InstanceId>,
    /// Only lines after this one.
    pub after: Option<Cursor>,
    /// Only lines after this moment.
    pub since: Option<Timestamp>,
    /// Of each instance's past, only this many of the newest lines.
    pub tail: Option<u32>,
    pub filter: LineFilter,
    /// Go on with new lines, and new instances, until the reader goes.
    pub follow: bool,
}

/// Lines in the order of their times, as far as that can be known.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    pub lines: Vec<LogLine>,
    /// Lines that were left out because the reader was too slow.
    pub dropped_lines: u64,
}

impl Lines {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.dropped_lines == 0
    }

    fn is_full(&self) -> bool {
        self.lines.len() >= BATCH_LINES || self.lines.iter().map(|line| line.message.len()).sum::<usize>() >= BATCH_BYTES
    }
}

/// The place of a line: its time and its instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub at: Timestamp,
    pub instance: InstanceId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of an application's log")]
pub struct ParseCursorError;

impl From<&LogLine> for Cursor {
    fn from(line: &LogLine) -> Self {
        Self { at: line.at, instance: line.instance }
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:09}.{}", self.at.timestamp(), self.at.nanosecond() % 1_000_000_000, self.instance)
    }
}

impl FromStr for Cursor {
    type Err = ParseCursorError;

    fn from_str(text: &str) -> Result<Self, ParseCursorError> {
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next().ok_or(ParseCursorError);
        let (seconds, nanos, instance) = (part()?, part()?, part()?);
        let seconds = seconds.parse().map_err(|_| ParseCursorError)?;
        let nanos = nanos.parse().map_err(|_| ParseCursorError)?;
        let at = Timestamp::from_timestamp(seconds, nanos).ok_or(ParseCursorError)?;
        Ok(Self { at, instance: instance.parse().map_err(|_| ParseCursorError)? })
    }
}

/// Reads an application's output, and follows it if that is asked.
///
/// # Errors
/// There is no such application or instance that the viewer may see.
pub async fn follow(p: &Platform, viewer: &Viewer, request: LogRequest) -> Result<impl Stream<Item = Lines> + Send + use<>> {
    let mut tx = p.db.read().await?;
    if applications::find(&mut tx, viewer, request.application).await?.is_none() {
        return Err(UserError::not_found("applicationId", "application").into());
    }
    if let Some(id) = request.instance {
        let instance = instances::find(&mut tx, viewer, id).await?;
        if instance.is_none_or(|instance| instance.application_id != request.application) {
            return Err(UserError::not_found("instanceId", "application instance").into());
        }
    }
    drop(tx);
    let (to, lines) = mpsc::channel(BATCHES);
    let p = p.clone();
    tokio::spawn(async move {
        let read = async {
            if request.follow {
                Follower::new(&p, request).run(&to).await;
            } else {
                Reading::of(&p, request).run(&to).await;
            }
        };
        tokio::select! {
            () = to.closed() => {}
            () = read => {}
        }
    });
    Ok(ReceiverStream::new(lines))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_cursor_survives_text_to_the_nanosecond() {
        let cursor = Cursor { at: Timestamp::from_timestamp(1_790_000_000, 123_456_789).unwrap(), instance: Uuid::from_u128(7).into() };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "1", "1.2", "1.2.x", "x.2.ins_0", "1.9999999999.ins_0"] {
            assert_eq!(text.parse::<Cursor>(), Err(ParseCursorError), "{text}");
        }
    }
}
