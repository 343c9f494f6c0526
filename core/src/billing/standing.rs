//! What follows from how an account stands: a function of what is recorded, what the plugin says, and the time. No I/O.

use slipway_model::{Timestamp, state::BillingStatus};
use slipway_plugin_host::messages::Standing;

use super::GRACE;

/// The status of an account from now on, and when its grace ends.
#[must_use]
pub(super) fn next(
    status: BillingStatus,
    grace_ends_at: Option<Timestamp>,
    standing: Standing,
    now: Timestamp,
) -> (BillingStatus, Option<Timestamp>) {
    match (standing, status) {
        (Standing::Good, _) => (BillingStatus::Active, None),
        (Standing::Low, _) => (BillingStatus::LowBalance, None),
        (Standing::Exhausted, BillingStatus::Active | BillingStatus::LowBalance) => (BillingStatus::Grace, Some(now + GRACE)),
        (Standing::Exhausted, BillingStatus::Grace) => match grace_ends_at {
            Some(ends) if now < ends => (BillingStatus::Grace, Some(ends)),
            ends => (BillingStatus::Suspended, ends),
        },
        (Standing::Exhausted, BillingStatus::Suspended) => (BillingStatus::Suspended, grace_ends_at),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    use BillingStatus::{Active, Grace, LowBalance, Suspended};

    #[test]
    fn an_exhausted_account_has_a_day_and_is_suspended_then() {
        let start = Timestamp::UNIX_EPOCH;
        let after = |hours| start + TimeDelta::hours(hours);
        let (status, ends) = next(LowBalance, None, Standing::Exhausted, start);
        assert_eq!((status, ends), (Grace, Some(after(24))));
        assert_eq!(next(status, ends, Standing::Exhausted, after(23)), (Grace, ends), "it is not prolonged");
        assert_eq!(next(status, ends, Standing::Exhausted, after(24)), (Suspended, ends));
        assert_eq!(next(Suspended, ends, Standing::Exhausted, after(1_000)), (Suspended, ends));
    }

    #[test]
    fn whatever_it_was_a_covered_account_is_active() {
        for status in BillingStatus::ALL {
            assert_eq!(next(*status, None, Standing::Good, Timestamp::UNIX_EPOCH), (Active, None));
            assert_eq!(next(*status, None, Standing::Low, Timestamp::UNIX_EPOCH), (LowBalance, None));
        }
    }

    #[test]
    fn a_clock_that_goes_back_suspends_nothing_early() {
        let now = Timestamp::UNIX_EPOCH;
        let ends = Some(now + TimeDelta::hours(24));
        assert_eq!(next(Grace, ends, Standing::Exhausted, now - TimeDelta::hours(1)), (Grace, ends));
    }
}
