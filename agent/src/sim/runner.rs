//! Builds that take as long, and end as, the test says.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use slipway_model::state::{StepKind, StepStatus};
use slipway_protocol::{Outcome, Task, TaskEventKind, TaskFailure, TaskSpec};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::task::TaskRunner;

/// What comes of a task.
pub type OutcomeOf = Arc<dyn Fn(&Task) -> Outcome + Send + Sync>;

pub struct Builds {
    pub takes: Duration,
    pub outcome: OutcomeOf,
}

impl Builds {
    /// Every plan task ends in `plan`; every build in the image that it names, listening on `port`.
    #[must_use]
    pub fn succeeding(takes: Duration, plan: slipway_buildpack_wit::Plan, port: u16) -> Self {
        let built = move |image: &str| Outcome::Built {
            image: image.to_owned(),
            digest: format!("sha256:{}", slipway_model::Sha256Digest::of(image.as_bytes())),
            image_bytes: 1 << 20,
            exposed_ports: vec![port],
            log_truncated: false,
            from_cache: None,
        };
        let outcome = move |task: &Task| match &task.spec {
            TaskSpec::Plan(_) => Outcome::Planned { plan: plan.clone(), commit: None, commit_message: None },
            TaskSpec::Build(build) => built(&build.image),
            TaskSpec::Pull(pull) => built(pull.image.as_str()),
            TaskSpec::Run(_) => Outcome::Ran { exit_code: 0 },
        };
        Self { takes, outcome: Arc::new(outcome) }
    }

    #[must_use]
    pub fn failing(takes: Duration, failure: TaskFailure) -> Self {
        Self { takes, outcome: Arc::new(move |_| Outcome::Failed(failure.clone())) }
    }
}

impl TaskRunner for Builds {
    fn run<'a>(&'a self, task: &'a Task, events: mpsc::Sender<TaskEventKind>, cancel: CancellationToken) -> BoxFuture<'a, Outcome> {
        async move {
            let step = match task.spec {
                TaskSpec::Plan(_) => StepKind::Detect,
                TaskSpec::Build(_) | TaskSpec::Pull(_) => StepKind::Build,
                TaskSpec::Run(_) => StepKind::Release,
            };
            let say = async |status| {
                // Nobody listens any more only when the agent is shutting down.
                let _ = events.send(TaskEventKind::Step { step, status, message: None }).await;
            };
            say(StepStatus::Running).await;
            let _ = events.send(TaskEventKind::Log { lines: vec![format!("pretending {}", task.id)] }).await;
            if cancel.run_until_cancelled(tokio::time::sleep(self.takes)).await.is_none() {
                say(StepStatus::Canceled).await;
                return Outcome::Canceled;
            }
            let outcome = (self.outcome)(task);
            say(if matches!(outcome, Outcome::Failed(_)) { StepStatus::Failed } else { StepStatus::Succeeded }).await;
            outcome
        }
        .boxed()
    }
}
