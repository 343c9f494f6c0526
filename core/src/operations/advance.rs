//! One step of one operation.

use chrono::TimeDelta;
use slipway_model::state::{OperationKind, OperationStatus};
use slipway_protocol::TaskFailure;
use slipway_store::operations::{self, Operation};

use super::{
    payload::{Origin, Payload},
    resolve, situation,
    work::{Halt, Work},
};
use crate::{
    Platform, quotas,
    rollout::{self, Next, Step},
};

/// How often one that waits for a build is looked at, beside the word that another has ended.
const WAIT_FOR_BUILD: TimeDelta = TimeDelta::seconds(20);

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advanced {
    /// A step was recorded, or the end.
    Moved,
    /// There is nothing to do yet.
    Waits,
    /// Somebody else holds the operation: nothing was written.
    Lost,
    /// It will be tried again.
    Failed,
}

/// Takes the next step of a claimed operation, and gives it back.
pub async fn advance(p: &Platform, operation: &Operation) -> Advanced {
    match attempt(p, operation).await {
        Ok(advanced) => advanced,
        Err(error) => {
            tracing::warn!(operation = %operation.id, kind = %operation.kind, error = format!("{error:#}"), "a step failed and is tried again");
            retry(p, operation, "The control plane could not go on.").await;
            Advanced::Failed
        }
    }
}

async fn attempt(p: &Platform, operation: &Operation) -> anyhow::Result<Advanced> {
    let answers = resolve::ask(p, operation, &Payload::from_json(&operation.payload)?).await?;
    let (refusal, is_about_end) = (answers.refusal.clone(), answers.is_about_end);
    let Some(mut work) = Work::hold(p, operation, answers).await? else { return Ok(Advanced::Lost) };
    if !work.payload.begun && builds(&work) && quotas::is_building_enough(&mut work.tx, work.application.organization_id).await? {
        // It goes on waiting for its turn, as if nobody had looked: a newer deployment may still take its place.
        work.operation.status = OperationStatus::Queued;
        work.operation.next_run_at = p.now() + WAIT_FOR_BUILD;
        save(&mut work).await?;
        work.tx.commit().await?;
        return Ok(Advanced::Waits);
    }
    if !work.payload.begun {
        // The time that it waited for its turn is not its own.
        work.payload.begun = true;
        work.payload.since = p.now();
        let usual = work.operation.deadline.max(p.now() + super::time_limit(operation.kind));
        work.operation.deadline = work.payload.until.map_or(usual, |until| until.min(usual));
    }
    let situation = situation::read(&mut work).await?;
    let asks = work.payload.origin == Origin::Source && matches!(work.step(), Step::Plan | Step::Build);
    if asks && !is_about_end && situation.task.as_ref().is_some_and(|task| task.status.is_terminal()) {
        // It ended between the question to the plugins and this transaction: they are asked again.
        work.operation.next_run_at = situation.now;
        save(&mut work).await?;
        work.tx.commit().await?;
        p.wake.wake();
        return Ok(Advanced::Waits);
    }
    let next = match refusal {
        Some(failure) => Next::Fail(failure, rollout::undo(&situation)),
        None => rollout::next(&situation),
    };
    match next {
        Next::Wait(pause) => {
            work.operation.next_run_at = situation.now + pause.max(TimeDelta::milliseconds(100));
            save(&mut work).await?;
            work.tx.commit().await?;
            Ok(Advanced::Waits)
        }
        Next::To(to, effects) => match work.apply(effects).await {
            Ok(()) => {
                let from = work.step();
                go_to(&mut work, to);
                finish(work, from).await?;
                Ok(Advanced::Moved)
            }
            Err(Halt::Failed(error)) => Err(error),
            Err(Halt::Refused(failure)) => {
                // What the step has recorded so far is dropped with its transaction.
                drop(work);
                fail(p, operation, failure).await
            }
        },
        Next::Fail(failure, effects) => {
            record_failure(work, failure, effects).await?;
            Ok(Advanced::Moved)
        }
    }
}

/// Whether it takes one of its organization's builds.
fn builds(work: &Work<'_>) -> bool {
    work.operation.kind == OperationKind::Deploy && matches!(work.payload.origin, Origin::Source | Origin::Image)
}

fn go_to(work: &mut Work<'_>, to: Step) {
    work.operation.step = Some(to.as_str().to_owned());
    work.operation.attempt = 0;
    work.operation.next_run_at = work.p.now();
    work.payload.since = work.p.now();
}

async fn save(work: &mut Work<'_>) -> anyhow::Result<()> {
    work.operation.payload = work.payload.to_json().map_err(anyhow::Error::new)?;
    let is_held = operations::save(&mut work.tx, &work.operation).await?;
    // The row has been held since the transaction began.
    anyhow::ensure!(is_held, "the operation was taken away within its own transaction");
    Ok(())
}

async fn finish(mut work: Work<'_>, from: Step) -> anyhow::Result<()> {
    save(&mut work).await?;
    if from == Step::Build {
        free_build(&mut work).await?;
    }
    work.write_rest().await?;
    let name = from.as_str();
    work.commit(&format!("{name}.before_commit"), &format!("{name}.after_commit")).await
}

/// Another build of the organization may begin.
async fn free_build(work: &mut Work<'_>) -> anyhow::Result<()> {
    operations::nudge_waiting_build(&mut work.tx, work.application.organization_id, work.p.now()).await?;
    Ok(())
}

/// In a transaction of its own.
async fn fail(p: &Platform, operation: &Operation, failure: TaskFailure) -> anyhow::Result<Advanced> {
    let Some(mut work) = Work::hold(p, operation, resolve::Answers::default()).await? else { return Ok(Advanced::Lost) };
    let situation = situation::read(&mut work).await?;
    record_failure(work, failure, rollout::undo(&situation)).await?;
    Ok(Advanced::Moved)
}

async fn record_failure(mut work: Work<'_>, failure: TaskFailure, effects: Vec<rollout::Effect>) -> anyhow::Result<()> {
    tracing::info!(operation = %work.operation.id, code = failure.code, message = failure.message, "an operation failed");
    let recorded = async {
        work.apply(effects).await?;
        work.fail(&failure).await
    };
    match recorded.await {
        Ok(()) => {}
        Err(Halt::Failed(error)) => return Err(error),
        Err(Halt::Refused(again)) => return Err(anyhow::anyhow!(again)),
    }
    save(&mut work).await?;
    if builds(&work) {
        free_build(&mut work).await?;
    }
    work.write_rest().await?;
    work.commit("fail.before_commit", "fail.after_commit").await
}

/// Counts a failed try: the next one is later, and after the last one the operation fails.
pub(super) async fn retry(p: &Platform, operation: &Operation, reason: &str) {
    let counted = async {
        let Some(mut work) = Work::hold(p, operation, resolve::Answers::default()).await? else { return Ok(()) };
        work.operation.attempt += 1;
        if work.operation.attempt < work.operation.max_attempts && p.now() < work.operation.deadline {
            let pause = TimeDelta::milliseconds(500) * 2_i32.pow(u32::try_from(work.operation.attempt.min(6)).unwrap_or(0));
            work.operation.next_run_at = p.now() + pause;
            save(&mut work).await?;
            work.tx.commit().await?;
            return Ok(());
        }
        drop(work);
        let failure = TaskFailure::new("INTERNAL", reason).fix("Try again; if it stays so, ask the administrator to look at the log.");
        fail(p, operation, failure).await.map(drop)
    };
    if let Err(error) = counted.await {
        // Its lease runs out, and somebody takes it then.
        let error: anyhow::Error = error;
        tracing::error!(operation = %operation.id, error = format!("{error:#}"), "a failed try could not be recorded");
    }
}
