//! How a plugin has behaved, whether it may be called, and the counts that people see.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
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
    /// Times that its process or sandbox was started anew.
    pub restarts: u64,
    /// Of the last calls, the 99th percentile of the time they took; nothing where there was no call.
    pub p99_micros: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Conduct {
    enabled: AtomicBool,
    calls: AtomicU64,
    refusals: AtomicU64,
    errors: AtomicU64,
    offences: Mutex<Offences>,
    durations: Mutex<Durations>,
}

/// The last calls' durations, in microseconds.
#[derive(Debug, Default)]
struct Durations {
    kept: Vec<u64>,
    next: usize,
}

/// Calls whose durations are kept.
const KEPT_DURATIONS: usize = 512;

impl Durations {
    fn add(&mut self, micros: u64) {
        if self.kept.len() < KEPT_DURATIONS {
            self.kept.push(micros);
        } else {
            self.kept[self.next] = micros;
            self.next = (self.next + 1) % KEPT_DURATIONS;
        }
    }

    /// By the nearest rank.
    fn p99(&self) -> Option<u64> {
        let mut sorted = self.kept.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * 99).div_ceil(100);
        rank.checked_sub(1).and_then(|place| sorted.get(place).copied())
    }
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
            durations: Mutex::default(),
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

    pub fn took(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.durations.lock().unwrap_or_else(PoisonError::into_inner).add(micros);
    }

    /// As it was recorded before this process began.
    pub fn quarantine(&self, reason: String) {
        *self.offences() = Offences { strikes: STRIKES, last: Some(Misconduct::Recorded(reason)) };
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
            restarts: 0,
            p99_micros: self.durations.lock().unwrap_or_else(PoisonError::into_inner).p99(),
        }
    }

    fn offences(&self) -> std::sync::MutexGuard<'_, Offences> {
        // A count and a message are whole at every moment, so a poisoned lock guards nothing broken.
        self.offences.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_99th_percentile_is_that_of_the_last_calls() {
        let mut durations = Durations::default();
        assert_eq!(durations.p99(), None);
        (1..=100).for_each(|micros| durations.add(micros));
        assert_eq!(durations.p99(), Some(99));
        (0..KEPT_DURATIONS).for_each(|_| durations.add(7));
        assert_eq!(durations.p99(), Some(7), "older ones are forgotten");
    }
}
