//! The release process: run once in the new image, under the same limits as an instance, before any instance starts.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use slipway_model::state::{StepKind, StepStatus};
use slipway_protocol::{Outcome, RunTask, Task, TaskEventKind, TaskFailure, TaskSpec};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::engine::{ContainerSpec, ContainerState, Engine, EngineError, LogsFrom, Owner};
use crate::task::TaskRunner;

const LINES_AT_ONCE: usize = 256;
/// How long the end of the output may lag behind the end of the process.
const LOG_PATIENCE: Duration = Duration::from_secs(5);

/// Gives release processes to the engine and everything else to the builder.
pub struct Dispatcher {
    pub engine: Arc<dyn Engine>,
    pub builder: Arc<dyn TaskRunner>,
}

impl TaskRunner for Dispatcher {
    fn run<'a>(&'a self, task: &'a Task, events: mpsc::Sender<TaskEventKind>, cancel: CancellationToken) -> BoxFuture<'a, Outcome> {
        match &task.spec {
            TaskSpec::Run(run) => release(&*self.engine, task, run, events, cancel).boxed(),
            TaskSpec::Plan(_) | TaskSpec::Build(_) | TaskSpec::Pull(_) => self.builder.run(task, events, cancel),
        }
    }
}

async fn release(
    engine: &dyn Engine,
    task: &Task,
    run: &RunTask,
    events: mpsc::Sender<TaskEventKind>,
    cancel: CancellationToken,
) -> Outcome {
    let owner = Owner::Task(task.id);
    let step = async |status, message| {
        // Nobody listens any more only when the task is being given up.
        let _ = events.send(TaskEventKind::Step { step: StepKind::Release, status, message }).await;
    };
    step(StepStatus::Running, None).await;
    let limit = Duration::from_secs(run.time_seconds.max(1));
    let work = async {
        begin(engine, &ContainerSpec::of_run_task(task, run)).await?;
        let ended = engine.wait(owner);
        let (exit_code, ()) = tokio::join!(ended, stream_lines(engine, owner, &events));
        exit_code
    };
    let ended = tokio::select! {
        ended = work => Some(ended),
        () = tokio::time::sleep(limit) => None,
        () = cancel.cancelled() => {
            remove(engine, owner).await;
            step(StepStatus::Canceled, None).await;
            return Outcome::Canceled;
        }
    };
    remove(engine, owner).await;
    let failure = match ended {
        Some(Ok(exit_code)) => {
            let status = if exit_code == 0 { StepStatus::Succeeded } else { StepStatus::Failed };
            step(status, (exit_code != 0).then(|| format!("exited with code {exit_code}"))).await;
            return Outcome::Ran { exit_code };
        }
        Some(Err(error)) => TaskFailure::new("RELEASE_NOT_RUN", format!("The release process could not be run: {error}."))
            .fix("If its command is right, look at the node's engine, then deploy again."),
        None => TaskFailure::new("RELEASE_TIMED_OUT", format!("The release process did not end within {} s.", run.time_seconds))
            .fix("Make it shorter, or have it do the long part in the background of the running application."),
    };
    step(StepStatus::Failed, Some(failure.message.clone())).await;
    Outcome::Failed(failure)
}

/// Starts it, unless an agent that was restarted since has done so: a migration must not run twice at once.
async fn begin(engine: &dyn Engine, spec: &ContainerSpec) -> Result<(), EngineError> {
    engine.create(spec).await?;
    let container = engine.list().await?.into_iter().find(|container| container.owner == spec.owner);
    match container.map(|container| container.state) {
        Some(ContainerState::Running { .. } | ContainerState::Exited { .. }) => Ok(()),
        Some(ContainerState::Created { .. } | ContainerState::Going) | None => engine.start(spec.owner).await,
    }
}

async fn stream_lines(engine: &dyn Engine, owner: Owner, events: &mpsc::Sender<TaskEventKind>) {
    let lines = engine.logs(owner, LogsFrom { since: None, tail: None, follow: true });
    let mut batches = lines.filter_map(async |line| Some(line.ok()?.message)).boxed().ready_chunks(LINES_AT_ONCE);
    let ended = async {
        // The stream ends with the container; should it not, the process's end is enough.
        let _ = engine.wait(owner).await;
        tokio::time::sleep(LOG_PATIENCE).await;
    };
    let read = async {
        while let Some(lines) = batches.next().await {
            if events.send(TaskEventKind::Log { lines }).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = read => {}
        () = ended => {}
    }
}

async fn remove(engine: &dyn Engine, owner: Owner) {
    if let Err(error) = engine.remove(owner).await {
        // The reconciler removes containers of tasks that are over.
        tracing::warn!(container = owner.container_name(), %error, "cannot remove it yet");
    }
}
