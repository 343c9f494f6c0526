//! The cycle: what is due is rated, accounts are judged, alerts are told, and months that are over are drafted as invoices. It looks
//! every minute; whatever is due is found in the database, so it does not matter when it looked last.

use std::time::Duration;

use slipway_model::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Mode, accounts, alerts, invoices, rating};
use crate::Platform;

const LOOK: Duration = Duration::from_secs(60);

/// One turn. Gives how many ledger entries were written.
///
/// # Errors
/// The first one; the later parts are done all the same.
pub async fn turn(p: &Platform, now: Timestamp) -> anyhow::Result<usize> {
    let rated = rating::rate_due(p, now).await;
    let judged = accounts::judge_all(p).await;
    let told = alerts::watch(p, now).await;
    let drafted = match p.config.billing.mode {
        Mode::Prepaid => invoices::draft_due(p, now).await,
        Mode::Off => Ok(()),
    };
    let entries = rated?;
    judged?;
    told?;
    drafted?;
    Ok(entries)
}

/// Until it is told to stop.
pub(crate) async fn run(p: Platform, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match turn(&p, p.now()).await {
            Ok(0) => {}
            Ok(entries) => tracing::debug!(entries, "usage rated"),
            Err(error) => tracing::warn!(error = format!("{error:#}"), "the billing cycle did not come to its end; it is tried again"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
