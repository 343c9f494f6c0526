//! Invoices (R16.2): a month that is over is drafted, and written anew while charges of it still come; an administrator issues it,
//! and with that it gets its number. An invoice says what was charged to the wallet, and charges nothing itself.

use anyhow::Context;
use chrono::TimeDelta;
use rust_decimal::Decimal;
use slipway_model::{
    ApplicationId, InvoiceId, Money, OrganizationId, Role, Timestamp, Viewer,
    state::{InvoiceStatus, UsageKind},
};
use slipway_plugin_host::messages::{self, InvoiceItem, InvoiceLayout, InvoiceRequest};
use slipway_store::{
    StoreError, Tx, applications, billing_accounts,
    invoices::{self, Invoice},
    ledger::{self, Billed},
    organizations,
};
use uuid::Uuid;

use super::{month_of, plugin, undisturbed};
use crate::{
    Platform,
    changes::Changed,
    error::{Error, Result, UserError},
};

pub use super::pdf::of as pdf;

/// Drafts what was charged for months that are over and stands on no invoice.
///
/// # Errors
/// The first one; the others are drafted all the same.
pub async fn draft_due(p: &Platform, now: Timestamp) -> anyhow::Result<()> {
    let end = month_of(now);
    let start = month_of(end - TimeDelta::days(1));
    let organizations = ledger::unbilled(&mut p.db.read().await?, end).await?;
    let mut failure = None;
    for organization in organizations {
        if let Err(error) = draft(p, organization, start, end).await {
            failure = failure.or(Some(error.context(format!("the invoice of {organization}"))));
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Drafts what was charged until `end` and stands on no invoice; the month's draft, if there is one, is written anew.
async fn draft(p: &Platform, organization: OrganizationId, start: Timestamp, end: Timestamp) -> anyhow::Result<()> {
    undisturbed(organization, || async move { Ok(draft_once(p, organization, start, end).await?.then_some(())) }).await?;
    p.changes.publish(Some(organization), Changed::Billing(organization));
    Ok(())
}

/// `false`: the account or its invoices were written to since they were read.
async fn draft_once(p: &Platform, organization: OrganizationId, start: Timestamp, end: Timestamp) -> anyhow::Result<bool> {
    let everybody = &Viewer::Platform;
    let mut tx = p.db.read().await?;
    let Some(account) = billing_accounts::find(&mut tx, everybody, organization).await? else { return Ok(true) };
    let (before, billed) = to_bill(&mut tx, organization, start, end).await?;
    if before.is_none() && billed.is_empty() {
        // Somebody else has drafted it.
        return Ok(true);
    }
    let rows = organizations::by_ids(&mut tx, everybody, &[organization]).await?;
    let customer = rows.get(&organization).context("whose invoice it is")?.name.to_string();
    let ids: Vec<ApplicationId> = billed.iter().map(|row| row.subject_id.into()).collect();
    let named = applications::by_ids(&mut tx, everybody, &ids).await?;
    drop(tx);
    let name = |row: &Billed| {
        named.get(&row.subject_id.into()).map_or_else(|| row.subject_id.to_string(), |application| application.name.to_string())
    };
    let request = InvoiceRequest {
        currency: p.config.currency.to_string(),
        customer: customer.clone(),
        period_start: start,
        period_end: end,
        items: billed.iter().map(|row| item(row, name(row))).collect(),
    };
    let plugin = plugin(p).context("no billing plugin is enabled: invoices wait until one is")?;
    let layout = plugin.billing_invoice(request).await?;
    let total = Money::from_nanos(billed.iter().map(|row| row.amount.nanos()).sum());
    let mut tx = p.db.begin().await?;
    let held = billing_accounts::lock(&mut tx, everybody, organization, p.now()).await?;
    // An invoice that is issued or taken back adds no entry, but changes what is left to bill.
    if held.sequence != account.sequence || to_bill(&mut tx, organization, start, end).await? != (before, billed) {
        return Ok(false);
    }
    let draft = Invoice {
        id: InvoiceId::new(&*p.clock),
        organization_id: organization,
        number: None,
        status: InvoiceStatus::Draft,
        customer,
        period_start: start,
        period_end: end,
        currency: p.config.currency,
        total,
        layout: serde_json::to_value(&layout)?,
        issued_at: None,
        voided_at: None,
        created_at: p.now(),
    };
    let draft = invoices::draft(&mut tx, everybody, &draft).await?;
    ledger::put_on_invoice(&mut tx, everybody, organization, end, draft.id).await?;
    tx.commit().await?;
    Ok(true)
}

/// The month's draft, and what belongs on it.
async fn to_bill(
    tx: &mut Tx,
    organization: OrganizationId,
    start: Timestamp,
    end: Timestamp,
) -> Result<(Option<InvoiceId>, Vec<Billed>), StoreError> {
    let draft = invoices::draft_of(tx, organization, start).await?.map(|draft| draft.id);
    Ok((draft, ledger::billed(tx, &Viewer::Platform, organization, end, draft).await?))
}

fn item(row: &Billed, name: String) -> InvoiceItem {
    InvoiceItem {
        key: format!("{}:{}", row.subject_id, row.hourly_rate.nanos()),
        name,
        kind: match row.kind {
            UsageKind::Instance => messages::UsageKind::Instance,
            UsageKind::Database => messages::UsageKind::Database,
        },
        micros: row.micros.try_into().unwrap_or(0),
        hourly_rate: row.hourly_rate.to_decimal(),
        amount: row.amount.to_decimal(),
    }
}

/// A line, and what it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The application or database.
    pub subject: Option<Uuid>,
    pub description: String,
    pub quantity: Decimal,
    pub unit_price: Money,
    pub amount: Money,
}

/// The lines of an invoice, and the sentences below them.
///
/// # Errors
/// It is stored in a form that is none.
pub fn lines(invoice: &Invoice) -> Result<(Vec<Line>, Vec<String>)> {
    let layout: InvoiceLayout = serde_json::from_value(invoice.layout.clone()).map_err(Error::internal)?;
    let money = |amount| Money::rounded(amount).ok_or_else(|| Error::internal(anyhow::anyhow!("an amount beyond what can be counted")));
    let line = |line: messages::InvoiceLine| {
        Ok(Line {
            subject: line.key.and_then(|key| key.split(':').next().and_then(|id| id.parse().ok())),
            description: line.description,
            quantity: line.quantity,
            unit_price: money(line.unit_price)?,
            amount: money(line.amount)?,
        })
    };
    Ok((layout.lines.into_iter().map(line).collect::<Result<_>>()?, layout.notes))
}

/// The number as people read it; a draft has none.
#[must_use]
pub fn number(invoice: &Invoice) -> Option<String> {
    invoice.number.map(|number| format!("INV-{number:06}"))
}

/// # Errors
/// Those of the database.
pub async fn find(p: &Platform, viewer: &Viewer, id: InvoiceId) -> Result<Option<Invoice>> {
    let found = invoices::find(&mut p.db.read_as(viewer).await?, viewer, id).await?;
    // Members who are no administrators do not see what is paid.
    Ok(found.filter(|invoice| crate::organizations::require(viewer, invoice.organization_id, Role::Admin).is_ok()))
}

/// Issues a draft: it gets the next number, and is paid if the wallet covers it.
///
/// # Errors
/// [`Error::Forbidden`] for others than administrators of the platform; it is no draft.
pub async fn finalize(p: &Platform, viewer: &Viewer, id: InvoiceId) -> Result<Invoice> {
    if !viewer.is_platform_admin() {
        return Err(Error::Forbidden);
    }
    let everybody = &Viewer::Platform;
    let mut tx = p.db.begin().await?;
    let not_found = || UserError::not_found("id", "invoice");
    let seen = invoices::find(&mut tx, everybody, id).await?.ok_or_else(not_found)?;
    // The account first, as everywhere.
    let account = billing_accounts::lock(&mut tx, everybody, seen.organization_id, p.now()).await?;
    let mut invoice = invoices::lock(&mut tx, everybody, id).await?.ok_or_else(not_found)?;
    if invoice.status != InvoiceStatus::Draft {
        return Err(UserError::invalid_state(format!("The invoice was issued already: it is {}.", invoice.status)).into());
    }
    invoice.status = if account.balance >= Money::ZERO { InvoiceStatus::Paid } else { InvoiceStatus::Open };
    invoice.issued_at = Some(p.now());
    invoice.number = Some(invoices::next_number(&mut tx).await?);
    invoices::save(&mut tx, everybody, &invoice, InvoiceStatus::Draft).await?;
    slipway_store::audit::note_subject(id);
    slipway_store::audit::note_organization(invoice.organization_id);
    tx.commit().await?;
    p.changes.publish(Some(invoice.organization_id), Changed::Billing(invoice.organization_id));
    Ok(invoice)
}

/// Takes an issued invoice back. Its number stays its own; what it was about is drafted again.
///
/// # Errors
/// [`Error::Forbidden`] for others than administrators of the platform; it was not issued, or was taken back already.
pub async fn void(p: &Platform, viewer: &Viewer, id: InvoiceId) -> Result<Invoice> {
    if !viewer.is_platform_admin() {
        return Err(Error::Forbidden);
    }
    let everybody = &Viewer::Platform;
    let mut tx = p.db.begin().await?;
    let not_found = || UserError::not_found("id", "invoice");
    let seen = invoices::find(&mut tx, everybody, id).await?.ok_or_else(not_found)?;
    billing_accounts::lock(&mut tx, everybody, seen.organization_id, p.now()).await?;
    let mut invoice = invoices::lock(&mut tx, everybody, id).await?.ok_or_else(not_found)?;
    let before = invoice.status;
    match before {
        InvoiceStatus::Open | InvoiceStatus::Paid => {}
        InvoiceStatus::Draft => return Err(UserError::invalid_state("The invoice is a draft: it was not issued.").into()),
        InvoiceStatus::Void => return Err(UserError::invalid_state("The invoice was taken back already.").into()),
    }
    invoice.status = InvoiceStatus::Void;
    invoice.voided_at = Some(p.now());
    invoices::save(&mut tx, everybody, &invoice, before).await?;
    ledger::take_off_invoice(&mut tx, everybody, id).await?;
    slipway_store::audit::note_subject(id);
    slipway_store::audit::note_organization(invoice.organization_id);
    tx.commit().await?;
    if let Err(error) = draft(p, invoice.organization_id, invoice.period_start, invoice.period_end).await {
        tracing::warn!(invoice = %id, error = format!("{error:#}"), "what a void invoice was about is drafted with the next cycle");
    }
    p.changes.publish(Some(invoice.organization_id), Changed::Billing(invoice.organization_id));
    Ok(invoice)
}
