//! The images that this node built, and which of them may go. No other image is ever removed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use futures::FutureExt;
use futures::future::BoxFuture;
use slipway_model::{Clock, Timestamp};
use slipway_protocol::{Outcome, Task, TaskEventKind, TaskSpec};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::durable;
use crate::engine::{Engine, EngineError};
use crate::record::Desired;
use crate::task::TaskRunner;

/// Between a build and the desired state that names its image lie a release process and whatever the core waits for.
const YOUNG: TimeDelta = TimeDelta::hours(1);
const SWEEP_EVERY: Duration = Duration::from_secs(10 * 60);

/// What was built, and when.
pub struct Ledger {
    path: PathBuf,
    built: Mutex<BTreeMap<String, Timestamp>>,
}

impl Ledger {
    /// # Errors
    /// It cannot be read. A damaged one is as good as none: those images stay.
    pub fn open(data_dir: &Path) -> std::io::Result<Self> {
        let path = data_dir.join("images.json");
        let built = durable::read(&path)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Ok(Self { path, built: Mutex::new(built) })
    }

    pub fn add(&self, image: &str, at: Timestamp) {
        self.lock().insert(image.to_owned(), at);
        self.keep();
    }

    /// Those that nobody wants, by the last word of the core.
    #[must_use]
    pub fn unwanted(&self, keep: &BTreeSet<&str>, now: Timestamp) -> Vec<String> {
        let built = self.lock();
        let old = built.iter().filter(|(image, at)| !keep.contains(image.as_str()) && now - **at > YOUNG);
        old.map(|(image, _)| image.clone()).collect()
    }

    fn remove(&self, image: &str) {
        self.lock().remove(image);
        self.keep();
    }

    fn keep(&self) {
        let written = serde_json::to_vec(&*self.lock()).map_err(std::io::Error::from).and_then(|bytes| durable::write(&self.path, &bytes));
        if let Err(error) = written {
            tracing::error!(%error, path = %self.path.display(), "images that were built now would never be removed");
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Timestamp>> {
        self.built.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A builder whose images are written down.
pub struct Recording {
    pub builder: Arc<dyn TaskRunner>,
    pub ledger: Arc<Ledger>,
    pub clock: Arc<dyn Clock>,
}

impl TaskRunner for Recording {
    fn run<'a>(&'a self, task: &'a Task, events: mpsc::Sender<TaskEventKind>, cancel: CancellationToken) -> BoxFuture<'a, Outcome> {
        async move {
            let outcome = self.builder.run(task, events, cancel).await;
            if let (TaskSpec::Build(_), Outcome::Built { image, .. }) = (&task.spec, &outcome) {
                self.ledger.add(image, self.clock.now());
            }
            outcome
        }
        .boxed()
    }
}

/// Removes unwanted images now and then, until `shutdown`.
pub async fn sweep(
    engine: Arc<dyn Engine>,
    ledger: Arc<Ledger>,
    desired: watch::Receiver<Desired>,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) {
    while shutdown.run_until_cancelled(tokio::time::sleep(SWEEP_EVERY)).await.is_some() {
        // Without the core's word nothing is unwanted.
        let Some(desired) = desired.borrow().clone() else { continue };
        once(&*engine, &ledger, &desired.keep_images, clock.now()).await;
    }
}

/// Removes those images that are old enough and not among `keep`.
pub async fn once(engine: &dyn Engine, ledger: &Ledger, keep: &[String], now: Timestamp) {
    let keep: BTreeSet<&str> = keep.iter().map(String::as_str).collect();
    for image in ledger.unwanted(&keep, now) {
        match engine.remove_image(&image).await {
            Ok(()) | Err(EngineError::NotFound) => {
                tracing::info!(image, "image removed");
                ledger.remove(&image);
            }
            // A container still has it.
            Err(error) => tracing::debug!(image, %error, "image stays"),
        }
    }
}

#[cfg(test)]
mod tests {
    use slipway_model::system_clock;

    use super::*;

    #[test]
    fn only_what_was_built_here_is_old_and_is_not_wanted_may_go() {
        let (folder, now) = (tempfile::tempdir().unwrap(), system_clock().now());
        let ledger = Ledger::open(folder.path()).unwrap();
        ledger.add("slipway/app:old", now - TimeDelta::hours(3));
        ledger.add("slipway/app:kept", now - TimeDelta::hours(3));
        ledger.add("slipway/app:young", now - TimeDelta::minutes(3));
        drop(ledger);
        let ledger = Ledger::open(folder.path()).unwrap();
        assert_eq!(ledger.unwanted(&BTreeSet::from(["slipway/app:kept"]), now), ["slipway/app:old"]);
        ledger.remove("slipway/app:old");
        assert!(Ledger::open(folder.path()).unwrap().unwanted(&BTreeSet::from(["slipway/app:kept"]), now).is_empty());
    }
}
