//! Tells an open socket that what it was let in with holds no longer.

use std::time::Duration;

use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Interval, MissedTickBehavior, interval},
};

use super::{Caller, caller::Credential};
use crate::{
    Platform,
    changes::{Change, Changed},
    error::Error,
};

/// Credentials also end by time, and in other processes: those are noticed this often.
const LOOK_EVERY: Duration = Duration::from_secs(15);

pub struct Revocations {
    platform: Platform,
    changes: Receiver<Change>,
    looks: Interval,
    due: bool,
}

impl Revocations {
    #[must_use]
    pub fn watch(platform: &Platform) -> Self {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        looks.reset();
        Self { platform: platform.clone(), changes: platform.changes.subscribe(), looks, due: false }
    }

    /// Completes when the caller's credential holds no longer. May be dropped and called again without missing anything.
    pub async fn revoked(&mut self, caller: &Caller) {
        let Some(credential) = caller.credential else { return std::future::pending().await };
        let revoked = match credential {
            Credential::Session(id) => Changed::Session(id),
            Credential::ApiToken(id) => Changed::ApiToken(id),
        };
        loop {
            if self.due {
                // Only a clear answer closes: a database that is away for a moment says nothing about the credential.
                if matches!(caller.clone().refreshed(&self.platform).await, Err(Error::Unauthenticated)) {
                    return;
                }
                self.due = false;
            }
            tokio::select! {
                change = self.changes.recv() => match change {
                    Ok(change) if change.what == revoked => return,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => self.due = true,
                    Err(RecvError::Closed) => return std::future::pending().await,
                },
                _ = self.looks.tick() => self.due = true,
            }
        }
    }
}
