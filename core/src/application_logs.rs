//! What applications write: read from the nodes where their instances run, and merged.
//!
//! Nothing of it is kept here. A reader that comes back gives the cursor of the last line it saw, and goes on after it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    str::FromStr,
    time::Duration,
};

use chrono::Timelike;
use futures::Stream;
use slipway_model::{
    ApplicationId, InstanceId, NodeId, Timestamp, Viewer,
    state::{InstanceStatus, LogStream},
};
use slipway_protocol::{LogBatch, LogLine, LogQuery};
use slipway_store::{
    Page, applications,
    instances::{self, Instance},
};
use tokio::{
    sync::{broadcast, mpsc},
    task::JoinSet,
};
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    Platform,
    changes::{Change, Changed},
    error::{Result, UserError},
};

/// Lines of one batch, and bytes of their text after which no further ones are waited for.
const BATCH_LINES: usize = 256;
const BATCH_BYTES: usize = 256 * 1024;
/// Lines that come within this time travel together, in the order of their times.
const BATCH_TIME: Duration = Duration::from_millis(100);
/// How often it is looked for new instances, beside the news of them.
const LOOK: Duration = Duration::from_secs(5);
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
    /// `None`: all.
    pub streams: Option<Vec<LogStream>>,
    /// Only lines that contain this, in either case.
    pub search: Option<String>,
    /// Go on with new lines, and new instances, until the reader goes.
    pub follow: bool,
}

/// Lines in the order of their times, as far as that can be known.
#[derive(Debug, Clone)]
pub struct Lines {
    pub lines: Vec<LogLine>,
    /// Lines that were left out because the reader was too slow.
    pub dropped_lines: u64,
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
    // Listening begins before the first look.
    let changes = p.changes.subscribe();
    let (merged, sources) = mpsc::channel(BATCHES);
    let reader = Reader {
        p: p.clone(),
        search: request.search.as_ref().map(|text| text.to_lowercase()),
        request,
        open: HashSet::new(),
        seen: HashMap::new(),
        resumed: HashMap::new(),
        begun: false,
        merged,
        tasks: JoinSet::new(),
    };
    tokio::spawn(async move {
        tokio::select! {
            () = to.closed() => {}
            () = reader.run(changes, sources, &to) => {}
        }
    });
    Ok(ReceiverStream::new(lines))
}

/// News of one node's query: lines, or that it has ended for these instances.
enum News {
    Batch(LogBatch),
    Ended(Vec<InstanceId>),
}

struct Reader {
    p: Platform,
    request: LogRequest,
    search: Option<String>,
    open: HashSet<InstanceId>,
    /// The newest line of each instance that was passed on.
    seen: HashMap<InstanceId, Timestamp>,
    /// What was passed on when an instance's reading was last taken up again: several share one query, and it begins with the
    /// earliest of them.
    resumed: HashMap<InstanceId, Timestamp>,
    begun: bool,
    merged: mpsc::Sender<News>,
    tasks: JoinSet<()>,
}

impl Reader {
    async fn run(mut self, mut changes: broadcast::Receiver<Change>, mut sources: mpsc::Receiver<News>, to: &mpsc::Sender<Lines>) {
        loop {
            self.open_missing().await;
            if !self.request.follow && self.open.is_empty() {
                return;
            }
            let look_at = tokio::time::Instant::now() + LOOK;
            let mut is_news = false;
            while !is_news {
                tokio::select! {
                    Some(news) = sources.recv() => {
                        let is_read = self.pass_on(news, &mut sources, to).await;
                        if !is_read || (!self.request.follow && self.open.is_empty()) {
                            return;
                        }
                    }
                    change = changes.recv(), if self.request.follow => {
                        let application = self.request.application;
                        is_news = match change {
                            Ok(Change { what: Changed::Application(id), .. }) => id == application,
                            Ok(Change { what: Changed::Node(_), .. }) | Err(broadcast::error::RecvError::Lagged(_)) => true,
                            Ok(_) => false,
                            Err(broadcast::error::RecvError::Closed) => return,
                        };
                    }
                    () = tokio::time::sleep_until(look_at), if self.request.follow => is_news = true,
                }
            }
        }
    }

    /// Asks the nodes of instances that are not being read.
    async fn open_missing(&mut self) {
        let rows = match self.instances().await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(error = format!("{error:?}"), "an application's instances could not be looked for");
                return;
            }
        };
        let mut by_node: BTreeMap<NodeId, Vec<InstanceId>> = BTreeMap::new();
        for row in rows.into_iter().filter(|row| !self.open.contains(&row.id)) {
            by_node.entry(row.node_id).or_default().push(row.id);
        }
        for (node, ids) in by_node {
            // One that came later, or that was cut off, is read from where it was left; only the past is cut to its tail.
            let after = self.request.after.map(|cursor| cursor.at).or(self.request.since);
            let since = if self.begun { ids.iter().filter_map(|id| self.seen.get(id)).min().copied().or(after) } else { after };
            let tail = if self.begun { None } else { self.request.tail };
            let follow = self.request.follow;
            let query = |query| LogQuery { query, instances: ids.clone(), since, tail, follow, past: None };
            let Some(mut stream) = self.p.fleet.open_logs(node, query) else { continue };
            self.open.extend(&ids);
            self.resumed.extend(ids.iter().filter_map(|id| Some((*id, *self.seen.get(id)?))));
            let merged = self.merged.clone();
            self.tasks.spawn(async move {
                while let Some(batch) = stream.next().await {
                    let is_last = batch.end;
                    if merged.send(News::Batch(batch)).await.is_err() || is_last {
                        break;
                    }
                }
                let _ = merged.send(News::Ended(ids)).await;
            });
        }
        self.begun = true;
    }

    async fn instances(&self) -> Result<Vec<Instance>> {
        let mut tx = self.p.db.read().await?;
        let page = Page::first(Page::MOST);
        let mut rows = instances::of_application(&mut tx, &Viewer::Platform, self.request.application, &page).await?.items;
        let is_wanted = |row: &Instance| match self.request.instance {
            Some(id) => row.id == id,
            // The output of one that failed is still there; of one that was stopped it went with the container.
            None => !matches!(row.status, InstanceStatus::Stopped | InstanceStatus::Lost),
        };
        rows.retain(is_wanted);
        Ok(rows)
    }

    /// Collects what comes within a moment, sorts it and sends it. `false`: the reader is gone.
    async fn pass_on(&mut self, first: News, sources: &mut mpsc::Receiver<News>, to: &mpsc::Sender<Lines>) -> bool {
        let mut out = Lines { lines: vec![], dropped_lines: 0 };
        self.take(first, &mut out);
        let until = tokio::time::Instant::now() + BATCH_TIME;
        while out.lines.len() < BATCH_LINES && out.lines.iter().map(|line| line.message.len()).sum::<usize>() < BATCH_BYTES {
            match tokio::time::timeout_at(until, sources.recv()).await {
                Ok(Some(news)) => self.take(news, &mut out),
                Ok(None) | Err(_) => break,
            }
        }
        if out.lines.is_empty() && out.dropped_lines == 0 {
            return true;
        }
        out.lines.sort_by_key(|line| Cursor::from(line));
        to.send(out).await.is_ok()
    }

    fn take(&mut self, news: News, out: &mut Lines) {
        match news {
            News::Ended(ids) => {
                for id in ids {
                    // A query that ends by itself has told everything; one that was cut off is opened again.
                    self.open.remove(&id);
                }
            }
            News::Batch(batch) => {
                out.dropped_lines += batch.dropped_lines;
                for line in batch.lines {
                    if self.is_wanted(&line) {
                        out.lines.push(line);
                    }
                }
            }
        }
    }

    fn is_wanted(&mut self, line: &LogLine) -> bool {
        let cursor = Cursor::from(line);
        let was_shown = self.resumed.get(&line.instance).is_some_and(|shown| line.at <= *shown);
        if was_shown || self.request.after.is_some_and(|after| cursor <= after) {
            return false;
        }
        self.seen.insert(line.instance, line.at);
        self.request.streams.as_ref().is_none_or(|streams| streams.contains(&line.stream))
            && self.search.as_ref().is_none_or(|text| line.message.to_lowercase().contains(text))
    }
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
