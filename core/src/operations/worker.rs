//! The workers: they sleep until something is due or somebody wakes them.

use std::{sync::Arc, time::Duration};

use slipway_store::operations::{self, Operation};
use tokio::{sync::Notify, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{LEASE, advance};
use crate::{Platform, error::Result};

const WORKERS: usize = 4;
/// How long a worker sleeps when nothing is known to be due: another process may have recorded work.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// After the database could not be asked.
const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// Wakes sleeping workers: work was recorded, or there is news for work that waits.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// To be called after the commit.
    pub fn wake(&self) {
        self.0.notify_waiters();
        // For the worker that is about to sleep.
        self.0.notify_one();
    }

    async fn woken(&self) {
        self.0.notified().await;
    }
}

/// Works until it is told to stop. A step under way is finished first.
pub(crate) async fn run(p: Platform, stop: CancellationToken) {
    let mut workers = JoinSet::new();
    for number in 0..WORKERS {
        // Names the process and the worker, for people who look at a lease.
        let owner = format!("{}-{}/{number}", hostname(), std::process::id());
        workers.spawn(work(p.clone(), owner, stop.clone()));
    }
    while workers.join_next().await.is_some() {}
}

async fn work(p: Platform, owner: String, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let pause = match claim(&p, &owner).await {
            Ok(Some(operation)) => {
                step(&p, operation).await;
                continue;
            }
            Ok(None) => until_due(&p).await,
            Err(error) => {
                tracing::warn!(error = format!("{error:?}"), "operations cannot be claimed");
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            _ = timeout(pause, p.wake.woken()) => {}
        }
    }
}

/// Takes the next operation that is due, if there is one.
///
/// # Errors
/// Those of the database.
pub async fn claim(p: &Platform, owner: &str) -> Result<Option<Operation>> {
    let now = p.now();
    // Most looks find nothing, and should not wait for whoever writes.
    if operations::next_due(&mut p.db.read().await?).await?.is_none_or(|due| due > now) {
        return Ok(None);
    }
    let mut tx = p.db.begin().await?;
    let operation = operations::claim(&mut tx, owner, now, now + LEASE).await?;
    tx.commit().await?;
    if operation.is_some() {
        p.crash.reach("operation.after_claim").await;
    }
    Ok(operation)
}

/// One step, under a lease that is renewed while it takes long. A panic costs the step, and counts as a failed try.
async fn step(p: &Platform, operation: Operation) {
    let (id, fence) = (operation.id, operation.fence);
    let mut task = tokio::spawn({
        let (p, operation) = (p.clone(), operation.clone());
        async move { advance(&p, &operation).await }
    });
    let abort = AbortOnDrop(task.abort_handle());
    let renewal = Duration::from_secs(LEASE.num_seconds().unsigned_abs() / 3);
    let outcome = loop {
        match timeout(renewal, &mut task).await {
            Ok(outcome) => break outcome,
            Err(_) => {
                let renewed = async {
                    let mut tx = p.db.begin().await?;
                    let is_held = operations::hold(&mut tx, id, fence, p.now() + LEASE).await?;
                    tx.commit().await?;
                    Ok::<bool, slipway_store::StoreError>(is_held)
                };
                match renewed.await {
                    // Its next write would be refused anyway.
                    Ok(false) => tracing::warn!(operation = %id, "the lease was lost during a step"),
                    Ok(true) => {}
                    Err(error) => tracing::warn!(operation = %id, %error, "the lease could not be renewed"),
                }
            }
        }
    };
    drop(abort);
    if let Err(error) = outcome {
        if error.is_panic() {
            tracing::error!(operation = %id, "a step panicked");
        }
        super::advance::retry(p, &operation, "The control plane met an unexpected fault.").await;
    }
}

/// A worker that is dropped takes its step with it, so that a stopped control plane does nothing more.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn until_due(p: &Platform) -> Duration {
    let due = async { operations::next_due(&mut p.db.read().await?).await };
    match due.await {
        // What is due but was not claimed is held by another worker, or waits for its turn.
        Ok(Some(due)) => (due - p.now()).to_std().map_or(LONGEST_SLEEP, |pause| pause.min(LONGEST_SLEEP)),
        Ok(None) => LONGEST_SLEEP,
        Err(error) => {
            tracing::warn!(%error, "operations cannot be looked for");
            AFTER_FAILURE
        }
    }
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "core".to_owned(), |name| name.trim().to_owned())
}
