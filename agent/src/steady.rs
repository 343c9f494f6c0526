//! Time that only goes forward, for grace periods, drains and probes: the machine's clock may be set in between.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use slipway_model::{Clock, Timestamp};

/// The clock's time when it was made, and from then on the time that has really passed.
#[derive(Debug, Clone, Copy)]
pub struct Steady {
    base: Timestamp,
    since: Instant,
}

impl Steady {
    #[must_use]
    pub fn new(clock: &dyn Clock) -> Self {
        Self { base: clock.now(), since: Instant::now() }
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.base + TimeDelta::from_std(self.since.elapsed()).unwrap_or(TimeDelta::MAX)
    }

    /// How long until `at`; nothing if it is past.
    #[must_use]
    pub fn until(&self, at: Timestamp) -> Duration {
        (at - self.now()).to_std().unwrap_or(Duration::ZERO)
    }
}
