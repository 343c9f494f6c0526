//! Billing (R15): what was used becomes entries of the ledger, entries move wallets, wallets warn, suspend and resume.
//!
//! Each step compares what is with what should be, and writes the difference in one transaction that holds the account. A step that
//! is cut off, repeated, or taken by two processes at once therefore comes to the same.

pub mod accounts;
pub mod alerts;
pub mod cycle;
pub mod export;
pub mod invoices;
mod pdf;
mod posting;
pub mod quotes;
pub mod rating;
pub mod reports;
pub(crate) mod reserve;
mod standing;
pub mod suspension;
pub mod wallet;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Datelike, TimeDelta, TimeZone, Utc};
use slipway_model::{OrganizationId, Timestamp};
use slipway_plugin_host::{Kind, Plugin};

use crate::Platform;

/// Whether anybody pays on this platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Use is metered and rated, so that reports say what it would have cost. Wallets are not touched, and nothing is refused or
    /// suspended for want of money.
    #[default]
    Off,
    /// Organizations pay from wallets that are filled beforehand.
    Prepaid,
}

impl std::str::FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "prepaid" => Ok(Self::Prepaid),
            other => Err(format!("{other:?} is neither `off` nor `prepaid`")),
        }
    }
}

/// How billing is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings {
    pub mode: Mode,
    /// Whether an organization's administrators may top up its wallet themselves, because something else sees to their payment.
    /// Otherwise only administrators of the platform do.
    pub customers_top_up: bool,
}

/// How long what runs goes on after its account is exhausted.
pub const GRACE: TimeDelta = TimeDelta::hours(24);

/// The plugin that is asked. `None`: none is enabled; what waits for it waits.
pub(crate) fn plugin(p: &Platform) -> Option<Arc<Plugin>> {
    p.plugins.of_kind(Kind::Billing).into_iter().next()
}

/// Tries, while others write to the same account, and how long is waited before the second; before each other twice as long.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(2);

/// Does what is decided from an account as it was read, and written only if nobody wrote to it meanwhile. `attempt` gives `None` where
/// somebody did: it reads again, once they had time to come to their end.
async fn undisturbed<T, F>(organization: OrganizationId, mut attempt: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    for before in 0..TRIES {
        if before > 0 {
            tokio::time::sleep(PAUSE * (1 << (before - 1))).await;
        }
        if let Some(done) = attempt().await? {
            return Ok(done);
        }
    }
    anyhow::bail!("others write to the account of {organization} all the time")
}

/// The first moment of the calendar month (UTC) that a moment lies in.
#[must_use]
pub fn month_of(at: Timestamp) -> Timestamp {
    first_of(at.year(), at.month()).unwrap_or(at)
}

/// The first moment of the month after.
#[must_use]
pub fn month_after(at: Timestamp) -> Timestamp {
    let (year, month) = if at.month() == 12 { (at.year() + 1, 1) } else { (at.year(), at.month() + 1) };
    first_of(year, month).unwrap_or(at)
}

/// The first moment of the day (UTC).
#[must_use]
pub fn day_of(at: Timestamp) -> Timestamp {
    at.date_naive().and_hms_opt(0, 0, 0).map_or(at, |midnight| midnight.and_utc())
}

fn first_of(year: i32, month: u32) -> Option<DateTime<Utc>> {
    Utc.with_ymd_and_hms(year, month, 1, 0, 0, 0).single()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_each_other() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(month_of(at("2026-12-31T23:59:59Z")), at("2026-12-01T00:00:00Z"));
        assert_eq!(month_after(at("2026-12-31T23:59:59Z")), at("2027-01-01T00:00:00Z"));
        assert_eq!(month_after(at("2028-02-29T00:00:00Z")), at("2028-03-01T00:00:00Z"));
        assert_eq!(day_of(at("2026-03-29T02:30:00Z")), at("2026-03-29T00:00:00Z"));
    }
}
