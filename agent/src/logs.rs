//! Log queries: read from the engine's own bounded files, merged by time, sent in batches.
//!
//! Invariants: a query that nobody drains keeps a bounded number of lines; while following, what does not fit is counted to the line
//! and told with the batch that comes after the gap; without following nothing is left out, and the reading waits. One query's flood does
//! not take another's place: each has its own few batches on the way.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use slipway_model::{InstanceId, Timestamp};
use slipway_protocol::{LineFilter, LogBatch, LogLine, LogQuery, LogQueryId, PastLines};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::engine::{Engine, EngineError, EngineLine, LogsFrom, Owner};

const BATCH_LINES: usize = 256;
const BATCH_BYTES: usize = 1 << 20;
const BATCH_TIME: Duration = Duration::from_millis(100);
/// Batches of one query that are full and wait, and that are handed over and not sent yet.
const WAITING: usize = 8;
const ON_THE_WAY: usize = 4;
/// How soon to look for a container that is not there yet, or came back.
const AGAIN: Duration = Duration::from_secs(1);

/// A batch on its way to the core; its place is free again once this is dropped.
pub struct Outgoing {
    pub batch: LogBatch,
    _place: OwnedSemaphorePermit,
}

/// The open queries of one session. Dropping it ends them.
pub struct LogQueries {
    engine: Arc<dyn Engine>,
    out: mpsc::UnboundedSender<Outgoing>,
    open: HashMap<LogQueryId, AbortHandle>,
    running: JoinSet<()>,
}

impl LogQueries {
    /// What is to be sent arrives in `out`; each query has a bounded number of batches in it.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>, out: mpsc::UnboundedSender<Outgoing>) -> Self {
        Self { engine, out, open: HashMap::new(), running: JoinSet::new() }
    }

    /// Begins a query; one of the same number is replaced.
    pub fn open(&mut self, query: LogQuery) {
        while self.running.try_join_next().is_some() {}
        self.close(query.query);
        let number = query.query;
        let handle = self.running.spawn(answer(Arc::clone(&self.engine), query, self.out.clone()));
        self.open.insert(number, handle);
    }

    pub fn close(&mut self, query: LogQueryId) {
        if let Some(running) = self.open.remove(&query) {
            running.abort();
        }
    }
}

async fn answer(engine: Arc<dyn Engine>, query: LogQuery, out: mpsc::UnboundedSender<Outgoing>) {
    let (number, follow) = (query.query, query.follow);
    let (sender, mut lines) = mpsc::channel(BATCH_LINES);
    let mut reader = JoinSet::new();
    reader.spawn(read(engine, query, sender));
    let mut sink = Sink { number, out, places: Arc::new(Semaphore::new(ON_THE_WAY)), full: VecDeque::new(), open: Batch::default() };
    let mut tick = interval(BATCH_TIME);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // Without following, a full sink stops the reading instead of losing lines.
        let may_read = follow || sink.full.len() < WAITING;
        tokio::select! {
            told = lines.recv(), if may_read => match told {
                Some(Told::Line(line)) => sink.push(line),
                Some(Told::Live) => sink.live(),
                None => return sink.finish().await,
            },
            _ = tick.tick() => {
                sink.hand_over();
                sink.close_batch();
                sink.hand_over();
            }
        }
    }
}

enum Told {
    Line(LogLine),
    /// What there was has been told, and all that comes will be.
    Live,
}

#[derive(Default)]
struct Batch {
    lines: Vec<LogLine>,
    bytes: usize,
    /// Lines left out before the first of these.
    dropped: u64,
    live: bool,
}

struct Sink {
    number: LogQueryId,
    out: mpsc::UnboundedSender<Outgoing>,
    places: Arc<Semaphore>,
    full: VecDeque<Batch>,
    open: Batch,
}

impl Sink {
    fn push(&mut self, line: LogLine) {
        if self.full.len() >= WAITING {
            self.hand_over();
        }
        if self.full.len() >= WAITING {
            // The open batch is empty here: it was closed when the last place was taken.
            self.open.dropped += 1;
            return;
        }
        self.open.bytes += line.message.len();
        self.open.lines.push(line);
        if self.open.lines.len() >= BATCH_LINES || self.open.bytes >= BATCH_BYTES {
            self.close_batch();
            self.hand_over();
        }
    }

    /// Told with the batch that is open, at the next tick at the latest.
    fn live(&mut self) {
        self.open.live = true;
        self.close_batch();
        self.hand_over();
    }

    fn close_batch(&mut self) {
        let something = !self.open.lines.is_empty() || self.open.dropped > 0 || self.open.live;
        if something && self.full.len() < WAITING {
            self.full.push_back(std::mem::take(&mut self.open));
        }
    }

    fn hand_over(&mut self) {
        while !self.full.is_empty() {
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
            if let Some(batch) = self.full.pop_front() {
                self.send(batch, false, place);
            }
        }
    }

    fn send(&self, batch: Batch, end: bool, place: OwnedSemaphorePermit) {
        let batch = LogBatch { query: self.number, lines: batch.lines, dropped_lines: batch.dropped, live: batch.live, end };
        // A closed session needs no lines.
        let _ = self.out.send(Outgoing { batch, _place: place });
    }

    async fn finish(mut self) {
        let last = std::mem::take(&mut self.open);
        self.full.push_back(last);
        while let Some(batch) = self.full.pop_front() {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
            self.send(batch, self.full.is_empty(), place);
        }
    }
}

async fn read(engine: Arc<dyn Engine>, query: LogQuery, out: mpsc::Sender<Told>) {
    let mut last: HashMap<InstanceId, Timestamp> = HashMap::new();
    let mut wanted = Wanted::of(&query, out.clone());
    let whole = history(&*engine, &query, &mut last, &mut wanted).await;
    if wanted.hand_over().await.is_err() || whole.is_err() {
        return;
    }
    if !query.follow {
        return;
    }
    // Without any of the past there is no line after which all others would come.
    if query.tail != Some(0) && out.send(Told::Live).await.is_err() {
        return;
    }
    let mut following = JoinSet::new();
    for instance in query.instances {
        let from = last.get(&instance).copied();
        let tail = query.tail.filter(|tail| from.is_none() && *tail == 0);
        following.spawn(follow(Arc::clone(&engine), instance, from.or(query.since), tail, out.clone()));
    }
    while following.join_next().await.is_some() {}
}

struct Closed;

/// What is there already, of all instances, in the order of time.
async fn history(
    engine: &dyn Engine,
    query: &LogQuery,
    last: &mut HashMap<InstanceId, Timestamp>,
    wanted: &mut Wanted,
) -> Result<(), Closed> {
    if query.tail == Some(0) {
        return Ok(());
    }
    let from = LogsFrom { since: query.since, tail: query.tail, follow: false };
    let mut streams: Vec<(InstanceId, BoxStream<'static, _>)> =
        query.instances.iter().map(|instance| (*instance, engine.logs(Owner::Instance(*instance), from.clone()))).collect();
    let mut heads = BinaryHeap::new();
    let mut held: Vec<Option<EngineLine>> = Vec::new();
    for (index, (_, stream)) in streams.iter_mut().enumerate() {
        let line = next_after(stream, query.since).await;
        heads.extend(line.as_ref().map(|line| Reverse((line.at, index))));
        held.push(line);
    }
    while let Some(Reverse((at, index))) = heads.pop() {
        let (instance, stream) = &mut streams[index];
        if let Some(line) = held[index].take() {
            last.insert(*instance, at);
            wanted.take(of(*instance, line)).await?;
        }
        held[index] = next_after(stream, query.since).await;
        heads.extend(held[index].as_ref().map(|line| Reverse((line.at, index))));
    }
    Ok(())
}

/// What of the past goes on its way: all of it, or as much of it as was asked for.
struct Wanted {
    out: mpsc::Sender<Told>,
    past: Option<PastLines>,
    filter: LineFilter,
    /// Of a look for the newest, which are known at its end only. No more are held than are wanted.
    kept: VecDeque<LogLine>,
    count: usize,
}

impl Wanted {
    fn of(query: &LogQuery, out: mpsc::Sender<Told>) -> Self {
        let past = query.past.clone().filter(|_| !query.follow);
        let filter = past.as_ref().map(PastLines::filter).unwrap_or_default();
        Self { out, past, filter, kept: VecDeque::new(), count: 0 }
    }

    /// Lines come in the order of time. It ends where nothing more is wanted.
    async fn take(&mut self, line: LogLine) -> Result<(), Closed> {
        if let Some(past) = &self.past {
            let most = usize::try_from(past.most).unwrap_or(usize::MAX);
            if past.until.is_some_and(|until| line.at > until) || (!past.newest && self.count >= most) || most == 0 {
                return Err(Closed);
            }
            if !self.filter.takes(&line) {
                return Ok(());
            }
            self.count += 1;
            if past.newest {
                if self.kept.len() >= most {
                    self.kept.pop_front();
                }
                self.kept.push_back(line);
                return Ok(());
            }
        }
        self.out.send(Told::Line(line)).await.map_err(|_| Closed)
    }

    async fn hand_over(&mut self) -> Result<(), Closed> {
        for line in self.kept.drain(..) {
            self.out.send(Told::Line(line)).await.map_err(|_| Closed)?;
        }
        Ok(())
    }
}

/// The engine knows whole seconds only.
async fn next_after(stream: &mut BoxStream<'static, Result<EngineLine, EngineError>>, since: Option<Timestamp>) -> Option<EngineLine> {
    while let Some(Ok(line)) = stream.next().await {
        if since.is_none_or(|since| line.at > since) {
            return Some(line);
        }
    }
    None
}

/// New lines of one instance, across its restarts, until its container is gone.
async fn follow(
    engine: Arc<dyn Engine>,
    instance: InstanceId,
    mut after: Option<Timestamp>,
    mut tail: Option<u32>,
    out: mpsc::Sender<Told>,
) {
    let mut existed = after.is_some();
    loop {
        let mut lines = engine.logs(Owner::Instance(instance), LogsFrom { since: after, tail: tail.take(), follow: true });
        let mut gone = false;
        while let Some(line) = lines.next().await {
            match line {
                Ok(line) => {
                    existed = true;
                    if after.is_none_or(|after| line.at > after) {
                        after = Some(line.at);
                        if out.send(Told::Line(of(instance, line))).await.is_err() {
                            return;
                        }
                    }
                }
                Err(EngineError::NotFound) => gone = true,
                Err(error) => tracing::debug!(%instance, %error, "cannot read its output; tries again"),
            }
        }
        if gone && existed {
            return;
        }
        sleep(AGAIN).await;
    }
}

fn of(instance: InstanceId, line: EngineLine) -> LogLine {
    LogLine { instance, at: line.at, stream: line.stream, message: line.message, truncated: line.truncated }
}
