//! The signals that end a server.

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};

/// Returns at SIGINT or SIGTERM.
pub async fn requested() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
