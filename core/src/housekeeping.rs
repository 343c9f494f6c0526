//! Removes, now and then, what nobody needs any more: archives that were not deployed, ended sign-ins, spent idempotency keys.

use std::time::Duration;

use slipway_store::{idempotency, sessions};
use tokio_util::sync::CancellationToken;

use crate::{Platform, error::Result, metrics, uploads};

const EVERY: Duration = Duration::from_secs(10 * 60);

/// Until `stop`.
pub(crate) async fn run(platform: Platform, stop: CancellationToken) {
    loop {
        if let Err(error) = tidy(&platform).await {
            tracing::warn!(?error, "housekeeping did not come to its end; it is tried again later");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn tidy(platform: &Platform) -> Result<()> {
    while uploads::sweep(platform).await? > 0 {}
    let mut tx = platform.db.begin().await?;
    sessions::forget_ended(&mut tx, platform.now()).await?;
    idempotency::forget(&mut tx, platform.now()).await?;
    tx.commit().await?;
    metrics::tidy(platform).await
}
