//! A reading of an application's output from the nodes of its instances, whichever these are.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use slipway_model::{InstanceId, NodeId, Timestamp, Viewer, state::InstanceStatus};
use slipway_protocol::{LogBatch, LogLine, LogQuery};
use slipway_store::{
    Page,
    instances::{self, Instance},
};
use tokio::{
    sync::{broadcast, mpsc, watch},
    task::JoinSet,
};

use super::{BATCHES, Cursor, Lines, LogRequest};
use crate::{
    Platform,
    changes::{Change, Changed},
    error::Result,
};

/// Lines that come within this time travel together, in the order of their times.
const BATCH_TIME: Duration = Duration::from_millis(100);
/// How often it is looked for new instances, beside the news of them.
const LOOK: Duration = Duration::from_secs(5);

/// News of one node's query.
enum News {
    Batch(LogBatch),
    /// From now on every line of these instances comes.
    Live(Vec<InstanceId>),
    Ended(Vec<InstanceId>),
}

pub(super) struct Reading {
    p: Platform,
    request: LogRequest,
    open: HashSet<InstanceId>,
    /// The newest line of each instance that was passed on.
    seen: HashMap<InstanceId, Timestamp>,
    /// What was passed on when an instance's reading was last taken up again: several share one query, and it begins with the
    /// earliest of them.
    resumed: HashMap<InstanceId, Timestamp>,
    begun: bool,
    /// Of those that were open at first, the ones whose lines may not all come yet.
    not_live: HashSet<InstanceId>,
    live: watch::Sender<bool>,
    merged: mpsc::Sender<News>,
    sources: mpsc::Receiver<News>,
    tasks: JoinSet<()>,
}

impl Reading {
    pub(super) fn of(p: &Platform, request: LogRequest) -> Self {
        let (merged, sources) = mpsc::channel(BATCHES);
        Self {
            p: p.clone(),
            request,
            open: HashSet::new(),
            seen: HashMap::new(),
            resumed: HashMap::new(),
            begun: false,
            not_live: HashSet::new(),
            live: watch::Sender::new(false),
            merged,
            sources,
            tasks: JoinSet::new(),
        }
    }

    /// Goes on after what was seen of each instance before. Of those that were not, the request's tail is read.
    pub(super) fn after(mut self, seen: HashMap<InstanceId, Timestamp>) -> Self {
        self.begun = !seen.is_empty();
        self.seen = seen;
        self
    }

    /// Tells when every line that is written from then on will come.
    pub(super) fn live(&self) -> watch::Receiver<bool> {
        self.live.subscribe()
    }

    /// Until everything was told, or, following, until nobody takes it. Gives what was seen of each instance.
    pub(super) async fn run(mut self, to: &mpsc::Sender<Lines>) -> HashMap<InstanceId, Timestamp> {
        // Listening begins before the first look.
        let mut changes = self.p.changes.subscribe();
        loop {
            self.open_missing().await;
            if !self.request.follow && self.open.is_empty() {
                return self.seen;
            }
            let look_at = tokio::time::Instant::now() + LOOK;
            let mut is_news = false;
            while !is_news {
                tokio::select! {
                    Some(news) = self.sources.recv() => {
                        let is_read = self.pass_on(news, to).await;
                        if !is_read || (!self.request.follow && self.open.is_empty()) {
                            return self.seen;
                        }
                    }
                    change = changes.recv(), if self.request.follow => {
                        let application = self.request.application;
                        is_news = match change {
                            Ok(Change { what: Changed::Application(id), .. }) => id == application,
                            Ok(Change { what: Changed::Node(_), .. }) | Err(broadcast::error::RecvError::Lagged(_)) => true,
                            Ok(_) => false,
                            Err(broadcast::error::RecvError::Closed) => return self.seen,
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
            if !self.begun {
                self.not_live.extend(&ids);
            }
            let merged = self.merged.clone();
            self.tasks.spawn(async move {
                while let Some(batch) = stream.next().await {
                    let (is_last, is_live) = (batch.end, batch.live);
                    if merged.send(News::Batch(batch)).await.is_err() {
                        break;
                    }
                    if is_live && merged.send(News::Live(ids.clone())).await.is_err() {
                        break;
                    }
                    if is_last {
                        break;
                    }
                }
                let _ = merged.send(News::Ended(ids)).await;
            });
        }
        self.begun = true;
        if self.not_live.is_empty() {
            self.live.send_replace(true);
        }
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
    async fn pass_on(&mut self, first: News, to: &mpsc::Sender<Lines>) -> bool {
        let mut out = Lines::default();
        let mut live = self.take(first, &mut out);
        let until = tokio::time::Instant::now() + BATCH_TIME;
        while !out.is_full() && !live {
            match tokio::time::timeout_at(until, self.sources.recv()).await {
                Ok(Some(news)) => live = self.take(news, &mut out),
                Ok(None) | Err(_) => break,
            }
        }
        if !out.is_empty() {
            out.lines.sort_by_key(|line| Cursor::from(line));
            if to.send(out).await.is_err() {
                return false;
            }
        }
        if live {
            self.live.send_replace(true);
        }
        true
    }

    /// Whether all that was open at first is live since this.
    fn take(&mut self, news: News, out: &mut Lines) -> bool {
        match news {
            News::Live(ids) => return self.is_live_with(&ids),
            News::Ended(ids) => {
                for id in &ids {
                    // A query that ends by itself has told everything; one that was cut off is opened again.
                    self.open.remove(id);
                }
                return self.is_live_with(&ids);
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
        false
    }

    fn is_live_with(&mut self, ids: &[InstanceId]) -> bool {
        let was_live = self.not_live.is_empty();
        self.not_live.retain(|id| !ids.contains(id));
        !was_live && self.not_live.is_empty()
    }

    fn is_wanted(&mut self, line: &LogLine) -> bool {
        let cursor = Cursor::from(line);
        let was_shown = self.resumed.get(&line.instance).is_some_and(|shown| line.at <= *shown);
        if was_shown || self.request.after.is_some_and(|after| cursor <= after) {
            return false;
        }
        self.seen.insert(line.instance, line.at);
        self.request.filter.takes(line)
    }
}
