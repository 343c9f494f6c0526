//! Named places where a test may stop the process, to see that every one of them is survived.
//!
//! A development control plane whose environment has `SLIPWAY_CRASH_AT=<name>` aborts when it comes to that place: no
//! destructor runs, as with `kill -9`. A test in the same process makes the place one that is never passed, and then drops the
//! control plane. Otherwise a crash point costs a comparison.

use std::sync::Arc;

use tokio::sync::Notify;

/// The environment variable that names the place.
pub const VARIABLE: &str = "SLIPWAY_CRASH_AT";

/// Every place that each deployment passes, in order. `before` is before a step's commit, when nothing of it is
/// stored; `after` is after the commit, before anybody was told.
pub const POINTS: &[&str] = &[
    "deploy.before_request",
    "deploy.after_request",
    "operation.after_claim",
    "begin.before_commit",
    "begin.after_commit",
    "task_event.before_commit",
    "task_event.after_commit",
    "plan.before_commit",
    "plan.after_commit",
    "build.before_commit",
    "build.after_commit",
    "observed.before_commit",
    "observed.after_commit",
    "start.before_commit",
    "start.after_commit",
    "health.before_commit",
    "health.after_commit",
    "swap.before_commit",
    "swap.after_commit",
    "drain.before_commit",
    "drain.after_commit",
];

/// Places that only some deployments pass: those with a release process, and those that fail.
pub const BRANCH_POINTS: &[&str] = &["release.before_commit", "release.after_commit", "fail.before_commit", "fail.after_commit"];

/// Places that each batch of the billing cycle passes.
pub const BILLING_POINTS: &[&str] = &["billing.before_commit", "billing.after_commit"];

fn is_known(point: &str) -> bool {
    POINTS.contains(&point) || BRANCH_POINTS.contains(&point) || BILLING_POINTS.contains(&point)
}

/// Which place, if any, is armed in a control plane.
#[derive(Debug, Clone, Default)]
pub struct CrashPoints(Option<Armed>);

#[derive(Debug, Clone)]
struct Armed {
    point: String,
    /// Told when the place is reached; `None` aborts.
    reached: Option<Arc<Notify>>,
}

impl CrashPoints {
    /// Aborts at the place that the environment names. For a development control plane only.
    #[must_use]
    pub fn from_environment() -> Self {
        let point = std::env::var(VARIABLE).ok().filter(|point| !point.is_empty());
        if let Some(point) = &point {
            tracing::warn!(point, is_known = is_known(point), "this process will abort at that point");
        }
        Self(point.map(|point| Armed { point, reached: None }))
    }

    /// Whoever comes to the place tells `reached` and goes no further.
    #[must_use]
    pub fn halt_at(point: &str, reached: Arc<Notify>) -> Self {
        Self(Some(Armed { point: point.to_owned(), reached: Some(reached) }))
    }

    pub(crate) async fn reach(&self, point: &str) {
        debug_assert!(is_known(point), "{point} is not in the lists of crash points");
        let Some(armed) = self.0.as_ref().filter(|armed| armed.point == point) else { return };
        match &armed.reached {
            None => {
                tracing::error!(point, "aborting, as asked");
                std::process::abort();
            }
            Some(reached) => {
                reached.notify_one();
                std::future::pending::<()>().await;
            }
        }
    }
}
