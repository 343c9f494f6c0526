//! Slows down whoever guesses passwords: per address of the person and address of the machine, in memory.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::TimeDelta;
use slipway_model::Timestamp;

use crate::error::Error;

/// Failures are counted within this time.
const WINDOW: TimeDelta = TimeDelta::minutes(5);
/// For one person from one machine.
const MAX_FAILURES: usize = 5;
/// From one machine, whoever is meant.
const MAX_FAILURES_PER_ADDRESS: usize = 50;
/// Counted at once; beyond it the oldest are forgotten.
const MAX_KEYS: usize = 10_000;

type Key = (Option<String>, Option<IpAddr>);
type Failures = HashMap<Key, Vec<Timestamp>>;

/// Recent failures to sign in. Cheap to clone; clones count together.
#[derive(Debug, Clone, Default)]
pub struct LoginAttempts(Arc<Mutex<Failures>>);

/// One attempt: counted as a failure unless it is said to have succeeded.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    attempts: &'a LoginAttempts,
    key: Key,
}

impl LoginAttempts {
    /// Counted before the password is looked at, so that many at once are not each the first.
    pub(crate) fn begin(&self, email: &str, address: Option<IpAddr>, now: Timestamp) -> Result<Attempt<'_>, Error> {
        let key = (Some(email.to_owned()), address);
        self.count(key.clone(), &[(key, MAX_FAILURES), ((None, address), MAX_FAILURES_PER_ADDRESS)], now)
    }

    /// As [`LoginAttempts::begin`], from wherever it comes: for what is short enough to be guessed from many machines together. Only
    /// for whoever has shown the password, or anybody could lock anybody out.
    pub(crate) fn begin_anywhere(&self, what: &str, now: Timestamp) -> Result<Attempt<'_>, Error> {
        let key = (Some(what.to_owned()), None);
        self.count(key.clone(), &[(key, MAX_FAILURES)], now)
    }

    fn count(&self, key: Key, limits: &[(Key, usize)], now: Timestamp) -> Result<Attempt<'_>, Error> {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, most) in limits {
            let recent = failures.entry(key.clone()).or_default();
            recent.retain(|at| *at > now - WINDOW);
            if let Some(oldest) = recent.first().filter(|_| recent.len() >= *most) {
                let wait = (*oldest + WINDOW - now).num_seconds().max(1);
                return Err(Error::RateLimited { retry_after_seconds: wait.unsigned_abs() });
            }
        }
        if failures.len() >= MAX_KEYS {
            failures.retain(|_, recent| recent.last().is_some_and(|at| *at > now - WINDOW));
            if failures.len() >= MAX_KEYS {
                failures.clear();
            }
        }
        for (key, _) in limits {
            failures.entry(key.clone()).or_default().push(now);
        }
        Ok(Attempt { attempts: self, key })
    }
}

impl Attempt<'_> {
    pub(crate) fn succeeded(self) {
        let mut failures = self.attempts.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(&self.key);
        if let Some(recent) = failures.get_mut(&(None, self.key.1)) {
            recent.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use slipway_model::{Clock, ManualClock};

    use super::*;

    fn refused(attempts: &LoginAttempts, email: &str, address: [u8; 4], clock: &ManualClock) -> bool {
        attempts.begin(email, Some(IpAddr::from(address)), clock.now()).is_err()
    }

    #[test]
    fn the_sixth_guess_waits_and_another_person_does_not() {
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        let attempts = LoginAttempts::default();
        for _ in 0..5 {
            assert!(!refused(&attempts, "a@x", [10, 0, 0, 1], &clock));
        }
        assert!(refused(&attempts, "a@x", [10, 0, 0, 1], &clock));
        assert!(!refused(&attempts, "b@x", [10, 0, 0, 1], &clock));
        assert!(!refused(&attempts, "a@x", [10, 0, 0, 2], &clock));
        clock.advance(TimeDelta::minutes(6));
        assert!(!refused(&attempts, "a@x", [10, 0, 0, 1], &clock));
    }

    #[test]
    fn one_machine_cannot_try_one_password_on_everybody() {
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        let attempts = LoginAttempts::default();
        for i in 0..50 {
            assert!(!refused(&attempts, &format!("{i}@x"), [10, 0, 0, 1], &clock));
        }
        assert!(refused(&attempts, "51@x", [10, 0, 0, 1], &clock));
    }

    #[test]
    fn what_is_short_is_not_guessed_from_many_machines_either() {
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        let attempts = LoginAttempts::default();
        for _ in 0..5 {
            attempts.begin_anywhere("code of ada", clock.now()).unwrap();
        }
        assert!(attempts.begin_anywhere("code of ada", clock.now()).is_err());
        attempts.begin_anywhere("code of bob", clock.now()).unwrap().succeeded();
        clock.advance(TimeDelta::minutes(6));
        attempts.begin_anywhere("code of ada", clock.now()).unwrap();
    }

    #[test]
    fn a_success_forgives_the_failures_before_it() {
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        let attempts = LoginAttempts::default();
        for _ in 0..20 {
            attempts.begin("a@x", None, clock.now()).unwrap().succeeded();
        }
    }
}
