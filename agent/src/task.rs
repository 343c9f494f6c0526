//! What a task needs from whoever carries it out. The session keeps the journal; a runner only does the work.

use futures::future::BoxFuture;
use slipway_protocol::{Outcome, Task, TaskEventKind};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Carries out one kind of task.
///
/// A runner is called again with the same task after the agent was restarted in the middle of it, so what it does must be
/// repeatable. It ends with an [`Outcome`] in every case: an error is [`Outcome::Failed`], and after `cancel` it stops soon with
/// [`Outcome::Canceled`]. It sends steps and log lines through `events`, never [`TaskEventKind::Finished`]: that follows from what it
/// returns. The channel is bounded, so that a build that prints without end waits for the journal.
pub trait TaskRunner: Send + Sync {
    fn run<'a>(&'a self, task: &'a Task, events: mpsc::Sender<TaskEventKind>, cancel: CancellationToken) -> BoxFuture<'a, Outcome>;
}
