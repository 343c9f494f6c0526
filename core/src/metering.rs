//! Metering: from when to when each instance ran, and what that costs (R15).
//!
//! Usage begins when an instance is first seen to run and ends when it is seen to have stopped, or when its customer stopped it.
//! What ran is rated in whole hours of the clock, by the billing plugin, and written into the ledger under a key that names the
//! instance and the period: whatever is repeated, each period is charged once.

use std::{collections::HashMap, time::Duration};

use anyhow::Context;
use chrono::{DurationRound, TimeDelta};
use slipway_model::{InstanceId, LedgerEntryId, Money, Timestamp, UsageId, Viewer, state::LedgerEntryKind};
use slipway_plugin_host::{
    Kind,
    messages::{RateRequest, UsagePeriod},
};
use slipway_store::{
    StoreError, Tx,
    instances::Instance,
    ledger::{self, LedgerEntry},
    usage::{self, UsageRecord},
};
use tokio_util::sync::CancellationToken;

use crate::Platform;

/// Records that are rated at a time.
const BATCH: i64 = 200;
/// How often it is looked for periods that are over.
const LOOK: Duration = Duration::from_secs(60);

/// The instance runs: its usage begins, once.
pub(crate) async fn begin(tx: &mut Tx, p: &Platform, instance: &Instance, at: Timestamp) -> Result<(), StoreError> {
    let record = UsageRecord {
        id: UsageId::new(&*p.clock),
        organization_id: instance.organization_id,
        application_id: instance.application_id,
        instance_id: instance.id,
        started_at: at,
        ended_at: None,
        rated_until: at,
        hourly_rate: instance.hourly_rate,
    };
    usage::begin(tx, &record).await.map(drop)
}

/// The instance has stopped: its usage ends, unless it has ended.
pub(crate) async fn end(tx: &mut Tx, instance: InstanceId, at: Timestamp) -> Result<(), StoreError> {
    usage::end(tx, instance, at).await.map(drop)
}

/// Whole hours of the clock that are over, and the rest of what has ended, as periods of one record.
fn periods(record: &UsageRecord, now: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let hour = TimeDelta::hours(1);
    let this_hour = now.duration_trunc(hour).unwrap_or(now);
    let until = record.ended_at.unwrap_or(this_hour);
    let mut periods = Vec::new();
    let mut from = record.rated_until;
    while from < until {
        let next_hour = from.duration_trunc(hour).map_or(from + hour, |hour_start| hour_start + hour);
        let to = next_hour.min(until);
        periods.push((from, to));
        from = to;
    }
    periods
}

/// Rates everything that is due at `now`. Gives how many periods were written.
///
/// # Errors
/// Those of the database and of the billing plugin. What was written stays written; the rest is due the next time.
pub async fn rate_due(p: &Platform, now: Timestamp) -> anyhow::Result<usize> {
    let mut written = 0;
    loop {
        let this_hour = now.duration_trunc(TimeDelta::hours(1)).unwrap_or(now);
        let mut tx = p.db.read().await?;
        // What has ended is due at once, and what runs is due by the hour.
        let due: Vec<UsageRecord> = usage::unrated(&mut tx, now, BATCH)
            .await?
            .into_iter()
            .filter(|record| record.ended_at.is_some() || record.rated_until < this_hour)
            .collect();
        drop(tx);
        if due.is_empty() {
            return Ok(written);
        }
        let rated = rate(p, &due, now).await?;
        if rated == 0 {
            return Ok(written);
        }
        written += rated;
    }
}

async fn rate(p: &Platform, due: &[UsageRecord], now: Timestamp) -> anyhow::Result<usize> {
    let plugin = p.plugins.of_kind(Kind::Billing).into_iter().next().context("no billing plugin is enabled: usage waits until one is")?;
    let mut asked = Vec::new();
    for record in due {
        for (start, end) in periods(record, now) {
            let key = format!("usage:{}:{}", record.instance_id, start.timestamp_micros());
            asked.push((record, UsagePeriod { key, start, end, hourly_rate: record.hourly_rate.to_decimal(), ..UsagePeriod::default() }));
        }
    }
    let usage: Vec<UsagePeriod> = asked.iter().map(|(_, period)| period.clone()).collect();
    let charges = plugin.billing_rate(RateRequest { currency: p.config.currency.to_string(), usage }).await?;
    let charges: HashMap<String, _> = charges.into_iter().map(|charge| (charge.key.clone(), charge)).collect();
    let mut rated = 0;
    for record in due {
        let mut tx = p.db.begin().await?;
        let mut until = record.rated_until;
        for (_, period) in asked.iter().filter(|(of, _)| of.id == record.id) {
            let charge = charges.get(&period.key).context("the billing plugin left a period out")?;
            let amount = Money::rounded(charge.amount).context("a charge beyond all reason")?;
            let entry = LedgerEntry {
                id: LedgerEntryId::new(&*p.clock),
                organization_id: record.organization_id,
                application_id: Some(record.application_id),
                instance_id: Some(record.instance_id),
                kind: LedgerEntryKind::UsageInstance,
                amount: Money::from_nanos(-amount.nanos()),
                currency: p.config.currency,
                description: charge.description.clone(),
                period_start: Some(period.start),
                period_end: Some(period.end),
                idempotency_key: period.key.clone(),
                created_at: now,
            };
            ledger::insert(&mut tx, &Viewer::Platform, &entry).await?;
            until = period.end;
            rated += 1;
        }
        if usage::rated(&mut tx, record.id, record.rated_until, until).await? {
            tx.commit().await?;
        } else {
            // Another process wrote the same periods.
            tx.rollback().await?;
        }
    }
    Ok(rated)
}

/// Rates what is due, until it is told to stop.
pub(crate) async fn run(p: Platform, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match rate_due(&p, p.now()).await {
            Ok(0) => {}
            Ok(periods) => tracing::debug!(periods, "usage rated"),
            Err(error) => tracing::warn!(error = format!("{error:#}"), "usage could not be rated"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn record(from: &str, to: Option<&str>) -> UsageRecord {
        let id = Uuid::nil();
        UsageRecord {
            id: id.into(),
            organization_id: id.into(),
            application_id: id.into(),
            instance_id: id.into(),
            started_at: at(from),
            ended_at: to.map(at),
            rated_until: at(from),
            hourly_rate: Money::ZERO,
        }
    }

    #[test]
    fn what_runs_is_due_up_to_the_last_whole_hour() {
        let periods = periods(&record("2026-01-01T10:20:00Z", None), at("2026-01-01T12:30:00Z"));
        assert_eq!(
            periods,
            [(at("2026-01-01T10:20:00Z"), at("2026-01-01T11:00:00Z")), (at("2026-01-01T11:00:00Z"), at("2026-01-01T12:00:00Z")),]
        );
    }

    #[test]
    fn what_has_ended_is_due_to_its_end() {
        let periods = periods(&record("2026-01-01T10:20:00Z", Some("2026-01-01T10:25:00Z")), at("2026-01-01T10:30:00Z"));
        assert_eq!(periods, [(at("2026-01-01T10:20:00Z"), at("2026-01-01T10:25:00Z"))]);
    }

    #[test]
    fn what_began_this_hour_is_not_due() {
        assert_eq!(periods(&record("2026-01-01T10:20:00Z", None), at("2026-01-01T10:30:00Z")), []);
    }
}
