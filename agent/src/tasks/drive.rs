//! One task from its begin to its outcome.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use slipway_protocol::{Outcome, Task, TaskEvent, TaskEventKind, TaskFailure};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Tasks;

/// How long a runner may take to stop after it was told to.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// Longest batch of log lines in one event: messages are bounded.
const MAX_EVENT_BYTES: usize = 256 * 1024;

/// Runs the task and writes down what happens. Leaves it unfinished if the agent shuts down first.
pub async fn drive(tasks: Tasks, task: Arc<Task>, cancel: CancellationToken) {
    let shutdown = tasks.0.shutdown.clone();
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = to_its_end(&tasks, &task, &cancel) => {}
    }
}

async fn to_its_end(tasks: &Tasks, task: &Arc<Task>, cancel: &CancellationToken) {
    let expired = AtomicBool::new(false);
    let deadline = async {
        tokio::time::sleep(tasks.time_left(task)).await;
        expired.store(true, Ordering::Relaxed);
        cancel.cancel();
        // The outcome is the other side's to tell.
        std::future::pending::<()>().await;
    };
    let outcome = tokio::select! {
        outcome = run(tasks, task, cancel) => outcome,
        () = deadline => Outcome::Canceled,
    };
    let outcome = if matches!(outcome, Outcome::Canceled) && expired.load(Ordering::Relaxed) {
        Outcome::Failed(
            TaskFailure::new("TIMED_OUT", "The time that this step may take was over.")
                .fix("Look at the end of the log for what took so long, and deploy again."),
        )
    } else {
        outcome
    };
    record(tasks, task, vec![TaskEventKind::Finished { outcome }]).await;
}

async fn run(tasks: &Tasks, task: &Arc<Task>, cancel: &CancellationToken) -> Outcome {
    let _permit = tokio::select! {
        permit = tasks.semaphore(task).acquire() => permit,
        () = cancel.cancelled() => return Outcome::Canceled,
    };
    let (sender, mut receiver) = mpsc::channel(64);
    let runner = Arc::clone(&tasks.0.runner);
    let work = async {
        let work = AssertUnwindSafe(runner.run(task, sender, cancel.clone())).catch_unwind();
        let stopped = async {
            cancel.cancelled().await;
            tokio::time::sleep(STOP_PATIENCE).await;
        };
        tokio::select! {
            result = work => result.unwrap_or_else(|_| {
                tracing::error!(task = %task.id, "a task's runner panicked");
                Outcome::Failed(TaskFailure::new("INTERNAL", "The agent made a mistake while doing this; its log on the node says more."))
            }),
            () = stopped => Outcome::Canceled,
        }
    };
    let mut batch = Vec::new();
    let mut pump = async || {
        while receiver.recv_many(&mut batch, 64).await > 0 {
            record(tasks, task, std::mem::take(&mut batch)).await;
        }
    };
    let (outcome, ()) = tokio::join!(work, pump());
    outcome
}

/// Numbers the events, makes them durable, then lets the session send them.
async fn record(tasks: &Tasks, task: &Arc<Task>, kinds: Vec<TaskEventKind>) {
    let at = tasks.0.clock.now();
    // Only this task's own loop numbers its events, one batch at a time; an acknowledgement may move the number on meanwhile.
    let Some(start) = tasks.entries().get(&task.id).map(|entry| entry.sequence) else { return };
    let mut events: Vec<TaskEvent> = (start + 1..)
        .zip(kinds.into_iter().flat_map(split))
        .map(|(sequence, event)| TaskEvent { task: task.id, sequence, at, event })
        .collect();
    let (journal, id) = (tasks.0.journal.clone(), task.id);
    let written = tokio::task::spawn_blocking(move || {
        let result = journal.append(id, &events);
        (result, events)
    });
    match written.await {
        Ok((result, back)) => {
            events = back;
            if let Err(error) = result {
                tracing::error!(task = %id, %error, "a task's events would not survive a restart of the agent");
            }
        }
        Err(error) => return tracing::error!(task = %id, %error, "a task's events could not be written"),
    }
    {
        let mut entries = tasks.entries();
        let Some(entry) = entries.get_mut(&id) else { return };
        for mut event in events {
            entry.sequence += 1;
            event.sequence = entry.sequence;
            if matches!(event.event, TaskEventKind::Finished { .. }) {
                entry.finished = Some(event.clone());
            }
            entry.unacked.push_back(event);
        }
    }
    tasks.changed();
}

fn split(kind: TaskEventKind) -> Vec<TaskEventKind> {
    let TaskEventKind::Log { lines } = kind else { return vec![kind] };
    let (mut events, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0);
    for line in lines {
        if !batch.is_empty() && bytes + line.len() > MAX_EVENT_BYTES {
            events.push(TaskEventKind::Log { lines: std::mem::take(&mut batch) });
            bytes = 0;
        }
        bytes += line.len();
        batch.push(crate::engine::shorten(line, MAX_EVENT_BYTES));
    }
    if !batch.is_empty() {
        events.push(TaskEventKind::Log { lines: batch });
    }
    events
}
