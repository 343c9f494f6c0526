//! Writing to the ledger. The account is held by the transaction.

use slipway_model::{
    Clock, LedgerEntryId, Money, Timestamp, Viewer,
    state::{LedgerAccount, LedgerEntryKind},
};
use slipway_store::{
    Tx,
    billing_accounts::{self, Account},
    ledger::{self, LedgerEntry},
};
use uuid::Uuid;

use crate::{
    Platform,
    error::{Error, Result},
};

/// An entry that has no place in the ledger yet.
#[derive(Debug, Clone)]
pub(super) struct Posting {
    pub kind: LedgerEntryKind,
    pub debit: LedgerAccount,
    pub credit: LedgerAccount,
    pub amount: Money,
    pub key: String,
    pub description: String,
    pub usage: Option<Used>,
}

/// What an entry about usage says of it.
#[derive(Debug, Clone)]
pub(super) struct Used {
    pub subject: Uuid,
    pub resource: Uuid,
    pub period: (Timestamp, Timestamp),
    pub micros: i64,
    pub hourly_rate: Money,
    pub before_micros: i64,
}

/// Writes entries, and the account as they leave it.
pub(super) async fn post(tx: &mut Tx, p: &Platform, account: &mut Account, postings: Vec<Posting>) -> Result<Vec<LedgerEntry>> {
    let now = p.now();
    let mut entries = Vec::with_capacity(postings.len());
    for Posting { kind, debit, credit, amount, key, description, usage } in postings {
        if amount < Money::ZERO || debit == credit {
            return Err(Error::internal(anyhow::anyhow!("an entry of {amount} from {debit} to {credit}")));
        }
        account.sequence += 1;
        let period = usage.as_ref().map(|used| used.period);
        let mut entry = LedgerEntry {
            id: id(&*p.clock, now, account.sequence),
            organization_id: account.organization_id,
            sequence: account.sequence,
            kind,
            debit,
            credit,
            amount,
            currency: p.config.currency,
            balance_after: account.balance,
            subject_id: usage.as_ref().map(|used| used.subject),
            resource_id: usage.as_ref().map(|used| used.resource),
            description,
            period_start: period.map(|(start, _)| start),
            period_end: period.map(|(_, end)| end),
            quantity_micros: usage.as_ref().map(|used| used.micros),
            hourly_rate: usage.as_ref().map(|used| used.hourly_rate),
            used_before_micros: usage.as_ref().map(|used| used.before_micros),
            idempotency_key: key,
            invoice_id: None,
            created_at: now,
        };
        let balance = account.balance.checked_add(entry.of_wallet());
        account.balance = balance.ok_or_else(|| Error::internal(anyhow::anyhow!("a balance beyond what can be counted")))?;
        entry.balance_after = account.balance;
        entries.push(entry);
    }
    ledger::append(tx, &Viewer::Platform, &entries).await?;
    billing_accounts::save(tx, &Viewer::Platform, account).await?;
    Ok(entries)
}

/// Ids of one moment sort as the entries do, so that lists show them in the order of their balances.
fn id(clock: &dyn Clock, now: Timestamp, sequence: i64) -> LedgerEntryId {
    let mut bytes = [0; 10];
    let low = u32::try_from(sequence & 0x3fff_ffff).unwrap_or(0);
    bytes[2..6].copy_from_slice(&low.to_be_bytes());
    clock.fill(&mut bytes[6..]);
    let milliseconds = u64::try_from(now.timestamp_millis()).unwrap_or(0);
    LedgerEntryId::from_uuid(uuid::Builder::from_unix_timestamp_millis(milliseconds, &bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use slipway_model::ManualClock;

    use super::*;

    #[test]
    fn ids_of_one_moment_sort_as_their_entries() {
        let now = Timestamp::UNIX_EPOCH;
        let clock = ManualClock::at(now);
        let ids: Vec<_> = (1..2_000).map(|sequence| id(&clock, now, sequence)).collect();
        assert!(ids.is_sorted());
    }
}
