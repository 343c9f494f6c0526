//! One who follows: the past is read for them alone, and what is new comes from the feed that all share.

use std::{collections::HashMap, sync::Arc};

use slipway_model::{InstanceId, Timestamp};
use slipway_protocol::LogLine;
use tokio::sync::{
    broadcast::{
        self,
        error::{RecvError, TryRecvError},
    },
    mpsc,
};

use super::{
    Cursor, Lines, LogRequest,
    feed::{Feed, KEPT, Numbered},
    reading::Reading,
};
use crate::Platform;

/// A past that grows faster than it is read is read on so often; what is lost after that is counted.
const ROUNDS: usize = 4;

pub(super) struct Follower {
    p: Platform,
    feed: Arc<Feed>,
    request: LogRequest,
    /// The newest line of each instance that was passed on.
    seen: HashMap<InstanceId, Timestamp>,
    /// Lines of the feed that were taken, lost or not wanted.
    lines: u64,
}

impl Follower {
    pub(super) fn new(p: &Platform, request: LogRequest) -> Self {
        let feed = p.logs.join(p, request.application);
        Self { p: p.clone(), feed, request, seen: HashMap::new(), lines: 0 }
    }

    /// Until nobody takes what comes.
    pub(super) async fn run(mut self, to: &mpsc::Sender<Lines>) {
        // From here on a line is in the past that is read below, or comes from the feed, or both.
        self.feed.is_live().await;
        let (mut live, before) = self.feed.subscribe();
        self.lines = before;
        if self.request.tail != Some(0) {
            for _ in 0..ROUNDS {
                self.read_past(to).await;
                if live.len() <= KEPT {
                    break;
                }
                (live, self.lines) = self.feed.subscribe();
            }
        }
        while let Some(batch) = self.next(&mut live).await {
            if to.send(batch).await.is_err() {
                return;
            }
        }
    }

    async fn read_past(&mut self, to: &mpsc::Sender<Lines>) {
        let past = LogRequest { follow: false, ..self.request.clone() };
        self.seen = Reading::of(&self.p, past).after(std::mem::take(&mut self.seen)).run(to).await;
    }

    /// All that has come, as far as it makes one batch. `None`: there will be nothing more.
    async fn next(&mut self, live: &mut broadcast::Receiver<Arc<Numbered>>) -> Option<Lines> {
        let mut out = Lines::default();
        loop {
            match live.recv().await {
                Ok(numbered) => self.take(&numbered, &mut out),
                // How many lines that were is told by the number of the next batch.
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return None,
            }
            while !out.is_full() {
                match live.try_recv() {
                    Ok(numbered) => self.take(&numbered, &mut out),
                    Err(TryRecvError::Lagged(_)) => {}
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
            if !out.is_empty() {
                return Some(out);
            }
        }
    }

    fn take(&mut self, numbered: &Numbered, out: &mut Lines) {
        out.dropped_lines += numbered.before.saturating_sub(self.lines) + numbered.batch.dropped_lines;
        self.lines = numbered.after();
        let wanted: Vec<LogLine> = numbered.batch.lines.iter().filter(|line| self.is_wanted(line)).cloned().collect();
        out.lines.extend(wanted);
    }

    fn is_wanted(&mut self, line: &LogLine) -> bool {
        let is_of_the_past = self.seen.get(&line.instance).is_some_and(|seen| line.at <= *seen)
            || self.request.after.is_some_and(|after| Cursor::from(line) <= after)
            || self.request.since.is_some_and(|since| line.at <= since);
        if is_of_the_past {
            return false;
        }
        self.request.instance.is_none_or(|instance| line.instance == instance) && self.request.filter.takes(line)
    }
}
