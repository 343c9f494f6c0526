//! Invoices. A draft may be written anew; one that was issued only changes its status.

use std::collections::HashMap;

use slipway_model::{Currency, InvoiceId, Money, OrganizationId, Timestamp, Viewer, state::InvoiceStatus};

use crate::{Cursor, Listed, Order, Page, Slice, StoreError, Tx, scope};

row! {
    pub struct Invoice {
        pub id: InvoiceId,
        pub organization_id: OrganizationId,
        /// `None`: it is a draft.
        pub number: Option<i64>,
        pub status: InvoiceStatus,
        /// What the organization was called when it was written.
        pub customer: String,
        pub period_start: Timestamp,
        pub period_end: Timestamp,
        pub currency: Currency,
        pub total: Money = "total_nanos",
        /// Lines and notes, as the billing plugin laid them out.
        pub layout: serde_json::Value,
        pub issued_at: Option<Timestamp>,
        pub voided_at: Option<Timestamp>,
        pub created_at: Timestamp,
    }
}

impl Listed for Invoice {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

/// Writes a draft; one of the same month is written anew, and keeps its id.
pub async fn draft(tx: &mut Tx, viewer: &Viewer, invoice: &Invoice) -> Result<Invoice, StoreError> {
    scope::check(viewer, invoice.organization_id)?;
    fetch_one!(
        tx,
        "INSERT INTO invoices (id, organization_id, number, status, customer, period_start, period_end, currency, total_nanos, layout,
            issued_at, voided_at, created_at)
         VALUES ($1, $2, NULL, 'draft', $3, $4, $5, $6, $7, $8, NULL, NULL, $9)
         ON CONFLICT (organization_id, period_start) WHERE status = 'draft' DO UPDATE
            SET customer = excluded.customer, total_nanos = excluded.total_nanos, layout = excluded.layout
         RETURNING *",
        invoice.id,
        invoice.organization_id,
        &invoice.customer,
        invoice.period_start,
        invoice.period_end,
        invoice.currency,
        invoice.total,
        &invoice.layout,
        invoice.created_at
    )
}

/// The draft of a month.
pub async fn draft_of(tx: &mut Tx, organization: OrganizationId, period_start: Timestamp) -> Result<Option<Invoice>, StoreError> {
    fetch_optional!(
        tx,
        "SELECT * FROM invoices WHERE organization_id = $1 AND period_start = $2 AND status = 'draft'",
        organization,
        period_start
    )
}

/// The next number. Whoever takes one issues an invoice in the same transaction: others wait for its end.
pub async fn next_number(tx: &mut Tx) -> Result<i64, StoreError> {
    fetch_one!(tx, "UPDATE invoice_numbers SET last = last + 1 RETURNING last").map(|(number,)| number)
}

/// Its number, status, moments, total and layout, where its status is still `before`. `false`: it is not.
pub async fn save(tx: &mut Tx, viewer: &Viewer, invoice: &Invoice, before: InvoiceStatus) -> Result<bool, StoreError> {
    let sql = sql!(
        "UPDATE invoices SET number = $3, status = $4, total_nanos = $5, layout = $6, issued_at = $7, voided_at = $8
         WHERE id = $1 AND status = $2",
        invoice.id,
        before,
        invoice.number,
        invoice.status,
        invoice.total,
        &invoice.layout,
        invoice.issued_at,
        invoice.voided_at
    );
    execute!(tx, sql.within("organization_id", viewer)).map(|rows| rows == 1)
}

pub async fn find(tx: &mut Tx, viewer: &Viewer, id: InvoiceId) -> Result<Option<Invoice>, StoreError> {
    fetch_optional!(tx, sql!("SELECT * FROM invoices WHERE id = $1", id).within("organization_id", viewer))
}

/// Finds it and keeps others from doing so until the transaction ends.
pub async fn lock(tx: &mut Tx, viewer: &Viewer, id: InvoiceId) -> Result<Option<Invoice>, StoreError> {
    let lock = tx.row_lock();
    fetch_optional!(tx, sql!("SELECT * FROM invoices WHERE id = $1", id).within("organization_id", viewer).push(lock))
}

/// Of each organization, newest first.
pub async fn of_each_organization(
    tx: &mut Tx,
    viewer: &Viewer,
    organizations: &[OrganizationId],
    page: &Page,
) -> Result<HashMap<OrganizationId, Slice<Invoice>>, StoreError> {
    tx.fetch_slices(
        organizations,
        |organization| sql!("SELECT * FROM invoices WHERE organization_id = $1", organization),
        |sql| sql.within("organization_id", viewer),
        |row: &Invoice| row.organization_id,
        page,
        Order::NewestFirst,
    )
    .await
}

/// Those that were issued and are not covered.
pub async fn open_of(tx: &mut Tx, viewer: &Viewer, organization: OrganizationId) -> Result<Vec<Invoice>, StoreError> {
    let sql = sql!("SELECT * FROM invoices WHERE organization_id = $1 AND status = 'open'", organization);
    fetch_all!(tx, sql.within("organization_id", viewer).push(" ORDER BY number"))
}

/// The numbers that were given, in order: of the whole platform.
pub async fn numbers(tx: &mut Tx) -> Result<Vec<i64>, StoreError> {
    let rows: Vec<(i64,)> = fetch_all!(tx, "SELECT number FROM invoices WHERE number IS NOT NULL ORDER BY number")?;
    Ok(rows.into_iter().map(|(number,)| number).collect())
}
