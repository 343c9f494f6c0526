//! How much a caller may ask: points per minute, counted by credential, and by address for whoever shows none. In memory.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use chrono::TimeDelta;
use slipway_model::Timestamp;

use super::caller::{Caller, Credential};

const WINDOW: TimeDelta = TimeDelta::minutes(1);
/// Counted at once; beyond it those whose minute is over are forgotten, and then all.
const MAX_PAYERS: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Payer {
    Credential(Credential),
    Address(Option<IpAddr>),
}

#[derive(Debug, Clone, Copy)]
struct Window {
    ends: Timestamp,
    spent: u32,
}

/// What everybody has spent of their minute. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct Points {
    limit: u32,
    windows: Arc<Mutex<HashMap<Payer, Window>>>,
}

/// What somebody has left of the minute that is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    pub limit: u32,
    pub remaining: u32,
    /// When there are all of them again.
    pub reset_at: Timestamp,
}

impl Allowance {
    /// Until there are all of them again: at least one.
    #[must_use]
    pub fn seconds_to_reset(&self, now: Timestamp) -> u64 {
        let left = (self.reset_at - now).num_milliseconds().max(1).unsigned_abs();
        left.div_ceil(1000)
    }
}

impl Points {
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { limit, windows: Arc::default() }
    }

    /// Takes points.
    ///
    /// # Errors
    /// When fewer are left: none are taken then.
    pub fn spend(&self, caller: &Caller, points: u32, now: Timestamp) -> Result<Allowance, Allowance> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MAX_PAYERS {
            windows.retain(|_, window| window.ends > now);
            if windows.len() >= MAX_PAYERS {
                windows.clear();
            }
        }
        let fresh = Window { ends: now + WINDOW, spent: 0 };
        let window = windows.entry(payer(caller)).or_insert(fresh);
        if window.ends <= now {
            *window = fresh;
        }
        let spent = window.spent.saturating_add(points);
        let fits = spent <= self.limit;
        if fits {
            window.spent = spent;
        }
        let left = Allowance { limit: self.limit, remaining: self.limit.saturating_sub(window.spent), reset_at: window.ends };
        if fits { Ok(left) } else { Err(left) }
    }
}

fn payer(caller: &Caller) -> Payer {
    match caller.credential {
        Some(credential) => Payer::Credential(credential),
        None => Payer::Address(caller.address.map(household)),
    }
}

/// Whoever has one IPv6 address has 2^64 of them.
fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use slipway_model::{Clock, ManualClock};

    use super::*;

    fn from(address: &str) -> Caller {
        Caller::anonymous(Some(address.parse().unwrap()), None)
    }

    #[test]
    fn points_are_back_after_a_minute() {
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        let points = Points::new(10);
        let here = from("10.0.0.1");
        assert_eq!(points.spend(&here, 7, clock.now()).unwrap().remaining, 3);
        let refused = points.spend(&here, 4, clock.now()).unwrap_err();
        assert_eq!((refused.remaining, refused.seconds_to_reset(clock.now())), (3, 60));
        assert_eq!(points.spend(&here, 3, clock.now()).unwrap().remaining, 0);
        clock.advance(TimeDelta::milliseconds(59_500));
        assert_eq!(points.spend(&here, 1, clock.now()).unwrap_err().seconds_to_reset(clock.now()), 1);
        clock.advance(TimeDelta::milliseconds(500));
        assert_eq!(points.spend(&here, 1, clock.now()).unwrap().remaining, 9);
    }

    #[test]
    fn addresses_count_apart_and_those_of_one_household_together() {
        let points = Points::new(1);
        let spend = |address: &str| points.spend(&from(address), 1, Timestamp::UNIX_EPOCH).is_ok();
        assert!(spend("10.0.0.1"));
        assert!(spend("10.0.0.2"));
        assert!(!spend("::ffff:10.0.0.1"));
        assert!(spend("2001:db8::1"));
        assert!(!spend("2001:db8::2"));
        assert!(spend("2001:db8:0:1::1"));
    }

    #[test]
    fn many_strangers_do_not_fill_the_memory() {
        let points = Points::new(1);
        for n in 0..u32::try_from(MAX_PAYERS).unwrap() * 2 {
            let address = IpAddr::from(n.to_be_bytes());
            points.spend(&Caller::anonymous(Some(address), None), 1, Timestamp::UNIX_EPOCH).unwrap();
        }
        assert!(points.windows.lock().unwrap().len() <= MAX_PAYERS);
    }
}
