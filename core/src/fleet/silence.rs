//! Nodes that are not heard of any more (R4.2).

use std::time::Duration;

use chrono::TimeDelta;
use slipway_model::state::NodeStatus;
use slipway_protocol::OFFLINE_AFTER_SECONDS;
use slipway_store::nodes;
use tokio_util::sync::CancellationToken;

use crate::{Platform, changes::Changed, error::Result, events};

const LOOK: Duration = Duration::from_secs(5);

/// Marks nodes as offline that were not heard of for 90 s. What runs on them is taken to go on.
///
/// # Errors
/// Those of the database.
pub async fn sweep(p: &Platform) -> Result<()> {
    let now = p.now();
    let patience = TimeDelta::seconds(OFFLINE_AFTER_SECONDS.cast_signed());
    // A control plane that has just started has not had the time to hear of anybody.
    if now - p.started_at < patience {
        return Ok(());
    }
    let silent = nodes::silent_since(&mut p.db.read_once().await?, now - patience).await?;
    for node in silent {
        let mut tx = p.db.begin().await?;
        // It may have come back since.
        let is_silent = nodes::find(&mut tx, node.id).await?.is_some_and(|now| now.last_heartbeat_at == node.last_heartbeat_at);
        if !is_silent {
            continue;
        }
        nodes::set_status(&mut tx, node.id, NodeStatus::Offline, now).await?;
        let message = format!("Node {} has not been heard of for {OFFLINE_AFTER_SECONDS} s.", node.name);
        events::record_platform(&mut tx, p, node.id.to_string(), "node.offline", message).await?;
        tx.commit().await?;
        tracing::warn!(node = %node.id, name = node.name, "node offline");
        p.changes.publish(None, Changed::Node(node.id));
        p.wake.wake();
    }
    Ok(())
}

pub(crate) async fn watch_for_silence(p: Platform, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = sweep(&p).await {
            tracing::warn!(error = format!("{error:?}"), "silent nodes could not be looked for");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
