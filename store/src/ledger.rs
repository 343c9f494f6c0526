//! The ledger: every change of a balance, written once and never changed.

use slipway_model::{ApplicationId, Currency, InstanceId, LedgerEntryId, Money, OrganizationId, Timestamp, Viewer, state::LedgerEntryKind};

use crate::{Cursor, Listed, Order, Page, Slice, StoreError, Tx, scope};

row! {
    pub struct LedgerEntry {
        pub id: LedgerEntryId,
        pub organization_id: OrganizationId,
        pub application_id: Option<ApplicationId>,
        pub instance_id: Option<InstanceId>,
        pub kind: LedgerEntryKind,
        /// What it adds to the balance: usage is negative.
        pub amount: Money = "amount_nanos",
        pub currency: Currency,
        pub description: String,
        pub period_start: Option<Timestamp>,
        pub period_end: Option<Timestamp>,
        /// Of the whole platform: what is written under it once is never written again.
        pub idempotency_key: String,
        pub created_at: Timestamp,
    }
}

impl Listed for LedgerEntry {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

/// `false`: it is written already.
pub async fn insert(tx: &mut Tx, viewer: &Viewer, entry: &LedgerEntry) -> Result<bool, StoreError> {
    scope::check(viewer, entry.organization_id)?;
    execute!(
        tx,
        "INSERT INTO ledger_entries (id, organization_id, application_id, instance_id, kind, amount_nanos, currency, description,
            period_start, period_end, idempotency_key, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (idempotency_key) DO NOTHING",
        entry.id,
        entry.organization_id,
        entry.application_id,
        entry.instance_id,
        entry.kind,
        entry.amount,
        entry.currency,
        &entry.description,
        entry.period_start,
        entry.period_end,
        &entry.idempotency_key,
        entry.created_at
    )
    .map(|rows| rows == 1)
}

/// Newest first.
pub async fn list(tx: &mut Tx, viewer: &Viewer, organization: OrganizationId, page: &Page) -> Result<Slice<LedgerEntry>, StoreError> {
    let sql = sql!("SELECT * FROM ledger_entries WHERE organization_id = $1", organization).within("organization_id", viewer);
    tx.fetch_slice(sql, page, Order::NewestFirst).await
}

/// The sum of all entries. Who spends what it says holds [`lock`](crate::organizations::lock) meanwhile.
pub async fn balance(tx: &mut Tx, viewer: &Viewer, organization: OrganizationId) -> Result<Money, StoreError> {
    let sql = sql!("SELECT CAST(COALESCE(SUM(amount_nanos), 0) AS BIGINT) FROM ledger_entries WHERE organization_id = $1", organization);
    fetch_one!(tx, sql.within("organization_id", viewer)).map(|(balance,)| balance)
}

/// What each application of an organization used of it in a span of time, as a positive amount.
pub async fn spending(
    tx: &mut Tx,
    viewer: &Viewer,
    organization: OrganizationId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<(Option<ApplicationId>, Money)>, StoreError> {
    let sql = sql!(
        "SELECT application_id, CAST(-SUM(amount_nanos) AS BIGINT) FROM ledger_entries
         WHERE organization_id = $1 AND kind = $2 AND created_at >= $3 AND created_at < $4",
        organization,
        LedgerEntryKind::UsageInstance,
        from,
        to
    );
    fetch_all!(tx, sql.within("organization_id", viewer).push(" GROUP BY application_id ORDER BY application_id"))
}
