//! How a plugin has behaved, whether it may be called, and the counts that people see.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use serde::Serialize;

use crate::Misconduct;

/// So many strikes since it was loaded or last released, and a plugin is quarantined.
pub const STRIKES: u64 = 3;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Calls that reached the plugin.
    pub calls: u64,
    /// Calls that it answered with a typed refusal.
    pub refusals: u64,
    /// Calls that came to nothing, for whatever reason but a refusal.
    pub errors: u64,
    /// Since it was loaded or last released.
    pub strikes: u64,
}

#[derive(Debug)]
pub(crate) struct Conduct {
    enabled: AtomicBool,
    calls: AtomicU64,
    refusals: AtomicU64,
    errors: AtomicU64,
    offences: Mutex<Offences>,
}

#[derive(Debug, Default)]
struct Offences {
    strikes: u64,
    last: Option<Misconduct>,
}

impl Conduct {
    pub fn new() -> Self {
        Self {
            enabled: AtomicBool::new(true),
            calls: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            offences: Mutex::default(),
        }
    }

    pub fn is_enabled(&self) -> bool {
        self.enabled.load(Relaxed)
    }

    pub fn set_enabled(&self, enabled: bool) {
        self.enabled.store(enabled, Relaxed);
    }

    /// The misconduct that filled the measure, while the plugin is quarantined.
    pub fn quarantined_for(&self) -> Option<Misconduct> {
        let offences = self.offences();
        (offences.strikes >= STRIKES).then(|| offences.last.clone()).flatten()
    }

    pub fn called(&self) {
        self.calls.fetch_add(1, Relaxed);
    }

    pub fn refused(&self) {
        self.refusals.fetch_add(1, Relaxed);
    }

    pub fn failed(&self) {
        self.errors.fetch_add(1, Relaxed);
    }

    /// Counts a strike and gives the number of them so far.
    pub fn strike(&self, misconduct: Misconduct) -> u64 {
        self.failed();
        let mut offences = self.offences();
        offences.strikes += 1;
        offences.last = Some(misconduct);
        offences.strikes
    }

    pub fn release(&self) {
        *self.offences() = Offences::default();
    }

    pub fn stats(&self) -> Stats {
        Stats {
            calls: self.calls.load(Relaxed),
            refusals: self.refusals.load(Relaxed),
            errors: self.errors.load(Relaxed),
            strikes: self.offences().strikes,
        }
    }

    fn offences(&self) -> std::sync::MutexGuard<'_, Offences> {
        // A count and a message are whole at every moment, so a poisoned lock guards nothing broken.
        self.offences.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
