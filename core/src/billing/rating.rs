//! What was used becomes charges, in whole hours of the clock, and charges become entries.
//!
//! What one batch writes is decided from the account as it was read, asked of the plugin without holding anything, and written only
//! if no entry was added to the account meanwhile. So nothing is charged twice by two processes, by one that was paused, or by one
//! that died after its commit; and a price may depend on what was used before.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DurationRound, TimeDelta};
use slipway_model::{
    Money, OrganizationId, Timestamp, UsageId, Viewer,
    state::{LedgerAccount, LedgerEntryKind, UsageKind},
};
use slipway_plugin_host::messages::{self, Charge, RateRequest, UsagePeriod};
use slipway_store::{
    Tx, billing_accounts,
    ledger::{self, LedgerEntry},
    usage::{self, UsageDay, UsageRecord},
};

use super::{
    Mode, day_of, month_after, month_of, plugin,
    posting::{Posting, Used, post},
    undisturbed,
};
use crate::{Platform, changes::Changed};

/// Records that are rated at a time, which is what one statement writes.
const BATCH: i64 = 512;
/// Periods that are rated at a time; of a record that waits for long, the rest is due the next time.
const MOST_PERIODS: usize = 2_000;

/// Whole hours of the clock that are over, and the rest of what has ended, as periods of one record.
fn periods(record: &UsageRecord, this_hour: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let hour = TimeDelta::hours(1);
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

/// Rates everything that is due at `now`. Gives how many entries were written.
///
/// # Errors
/// The first of those of the database and of the billing plugin. What was written stays written; the rest is due the next time.
pub async fn rate_due(p: &Platform, now: Timestamp) -> anyhow::Result<usize> {
    let this_hour = now.duration_trunc(TimeDelta::hours(1)).unwrap_or(now);
    let mut organizations = usage::due(&mut p.db.read().await?, this_hour).await?;
    // Of two processes that are at it at once each begins somewhere else, so that they share the work and do not write it twice in vain.
    let mut place = [0; 8];
    p.clock.fill(&mut place);
    if let Some(place) = u64::from_le_bytes(place).checked_rem(organizations.len() as u64) {
        organizations.rotate_left(usize::try_from(place).unwrap_or(0));
    }
    let mut written = 0;
    let mut failure = None;
    for organization in organizations {
        // What cannot be rated for one keeps nobody else waiting.
        match rate_organization(p, organization, this_hour).await {
            Ok(entries) => written += entries,
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(written), Err)
}

async fn rate_organization(p: &Platform, organization: OrganizationId, this_hour: Timestamp) -> anyhow::Result<usize> {
    let mut written = 0;
    while let Some(entries) = undisturbed(organization, || rate_batch(p, organization, this_hour)).await? {
        written += entries;
    }
    if written > 0 {
        p.changes.publish(Some(organization), Changed::Billing(organization));
    }
    Ok(written)
}

/// Gives how many entries were written, or that nothing is due. `None`: the account was written to since it was read.
async fn rate_batch(p: &Platform, organization: OrganizationId, this_hour: Timestamp) -> anyhow::Result<Option<Option<usize>>> {
    let Some(batch) = Batch::read(p, organization, this_hour).await? else { return Ok(Some(None)) };
    let charges = batch.ask(p).await?;
    Ok(batch.write(p, charges).await?.map(Some))
}

/// One period, and what is asked and written of it.
struct Item {
    record: UsageRecord,
    period: (Timestamp, Timestamp),
    before_micros: i64,
    /// Usage that was rated longer than it lasted: the entry to correct. The period is what is left of it, and may be empty.
    corrects: Option<LedgerEntry>,
}

struct Batch {
    organization: OrganizationId,
    /// Of the account, when this was read.
    sequence: i64,
    until: Timestamp,
    items: Vec<Item>,
    /// Records that run and will stand in the ledger up to `until`.
    running: Vec<UsageId>,
    /// Records that have ended and will stand in it up to their end.
    ended: Vec<UsageId>,
}

impl Batch {
    /// `None`: nothing is due.
    async fn read(p: &Platform, organization: OrganizationId, until: Timestamp) -> anyhow::Result<Option<Self>> {
        let mut tx = p.db.read().await?;
        // First: what is read after it is at least as new.
        let account = billing_accounts::find(&mut tx, &Viewer::Platform, organization).await?;
        let sequence = account.map_or(0, |account| account.sequence);
        let records = usage::unrated(&mut tx, organization, until, BATCH).await?;
        if records.is_empty() {
            return Ok(None);
        }
        let (items, running, ended) = (Vec::new(), Vec::new(), Vec::new());
        let mut batch = Self { organization, sequence, until, items, running, ended };
        for record in records {
            if !batch.items.is_empty() && batch.items.len() >= MOST_PERIODS {
                break;
            }
            batch.add(&mut tx, record).await?;
        }
        batch.count_before(&mut tx).await?;
        Ok(Some(batch))
    }

    async fn add(&mut self, tx: &mut Tx, record: UsageRecord) -> anyhow::Result<()> {
        match record.ended_at {
            None => self.running.push(record.id),
            Some(_) => self.ended.push(record.id),
        }
        if let Some(ended_at) = record.ended_at.filter(|ended_at| *ended_at < record.rated_until) {
            let entries = ledger::after(tx, record.resource_id, ended_at).await?;
            // What another run of the same thing was charged is not this one's.
            let own = entries.into_iter().filter(|entry| entry.idempotency_key.starts_with(&key_of(&record)));
            for entry in own.filter(|entry| entry.kind == record.kind.entry()) {
                let (Some(start), Some(before)) = (entry.period_start, entry.used_before_micros) else { continue };
                let period = (start, ended_at.max(start));
                self.items.push(Item { record: record.clone(), period, before_micros: before, corrects: Some(entry) });
            }
            return Ok(());
        }
        let items = periods(&record, self.until).into_iter();
        self.items.extend(items.map(|period| Item { record: record.clone(), period, before_micros: 0, corrects: None }));
        Ok(())
    }

    /// What was used in the same month before each period, in the order in which they are written.
    async fn count_before(&mut self, tx: &mut Tx) -> anyhow::Result<()> {
        self.items.sort_by_key(|item| (item.period.0, item.record.id));
        let mut months: BTreeMap<Timestamp, i64> = BTreeMap::new();
        for item in self.items.iter_mut().filter(|item| item.corrects.is_none()) {
            let month = month_of(item.period.0);
            let used = match months.get(&month) {
                Some(used) => *used,
                None => usage::total(tx, self.organization, month, month_after(month)).await?.0,
            };
            item.before_micros = used;
            months.insert(month, used + micros(item.period));
        }
        Ok(())
    }

    /// The charge of each item, in their order. An empty period is not asked about.
    async fn ask(&self, p: &Platform) -> anyhow::Result<Vec<Option<Charge>>> {
        let asked: Vec<UsagePeriod> = self.items.iter().filter(|item| item.period.0 < item.period.1).map(Item::question).collect();
        if asked.is_empty() {
            return Ok(self.items.iter().map(|_| None).collect());
        }
        let plugin = plugin(p).context("no billing plugin is enabled: usage waits until one is")?;
        let charges = plugin.billing_rate(RateRequest { currency: p.config.currency.to_string(), usage: asked }).await?;
        let mut charges = charges.into_iter();
        Ok(self.items.iter().map(|item| (item.period.0 < item.period.1).then(|| charges.next()).flatten()).collect())
    }

    /// Gives how many entries were written. `None`: the account was written to since it was read, and nothing was.
    async fn write(&self, p: &Platform, charges: Vec<Option<Charge>>) -> anyhow::Result<Option<usize>> {
        let mut postings = Vec::with_capacity(self.items.len());
        let mut days: BTreeMap<(Timestamp, uuid::Uuid, UsageKind), (i64, i64)> = BTreeMap::new();
        for (item, charge) in self.items.iter().zip(charges) {
            let Some(posting) = item.posting(p, charge)? else { continue };
            let Some(used) = &posting.usage else { continue };
            let sign = if posting.credit == LedgerAccount::Revenue { 1 } else { -1 };
            let day = days.entry((day_of(used.period.0), used.subject, item.record.kind)).or_default();
            day.0 += used.micros;
            day.1 += sign * posting.amount.nanos();
            postings.push(posting);
        }
        let days: Vec<UsageDay> = days
            .into_iter()
            .map(|((day, subject_id, kind), (micros, nanos))| UsageDay {
                organization_id: self.organization,
                subject_id,
                kind,
                day,
                micros,
                amount: Money::from_nanos(nanos),
            })
            .collect();
        let written = postings.len();
        let mut tx = p.db.begin().await?;
        let mut account = billing_accounts::lock(&mut tx, &Viewer::Platform, self.organization, p.now()).await?;
        if account.sequence != self.sequence {
            return Ok(None);
        }
        let moved = usage::rated(&mut tx, &self.running, self.until).await? + usage::settled(&mut tx, &self.ended).await?;
        if moved != (self.running.len() + self.ended.len()) as u64 {
            // One that ran has ended meanwhile.
            return Ok(None);
        }
        if written > 0 {
            post(&mut tx, p, &mut account, postings).await?;
            usage::add_days(&mut tx, &days).await?;
        }
        p.crash.reach("billing.before_commit").await;
        tx.commit().await?;
        p.crash.reach("billing.after_commit").await;
        Ok(Some(written))
    }
}

/// What the keys of a record's entries begin with. A record is one run of a resource: if it runs again, that is another record.
fn key_of(record: &UsageRecord) -> String {
    format!("{}:{}:", record.kind.entry(), record.id)
}

fn micros((from, to): (Timestamp, Timestamp)) -> i64 {
    (to - from).num_microseconds().unwrap_or(0)
}

impl Item {
    fn key(&self) -> String {
        format!("{}{}", key_of(&self.record), self.period.0.timestamp_micros())
    }

    fn question(&self) -> UsagePeriod {
        UsagePeriod {
            key: self.key(),
            start: self.period.0,
            end: self.period.1,
            hourly_rate: self.record.hourly_rate.to_decimal(),
            kind: message_kind(self.record.kind),
            used_before_micros: self.before_micros.try_into().unwrap_or(0),
        }
    }

    /// `None`: nothing is to be written.
    fn posting(&self, p: &Platform, charge: Option<Charge>) -> anyhow::Result<Option<Posting>> {
        let amount = match &charge {
            Some(charge) => Money::rounded(charge.amount).context("a charge beyond all reason")?,
            None => Money::ZERO,
        };
        let used = |micros, before_micros| Used {
            subject: self.record.subject_id,
            resource: self.record.resource_id,
            period: self.period,
            micros,
            hourly_rate: self.record.hourly_rate,
            before_micros,
        };
        let Some(entry) = &self.corrects else {
            let payer = if p.config.billing.mode == Mode::Off { LedgerAccount::Waived } else { LedgerAccount::Wallet };
            return Ok(Some(Posting {
                kind: self.record.kind.entry(),
                debit: payer,
                credit: LedgerAccount::Revenue,
                amount,
                key: self.key(),
                description: charge.map(|charge| charge.description).unwrap_or_default(),
                usage: Some(used(micros(self.period), self.before_micros)),
            }));
        };
        // A plugin that takes more for less gets no more than it took.
        let back = Money::from_nanos((entry.amount.nanos() - amount.nanos()).max(0));
        let less = micros(self.period) - entry.quantity_micros.unwrap_or(0);
        let whole = (self.period.0, entry.period_end.unwrap_or(self.period.1));
        Ok((less != 0).then(|| Posting {
            kind: LedgerEntryKind::Refund,
            debit: LedgerAccount::Revenue,
            credit: entry.debit,
            amount: back,
            key: format!("refund:{}", entry.idempotency_key),
            description: format!("It had ended at {}, which became known later", self.period.1.format("%Y-%m-%d %H:%M:%S UTC")),
            usage: Some(Used { period: whole, ..used(less, self.before_micros) }),
        }))
    }
}

fn message_kind(kind: UsageKind) -> messages::UsageKind {
    match kind {
        UsageKind::Instance => messages::UsageKind::Instance,
        UsageKind::Database => messages::UsageKind::Database,
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
        UsageRecord {
            id: Uuid::nil().into(),
            organization_id: Uuid::nil().into(),
            kind: UsageKind::Instance,
            subject_id: Uuid::nil(),
            resource_id: Uuid::nil(),
            started_at: at(from),
            ended_at: to.map(at),
            rated_until: at(from),
            settled: false,
            hourly_rate: Money::ZERO,
        }
    }

    #[test]
    fn what_runs_is_due_up_to_the_last_whole_hour() {
        let periods = periods(&record("2026-01-01T10:20:00Z", None), at("2026-01-01T12:00:00Z"));
        assert_eq!(
            periods,
            [(at("2026-01-01T10:20:00Z"), at("2026-01-01T11:00:00Z")), (at("2026-01-01T11:00:00Z"), at("2026-01-01T12:00:00Z")),]
        );
    }

    #[test]
    fn what_has_ended_is_due_to_its_end() {
        let periods = periods(&record("2026-01-01T10:20:00Z", Some("2026-01-01T10:25:00Z")), at("2026-01-01T10:00:00Z"));
        assert_eq!(periods, [(at("2026-01-01T10:20:00Z"), at("2026-01-01T10:25:00Z"))]);
    }

    #[test]
    fn what_began_this_hour_is_not_due() {
        assert_eq!(periods(&record("2026-01-01T10:20:00Z", None), at("2026-01-01T10:00:00Z")), []);
    }
}
