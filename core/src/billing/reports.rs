//! What was used and what it cost (R16): per application, for the month so far, and day by day.

use chrono::{Datelike, TimeDelta};
use slipway_model::{Money, OrganizationId, Role, Timestamp, Viewer};
use slipway_store::{
    ledger::{self, Charged},
    usage,
};

use super::{day_of, month_after, month_of};
use crate::{
    Platform,
    error::{Error, Result, UserError},
    organizations,
};

/// Of one report or trend.
const LONGEST: TimeDelta = TimeDelta::days(3 * 366);

/// What each subject used in periods that begin in a span of time, dearest first.
///
/// # Errors
/// [`Error::Forbidden`] without an organization for others than administrators of the platform; a span that is none.
pub async fn charged(
    p: &Platform,
    viewer: &Viewer,
    organization: Option<OrganizationId>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Charged>> {
    check_span(from, to)?;
    match organization {
        Some(organization) => organizations::require(viewer, organization, Role::Admin)?,
        None if viewer.is_platform_admin() => {}
        None => return Err(Error::Forbidden),
    }
    let only = organization.map(|organization| [organization]);
    // Whoever runs the platform may ask for every organization, also by token.
    let viewer = if organization.is_none() { &Viewer::Platform } else { viewer };
    let mut tx = p.db.read_as(viewer).await?;
    Ok(ledger::charged(&mut tx, viewer, only.as_ref().map(<[_; 1]>::as_slice), from, to).await?)
}

/// # Errors
/// A refusal.
pub fn check_span(from: Timestamp, to: Timestamp) -> Result<()> {
    // Beyond them dates neither sort as texts nor have a next day each.
    let years = 1970..=9998;
    if !years.contains(&from.year()) || !years.contains(&to.year()) {
        return Err(UserError::invalid("from", "Use years from 1970 to 9998.").into());
    }
    if to < from || to - from > LONGEST {
        return Err(UserError::invalid("to", "Use a span of time that ends after it begins and is at most three years long.").into());
    }
    Ok(())
}

/// What was used in a part of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    pub from: Timestamp,
    pub to: Timestamp,
    pub micros: i64,
    pub amount: Money,
}

/// How long each part of a trend is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    Day,
    Month,
}

/// Every part of a span of whole days (UTC), in order, those without use too. `days` are in order, and the span is one that
/// [`check_span`] lets through.
#[must_use]
pub fn trend(days: &[usage::UsageDay], step: Step, from: Timestamp, to: Timestamp) -> Vec<Point> {
    let mut points = Vec::new();
    let mut start = match step {
        Step::Day => day_of(from),
        Step::Month => month_of(from),
    };
    let first = start;
    let mut days = days.iter().skip_while(|day| day.day < first).peekable();
    while start < to {
        let end = match step {
            Step::Day => start + TimeDelta::days(1),
            Step::Month => month_after(start),
        };
        let within = std::iter::from_fn(|| days.next_if(|day| day.day < end));
        let (micros, nanos) = within.fold((0, 0), |sum, day| (sum.0 + day.micros, sum.1 + day.amount.nanos()));
        points.push(Point { from: start, to: end, micros, amount: Money::from_nanos(nanos) });
        start = end;
    }
    points
}

#[cfg(test)]
mod tests {
    use slipway_model::state::UsageKind;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_span_is_of_years_that_people_live_in() {
        let checked = |from: &str, to: &str| check_span(from.parse().unwrap(), to.parse().unwrap()).is_ok();
        assert!(checked("2026-01-01T00:00:00Z", "2029-01-01T00:00:00Z"));
        assert!(!checked("2026-01-01T00:00:00Z", "2029-01-05T00:00:00Z"), "too long");
        assert!(!checked("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"), "ends before it begins");
        // The last month that there is has none after it.
        assert!(!checked("+262142-12-01T00:00:00Z", "+262142-12-02T00:00:00Z"));
        assert!(!checked("-0001-01-01T00:00:00Z", "-0001-01-02T00:00:00Z"));
    }

    #[test]
    fn a_trend_has_every_part_of_its_span() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let day = |text: &str, nanos| usage::UsageDay {
            organization_id: Uuid::nil().into(),
            subject_id: Uuid::nil(),
            kind: UsageKind::Instance,
            day: at(text),
            micros: 10,
            amount: Money::from_nanos(nanos),
        };
        let days = [day("2026-01-30T00:00:00Z", 1), day("2026-01-30T00:00:00Z", 2), day("2026-02-01T00:00:00Z", 4)];
        let span = (at("2026-01-30T12:00:00Z"), at("2026-02-02T00:00:00Z"));
        let amounts = |step| trend(&days, step, span.0, span.1).iter().map(|point| point.amount.nanos()).collect::<Vec<_>>();
        assert_eq!(amounts(Step::Day), [3, 0, 4]);
        assert_eq!(amounts(Step::Month), [3, 4]);
    }
}
