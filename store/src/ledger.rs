//! The ledger: every movement of money, written once. An entry takes from one account and gives to another, so that all of them
//! together always come to nothing. Who writes holds the [account](crate::billing_accounts) of the organization.

use std::collections::{HashMap, HashSet};

use slipway_model::{
    Currency, InvoiceId, LedgerEntryId, Money, OrganizationId, Timestamp, Viewer,
    state::{LedgerAccount, LedgerEntryKind, UsageKind},
};
use uuid::Uuid;

use crate::{Cursor, Listed, Order, Page, Slice, Sql, StoreError, Tx, insert::Insert, scope};

row! {
    pub struct LedgerEntry {
        pub id: LedgerEntryId,
        pub organization_id: OrganizationId,
        /// Counts the organization's entries, from 1.
        pub sequence: i64,
        pub kind: LedgerEntryKind,
        /// What it takes from.
        pub debit: LedgerAccount,
        /// What it gives to.
        pub credit: LedgerAccount,
        /// Never negative.
        pub amount: Money = "amount_nanos",
        pub currency: Currency,
        /// What is in the wallet then.
        pub balance_after: Money = "balance_after_nanos",
        /// Of usage: the application, or the database itself.
        pub subject_id: Option<Uuid>,
        /// Of usage: the instance or database that ran.
        pub resource_id: Option<Uuid>,
        pub description: String,
        pub period_start: Option<Timestamp>,
        pub period_end: Option<Timestamp>,
        /// Of usage: for how long it ran, in microseconds; of a refund: less than nothing.
        pub quantity_micros: Option<i64>,
        pub hourly_rate: Option<Money> = "hourly_rate_nanos",
        /// What the organization had used in the same month when this was rated.
        pub used_before_micros: Option<i64>,
        /// Of the whole platform: what is written under it once is never written again.
        pub idempotency_key: String,
        pub invoice_id: Option<InvoiceId>,
        pub created_at: Timestamp,
    }
}

impl Listed for LedgerEntry {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

impl LedgerEntry {
    /// What it adds to the wallet.
    #[must_use]
    pub fn of_wallet(&self) -> Money {
        match (self.debit, self.credit) {
            (LedgerAccount::Wallet, _) => Money::from_nanos(-self.amount.nanos()),
            (_, LedgerAccount::Wallet) => self.amount,
            _ => Money::ZERO,
        }
    }
}

/// Keys that are looked for in one statement.
const KEYS: usize = 500;

/// Writes entries, all or none. [`StoreError::Conflict`] when one of their keys is taken.
pub async fn append(tx: &mut Tx, viewer: &Viewer, entries: &[LedgerEntry]) -> Result<(), StoreError> {
    for entry in entries {
        scope::check(viewer, entry.organization_id)?;
    }
    let insert = Insert {
        into: "INSERT INTO ledger_entries (id, organization_id, sequence, kind, debit, credit, amount_nanos, currency, balance_after_nanos,
            subject_id, resource_id, description, period_start, period_end, quantity_micros, hourly_rate_nanos, used_before_micros,
            idempotency_key, created_at) VALUES",
        row: " (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        otherwise: "",
    };
    insert
        .all(tx, entries, |sql, entry| {
            sql.bind(entry.id)
                .bind(entry.organization_id)
                .bind(entry.sequence)
                .bind(entry.kind)
                .bind(entry.debit)
                .bind(entry.credit)
                .bind(entry.amount)
                .bind(entry.currency)
                .bind(entry.balance_after)
                .bind(entry.subject_id)
                .bind(entry.resource_id)
                .bind(&entry.description)
                .bind(entry.period_start)
                .bind(entry.period_end)
                .bind(entry.quantity_micros)
                .bind(entry.hourly_rate)
                .bind(entry.used_before_micros)
                .bind(&entry.idempotency_key)
                .bind(entry.created_at)
        })
        .await
}

/// Which of an organization's keys are written already.
pub async fn written(tx: &mut Tx, viewer: &Viewer, organization: OrganizationId, keys: &[String]) -> Result<HashSet<String>, StoreError> {
    let mut written = HashSet::new();
    for keys in keys.chunks(KEYS) {
        let sql = sql!("SELECT idempotency_key FROM ledger_entries WHERE organization_id = $1", organization);
        let rows: Vec<(String,)> = fetch_all!(tx, sql.any("idempotency_key", keys).within("organization_id", viewer))?;
        written.extend(rows.into_iter().map(|(key,)| key));
    }
    Ok(written)
}

pub async fn by_key(tx: &mut Tx, viewer: &Viewer, organization: OrganizationId, key: &str) -> Result<Option<LedgerEntry>, StoreError> {
    let sql = sql!("SELECT * FROM ledger_entries WHERE idempotency_key = $1 AND organization_id = $2", key, organization);
    fetch_optional!(tx, sql.within("organization_id", viewer))
}

pub async fn find(tx: &mut Tx, viewer: &Viewer, id: LedgerEntryId) -> Result<Option<LedgerEntry>, StoreError> {
    fetch_optional!(tx, sql!("SELECT * FROM ledger_entries WHERE id = $1", id).within("organization_id", viewer))
}

/// What stands of a resource for after a moment, oldest first.
pub async fn after(tx: &mut Tx, resource: Uuid, moment: Timestamp) -> Result<Vec<LedgerEntry>, StoreError> {
    fetch_all!(
        tx,
        "SELECT * FROM ledger_entries WHERE resource_id = $1 AND period_end > $2 ORDER BY period_start, sequence",
        resource,
        moment
    )
}

/// Newest first. `kinds`: only these.
pub async fn list(
    tx: &mut Tx,
    viewer: &Viewer,
    organization: OrganizationId,
    kinds: Option<&[LedgerEntryKind]>,
    page: &Page,
) -> Result<Slice<LedgerEntry>, StoreError> {
    tx.fetch_slice(listed(organization, kinds).within("organization_id", viewer), page, Order::NewestFirst).await
}

/// Of each organization, newest first.
pub async fn of_each_organization(
    tx: &mut Tx,
    viewer: &Viewer,
    organizations: &[OrganizationId],
    kinds: Option<&[LedgerEntryKind]>,
    page: &Page,
) -> Result<HashMap<OrganizationId, Slice<LedgerEntry>>, StoreError> {
    tx.fetch_slices(
        organizations,
        |organization| listed(organization, kinds),
        |sql| sql.within("organization_id", viewer),
        |row: &LedgerEntry| row.organization_id,
        page,
        Order::NewestFirst,
    )
    .await
}

fn listed(organization: OrganizationId, kinds: Option<&[LedgerEntryKind]>) -> Sql {
    let sql = sql!("SELECT * FROM ledger_entries WHERE organization_id = $1", organization);
    match kinds {
        Some(kinds) => sql.any("kind", kinds.iter().copied()),
        None => sql,
    }
}

/// In the order in which they were written, beginning after `sequence`: for exports.
pub async fn since(
    tx: &mut Tx,
    viewer: &Viewer,
    organization: OrganizationId,
    (from, to): (Timestamp, Timestamp),
    sequence: i64,
    most: i64,
) -> Result<Vec<LedgerEntry>, StoreError> {
    let sql = sql!(
        "SELECT * FROM ledger_entries WHERE organization_id = $1 AND created_at >= $2 AND created_at < $3 AND sequence > $4",
        organization,
        from,
        to,
        sequence
    );
    fetch_all!(tx, sql.within("organization_id", viewer).push(" ORDER BY sequence").limit(most))
}

/// What the wallet comes to by its entries: what [its account](crate::billing_accounts::Account) says.
pub async fn balance(tx: &mut Tx, viewer: &Viewer, organization: OrganizationId) -> Result<Money, StoreError> {
    let sql = sql!(
        "SELECT CAST(COALESCE(SUM(CASE WHEN credit = 'wallet' THEN amount_nanos WHEN debit = 'wallet' THEN -amount_nanos ELSE 0 END), 0)
            AS BIGINT)
         FROM ledger_entries WHERE organization_id = $1",
        organization
    );
    fetch_one!(tx, sql.within("organization_id", viewer)).map(|(balance,)| balance)
}

row! {
    /// What one subject used and was charged at one rate.
    pub struct Charged {
        pub organization_id: OrganizationId,
        pub subject_id: Uuid,
        pub kind: UsageKind,
        pub micros: i64,
        pub amount: Money = "amount_nanos",
    }
}

/// What each subject of each organization used in periods that begin in a span of time, corrections taken off, dearest first.
pub async fn charged(
    tx: &mut Tx,
    viewer: &Viewer,
    organizations: Option<&[OrganizationId]>,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Charged>, StoreError> {
    let mut sql = sql!(
        "SELECT organization_id, subject_id, CASE WHEN SUM(CASE WHEN kind = 'usage_database' THEN 1 ELSE 0 END) > 0 THEN 'database'
                ELSE 'instance' END AS kind,
            CAST(COALESCE(SUM(quantity_micros), 0) AS BIGINT) AS micros,
            CAST(SUM(CASE WHEN credit = 'revenue' THEN amount_nanos ELSE -amount_nanos END) AS BIGINT) AS amount_nanos
         FROM ledger_entries
         WHERE period_start >= $1 AND period_start < $2 AND subject_id IS NOT NULL AND (credit = 'revenue' OR debit = 'revenue')",
        from,
        to
    );
    if let Some(organizations) = organizations {
        sql = sql.any("organization_id", organizations.iter().copied());
    }
    let sql = sql.within("organization_id", viewer);
    fetch_all!(tx, sql.push(" GROUP BY organization_id, subject_id ORDER BY organization_id, amount_nanos DESC, subject_id"))
}

row! {
    /// What an invoice says of one subject at one rate.
    pub struct Billed {
        pub subject_id: Uuid,
        pub hourly_rate: Money = "hourly_rate_nanos",
        pub kind: UsageKind,
        pub micros: i64,
        pub amount: Money = "amount_nanos",
    }
}

/// What was charged to an organization's wallet for periods that ended by then, and stands on no invoice, or on that one.
pub async fn billed(
    tx: &mut Tx,
    viewer: &Viewer,
    organization: OrganizationId,
    until: Timestamp,
    invoice: Option<InvoiceId>,
) -> Result<Vec<Billed>, StoreError> {
    let sql = sql!(
        "SELECT subject_id, COALESCE(hourly_rate_nanos, 0) AS hourly_rate_nanos,
            CASE WHEN SUM(CASE WHEN kind = 'usage_database' THEN 1 ELSE 0 END) > 0 THEN 'database' ELSE 'instance' END AS kind,
            CAST(COALESCE(SUM(quantity_micros), 0) AS BIGINT) AS micros,
            CAST(SUM(CASE WHEN debit = 'wallet' THEN amount_nanos ELSE -amount_nanos END) AS BIGINT) AS amount_nanos
         FROM ledger_entries
         WHERE organization_id = $1 AND period_end <= $2 AND subject_id IS NOT NULL AND (debit = 'wallet' OR credit = 'wallet')",
        organization,
        until
    );
    let sql = match invoice {
        Some(invoice) => sql.and("(invoice_id IS NULL OR invoice_id = ?)", [invoice]),
        None => sql.push(" AND invoice_id IS NULL"),
    };
    let sql = sql.within("organization_id", viewer);
    fetch_all!(tx, sql.push(" GROUP BY subject_id, COALESCE(hourly_rate_nanos, 0) ORDER BY subject_id, hourly_rate_nanos"))
}

/// Which organizations have charges that ended by then and stand on no invoice.
pub async fn unbilled(tx: &mut Tx, until: Timestamp) -> Result<Vec<OrganizationId>, StoreError> {
    let rows: Vec<(OrganizationId,)> = fetch_all!(
        tx,
        "SELECT a.organization_id FROM billing_accounts a
         WHERE EXISTS (SELECT 1 FROM ledger_entries e
            WHERE e.organization_id = a.organization_id AND e.period_end <= $1 AND e.invoice_id IS NULL
                AND (e.debit = 'wallet' OR e.credit = 'wallet'))
         ORDER BY a.organization_id",
        until
    )?;
    Ok(rows.into_iter().map(|(organization,)| organization).collect())
}

/// Notes that what [`billed`] gave stands on an invoice. Gives how many entries.
pub async fn put_on_invoice(
    tx: &mut Tx,
    viewer: &Viewer,
    organization: OrganizationId,
    until: Timestamp,
    invoice: InvoiceId,
) -> Result<u64, StoreError> {
    let sql = sql!(
        "UPDATE ledger_entries SET invoice_id = $3
         WHERE organization_id = $1 AND period_end <= $2 AND invoice_id IS NULL AND subject_id IS NOT NULL
            AND (debit = 'wallet' OR credit = 'wallet')",
        organization,
        until,
        invoice
    );
    execute!(tx, sql.within("organization_id", viewer))
}

/// Notes that its entries stand on no invoice any more.
pub async fn take_off_invoice(tx: &mut Tx, viewer: &Viewer, invoice: InvoiceId) -> Result<u64, StoreError> {
    execute!(tx, sql!("UPDATE ledger_entries SET invoice_id = NULL WHERE invoice_id = $1", invoice).within("organization_id", viewer))
}
