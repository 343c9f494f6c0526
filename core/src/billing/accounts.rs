//! Accounts: how they stand, what follows from it, and what an administrator sets.

use anyhow::Context;
use slipway_model::{
    EventId, Money, OrganizationId, Viewer,
    state::{BillingStatus, InvoiceStatus},
};
use slipway_plugin_host::messages::{Standing, StandingRequest};
use slipway_store::{
    Tx,
    billing_accounts::{self, Account},
    events::{self, NewEvent},
    invoices, organizations, usage,
};

use super::{Mode, plugin, standing, suspension, undisturbed};
use crate::{
    Platform,
    changes::Changed,
    error::{Error, Result, UserError},
};

/// More than anybody is lent.
const MOST_CREDIT: Money = Money::from_nanos(1_000_000_000_000_000);

/// An account as its people see it.
///
/// # Errors
/// [`Error::NotFound`] for strangers, [`Error::Forbidden`] for members who are no administrators.
pub async fn find(p: &Platform, viewer: &Viewer, organization: OrganizationId) -> Result<Account> {
    crate::organizations::require(viewer, organization, slipway_model::Role::Admin)?;
    let found = billing_accounts::find(&mut p.db.read_as(viewer).await?, viewer, organization).await?;
    Ok(found.unwrap_or_else(|| Account::blank(organization, p.now())))
}

/// An account, for whoever runs the platform.
///
/// # Errors
/// Those of the database.
pub(crate) async fn of(p: &Platform, organization: OrganizationId) -> Result<Account> {
    let found = billing_accounts::find(&mut p.db.read().await?, &Viewer::Platform, organization).await?;
    Ok(found.unwrap_or_else(|| Account::blank(organization, p.now())))
}

/// Brings every account that needs it to where it should be: its status, and what is suspended for it.
///
/// # Errors
/// The first one; the others are judged all the same.
pub(super) async fn judge_all(p: &Platform) -> anyhow::Result<()> {
    let organizations = billing_accounts::to_judge(&mut p.db.read().await?).await?;
    let mut failure = None;
    for organization in organizations {
        if let Err(error) = judge(p, organization).await {
            failure = failure.or(Some(error.context(format!("the account of {organization}"))));
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Brings an account to where it should be. Whatever is interrupted is done the next time.
///
/// # Errors
/// Those of the database and of the billing plugin; the account stays as it is then.
pub async fn judge(p: &Platform, organization: OrganizationId) -> anyhow::Result<()> {
    let status = undisturbed(organization, || judge_once(p, organization)).await?;
    suspension::follow(p, organization, status).await
}

/// `None`: the account was written to since it was read.
async fn judge_once(p: &Platform, organization: OrganizationId) -> anyhow::Result<Option<BillingStatus>> {
    let everybody = &Viewer::Platform;
    let mut tx = p.db.read().await?;
    let account = billing_accounts::find(&mut tx, everybody, organization).await?;
    let account = account.unwrap_or_else(|| Account::blank(organization, p.now()));
    let hourly_cost = match account.status {
        // What it would cost to go on.
        BillingStatus::Suspended => billing_accounts::committed(&mut tx, everybody, organization).await?,
        BillingStatus::Active | BillingStatus::LowBalance | BillingStatus::Grace => {
            usage::run_rates(&mut tx, everybody, &[organization]).await?.remove(&organization).unwrap_or_default()
        }
    };
    let is_paying = account.balance >= Money::ZERO && !invoices::open_of(&mut tx, everybody, organization).await?.is_empty();
    drop(tx);
    let standing = match p.config.billing.mode {
        Mode::Off => Standing::Good,
        Mode::Prepaid => {
            let request = StandingRequest {
                currency: p.config.currency.to_string(),
                balance: account.balance.to_decimal(),
                credit_limit: account.credit_limit.to_decimal(),
                hourly_cost: hourly_cost.to_decimal(),
            };
            plugin(p).context("no billing plugin is enabled: accounts stay as they are until one is")?.billing_standing(request).await?
        }
    };
    let (status, grace_ends_at) = standing::next(account.status, account.grace_ends_at, standing, p.now());
    if (status, grace_ends_at) == (account.status, account.grace_ends_at) && !is_paying {
        return Ok(Some(status));
    }
    let mut tx = p.db.begin().await?;
    let mut held = billing_accounts::lock(&mut tx, everybody, organization, p.now()).await?;
    if (held.sequence, held.status, held.credit_limit) != (account.sequence, account.status, account.credit_limit) {
        return Ok(None);
    }
    if is_paying {
        pay_open(&mut tx, organization).await?;
    }
    let is_changed = status != held.status;
    if is_changed {
        held.status_since = p.now();
    }
    (held.status, held.grace_ends_at) = (status, grace_ends_at);
    billing_accounts::save(&mut tx, everybody, &held).await?;
    if is_changed {
        tell(&mut tx, p, organization, &format!("billing.{status}"), said(&held, p)).await?;
    }
    tx.commit().await?;
    p.changes.publish(Some(organization), Changed::Billing(organization));
    p.changes.publish(Some(organization), Changed::Events);
    Ok(Some(status))
}

/// What the wallet covers again.
async fn pay_open(tx: &mut Tx, organization: OrganizationId) -> Result<()> {
    for mut invoice in invoices::open_of(tx, &Viewer::Platform, organization).await? {
        invoice.status = InvoiceStatus::Paid;
        invoices::save(tx, &Viewer::Platform, &invoice, InvoiceStatus::Open).await?;
    }
    Ok(())
}

/// For the people of the organization.
fn said(account: &Account, p: &Platform) -> String {
    let left = format!("{} {}", account.balance, p.config.currency);
    match account.status {
        BillingStatus::Active => format!("The account is in order again: {left}."),
        BillingStatus::LowBalance => format!("The balance is low: {left}. Top it up, so that nothing has to stop."),
        BillingStatus::Grace => {
            let ends = account.grace_ends_at.map(|ends| ends.format("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default();
            format!("The balance is exhausted: {left}. What runs goes on until {ends}, and is suspended then unless it is topped up.")
        }
        BillingStatus::Suspended => {
            format!("The balance is exhausted: {left}. Applications are suspended; their data stays. They resume when it is topped up.")
        }
    }
}

/// Writes down what happened to an organization's account.
pub(super) async fn tell(tx: &mut Tx, p: &Platform, organization: OrganizationId, kind: &str, message: String) -> Result<()> {
    let event = NewEvent {
        id: EventId::new(&*p.clock),
        organization_id: Some(organization),
        application_id: None,
        resource: Some(organization.to_string()),
        kind: kind.to_owned(),
        message,
        data: None,
        created_at: p.now(),
    };
    events::insert(tx, &event).await?;
    Ok(())
}

/// Lets the balance of an organization fall so far below zero.
///
/// # Errors
/// [`Error::Forbidden`] for others than administrators of the platform; refusals of the input.
pub async fn set_credit_limit(p: &Platform, viewer: &Viewer, organization: OrganizationId, limit: Money) -> Result<Account> {
    if !viewer.is_platform_admin() {
        return Err(Error::Forbidden);
    }
    if limit < Money::ZERO || limit > MOST_CREDIT {
        return Err(UserError::invalid("creditLimit", format!("Use 0 to {MOST_CREDIT}.")).into());
    }
    let everybody = &Viewer::Platform;
    let mut tx = p.db.begin().await?;
    let not_found = || UserError::not_found("organizationId", "organization");
    organizations::find(&mut tx, everybody, organization).await?.ok_or_else(not_found)?;
    let mut account = billing_accounts::lock(&mut tx, everybody, organization, p.now()).await?;
    account.credit_limit = limit;
    billing_accounts::save(&mut tx, everybody, &account).await?;
    slipway_store::audit::note_organization(organization);
    tx.commit().await?;
    judge_later(p, organization).await;
    Ok(billing_accounts::find(&mut p.db.read().await?, everybody, organization).await?.unwrap_or(account))
}

/// After a commit that changed an account: what follows need not wait for the cycle, and is not lost when it fails now.
pub(super) async fn judge_later(p: &Platform, organization: OrganizationId) {
    p.changes.publish(Some(organization), Changed::Billing(organization));
    if let Err(error) = judge(p, organization).await {
        tracing::warn!(%organization, error = format!("{error:#}"), "an account could not be judged; it is tried again with the next cycle");
    }
}
