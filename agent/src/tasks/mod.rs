//! Tasks: each is done once however often it is sent, its events reach the core however often the connection breaks, and it is taken
//! up again after a restart.

mod drive;
mod journal;
mod run_task;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::TimeDelta;
use slipway_model::{Clock, OrganizationId, TaskId, Timestamp};
use slipway_protocol::{Task, TaskEvent, TaskEventKind, TaskSpec};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::task::TaskRunner;
use journal::{Epitaph, Journal, Unfinished};

pub use run_task::Dispatcher;

/// R7, and what a machine bears beside the applications it runs. One more than an organization usually has under way (F43).
pub(crate) const BUILDS_AT_ONCE: usize = 3;
const RUNS_AT_ONCE: usize = 4;

/// The tasks of this node. Cheap to clone.
#[derive(Clone)]
pub struct Tasks(Arc<Inner>);

struct Inner {
    journal: Journal,
    clock: Arc<dyn Clock>,
    runner: Arc<dyn TaskRunner>,
    entries: Mutex<BTreeMap<TaskId, Entry>>,
    /// Grows whenever there is something to send.
    version: watch::Sender<u64>,
    /// Tasks whose containers are in use.
    containers: watch::Sender<BTreeMap<TaskId, OrganizationId>>,
    builds: Semaphore,
    runs: Semaphore,
    /// How far the core's clock is ahead, in milliseconds.
    ahead: AtomicI64,
    shutdown: CancellationToken,
}

struct Entry {
    /// `None` for one that was over before: only its last event is sent again.
    task: Option<Arc<Task>>,
    /// In order, without gaps.
    unacked: VecDeque<TaskEvent>,
    /// The highest number used.
    sequence: u64,
    finished: Option<TaskEvent>,
    cancel: CancellationToken,
}

/// What a session has sent.
#[derive(Debug, Default)]
pub struct Sent(BTreeMap<TaskId, u64>);

impl Tasks {
    /// Takes up what the last process left.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn open(data_dir: &Path, clock: Arc<dyn Clock>, runner: Arc<dyn TaskRunner>, shutdown: CancellationToken) -> io::Result<Self> {
        let journal = Journal::open(data_dir)?;
        let unfinished = journal.load()?;
        let inner = Inner {
            journal,
            clock,
            runner,
            entries: Mutex::default(),
            version: watch::Sender::new(0),
            containers: watch::Sender::default(),
            builds: Semaphore::new(BUILDS_AT_ONCE),
            runs: Semaphore::new(RUNS_AT_ONCE),
            ahead: AtomicI64::new(0),
            shutdown,
        };
        let tasks = Self(Arc::new(inner));
        for Unfinished { task, acked, events } in unfinished {
            let finished = events.iter().find(|event| matches!(event.event, TaskEventKind::Finished { .. })).cloned();
            let sequence = events.last().map_or(acked, |event| event.sequence);
            tracing::info!(task = %task.id, finished = finished.is_some(), "taken up after a restart");
            tasks.insert(task, events.into(), sequence, finished);
        }
        Ok(tasks)
    }

    /// Does it, unless it is known already. One that is over is answered with its stored outcome.
    ///
    /// # Errors
    /// It cannot be written down, so it is not begun.
    pub async fn accept(&self, task: Task) -> io::Result<()> {
        if self.entries().contains_key(&task.id) {
            return Ok(());
        }
        let journal = self.0.journal.clone();
        let begun = tokio::task::spawn_blocking(move || {
            let epitaph = journal.epitaph(task.id).unwrap_or_default();
            if epitaph.finished.is_none() {
                journal.begin(&task)?;
                journal.acked(task.id, epitaph.sequence)?;
            }
            io::Result::Ok((task, epitaph))
        });
        let (task, Epitaph { sequence, finished }) = begun.await.map_err(io::Error::other)??;
        let Some(event) = finished else {
            self.insert(task, VecDeque::new(), sequence, None);
            return Ok(());
        };
        let unacked = VecDeque::from([event.clone()]);
        let entry = Entry { task: None, unacked, sequence, finished: Some(event), cancel: CancellationToken::new() };
        self.entries().insert(task.id, entry);
        self.changed();
        Ok(())
    }

    fn insert(&self, task: Task, unacked: VecDeque<TaskEvent>, sequence: u64, finished: Option<TaskEvent>) {
        let task = Arc::new(task);
        let cancel = CancellationToken::new();
        let begin = finished.is_none();
        let entry = Entry { task: Some(Arc::clone(&task)), unacked, sequence, finished, cancel: cancel.clone() };
        self.entries().insert(task.id, entry);
        self.changed();
        if begin {
            tokio::spawn(drive::drive(self.clone(), task, cancel));
        }
    }

    pub fn cancel(&self, task: TaskId) {
        if let Some(entry) = self.entries().get(&task) {
            entry.cancel.cancel();
        }
    }

    /// The core has stored this task's events up to `sequence`.
    pub fn acked(&self, task: TaskId, sequence: u64) {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(&task) else { return };
        if sequence > entry.sequence {
            // It has events that this process does not know it sent; those waiting here are others, and get new numbers.
            entry.sequence = sequence;
            for event in &mut entry.unacked {
                entry.sequence += 1;
                event.sequence = entry.sequence;
            }
        } else {
            while entry.unacked.front().is_some_and(|event| event.sequence <= sequence) {
                entry.unacked.pop_front();
            }
        }
        let kept = match &entry.finished {
            Some(finished) if entry.unacked.is_empty() => {
                let epitaph = Epitaph { sequence: entry.sequence, finished: Some(finished.clone()) };
                entries.remove(&task);
                self.0.journal.bury(task, &epitaph)
            }
            Some(_) if entry.task.is_none() => Ok(()),
            _ => self.0.journal.acked(task, sequence),
        };
        drop(entries);
        if let Err(error) = kept {
            tracing::warn!(%task, %error, "cannot write down what the core has stored");
        }
        self.changed();
    }

    /// Those that are unfinished or have unacknowledged events.
    #[must_use]
    pub fn known(&self) -> Vec<TaskId> {
        self.entries().keys().copied().collect()
    }

    /// Ends and forgets a task that the core does not name any more.
    pub fn drop_unwanted(&self, task: TaskId) {
        let Some(entry) = self.entries().remove(&task) else { return };
        tracing::info!(%task, "dropped: the control plane does not want it any more");
        entry.cancel.cancel();
        if let Err(error) = self.0.journal.bury(task, &Epitaph { sequence: entry.sequence, finished: entry.finished }) {
            tracing::warn!(%task, %error, "cannot remove its journal");
        }
    }

    /// The next events that this session has not sent, at most `limit`.
    pub fn unsent(&self, sent: &mut Sent, limit: usize) -> Vec<TaskEvent> {
        let entries = self.entries();
        sent.0.retain(|task, _| entries.contains_key(task));
        let mut events = Vec::new();
        for (task, entry) in &*entries {
            let already = sent.0.entry(*task).or_insert(0);
            let from = entry.unacked.partition_point(|event| event.sequence <= *already);
            for event in entry.unacked.range(from..) {
                if events.len() == limit {
                    return events;
                }
                *already = event.sequence;
                events.push(event.clone());
            }
        }
        events
    }

    /// Has everything unacknowledged sent again.
    pub fn resend(&self, sent: &mut Sent) {
        sent.0.clear();
        self.changed();
    }

    /// The oldest unacknowledged event of each task: unchanged for long means that something was lost.
    #[must_use]
    pub fn oldest(&self) -> BTreeSet<(TaskId, u64)> {
        self.entries().iter().filter_map(|(task, entry)| Some((*task, entry.unacked.front()?.sequence))).collect()
    }

    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    #[must_use]
    pub fn containers(&self) -> watch::Receiver<BTreeMap<TaskId, OrganizationId>> {
        self.0.containers.subscribe()
    }

    /// Deadlines are told by the core's clock.
    pub fn core_clock(&self, core_now: Timestamp) {
        let ahead = (core_now - self.0.clock.now()).num_milliseconds();
        self.0.ahead.store(ahead, Ordering::Relaxed);
    }

    fn time_left(&self, task: &Task) -> std::time::Duration {
        let core_now = self.0.clock.now() + TimeDelta::milliseconds(self.0.ahead.load(Ordering::Relaxed));
        (task.deadline - core_now).to_std().unwrap_or_default()
    }

    fn semaphore(&self, task: &Task) -> &Semaphore {
        match task.spec {
            TaskSpec::Plan(_) | TaskSpec::Build(_) | TaskSpec::Pull(_) => &self.0.builds,
            TaskSpec::Run(_) => &self.0.runs,
        }
    }

    fn changed(&self) {
        self.0.version.send_modify(|version| *version += 1);
        let entries = self.entries();
        let tasks = entries.values().filter_map(|entry| {
            let task = entry.task.as_ref().filter(|task| matches!(task.spec, TaskSpec::Run(_)) && entry.finished.is_none())?;
            Some((task.id, task.organization))
        });
        let tasks: BTreeMap<TaskId, OrganizationId> = tasks.collect();
        drop(entries);
        self.0.containers.send_if_modified(|current| {
            let differs = *current != tasks;
            *current = tasks;
            differs
        });
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<TaskId, Entry>> {
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
