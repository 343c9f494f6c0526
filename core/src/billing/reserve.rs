//! Whether a wallet covers what shall run. Checked in the transaction that would bring more, so that many at once are not each the last.

use slipway_model::{Money, OrganizationId, Viewer, state::BillingStatus};
use slipway_store::{
    Tx,
    billing_accounts::{self, Account},
    organizations,
    plans::Plan,
};

use super::Mode;
use crate::{
    Platform,
    error::{Error, Result, UserError, UserErrorCode, UserErrorData},
};

/// What would come to what an organization wants to run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum More {
    /// So much more per hour.
    Hourly(Money),
    /// Nothing, but it is about to run for the first time.
    Beginning,
    /// Nothing: something takes the place of what runs.
    Nothing,
}

impl More {
    pub(crate) fn instances(plan: &Plan, count: i64) -> Self {
        Self::Hourly(Money::from_nanos(plan.price_hourly.nanos().saturating_mul(count.max(0))))
    }
}

/// Refuses what the wallet does not cover for an hour, together with everything else that its organization wants to run. Nobody else
/// adds to that before the transaction ends.
pub(crate) async fn check(tx: &mut Tx, p: &Platform, organization: OrganizationId, more: More) -> Result<()> {
    if p.config.billing.mode == Mode::Off {
        return Ok(());
    }
    // Whatever the caller sees of it: the money is the organization's.
    let everybody = &Viewer::Platform;
    organizations::lock(tx, everybody, organization).await?.ok_or(Error::NotFound)?;
    let account = billing_accounts::find(tx, everybody, organization).await?;
    let account = account.unwrap_or_else(|| Account::blank(organization, p.now()));
    let committed = billing_accounts::committed(tx, everybody, organization).await?;
    let (more, asks) = match more {
        More::Hourly(more) => (more, more > Money::ZERO),
        More::Beginning => (Money::ZERO, true),
        More::Nothing => (Money::ZERO, false),
    };
    let required = Money::from_nanos(committed.nanos().saturating_add(more.nanos()));
    let available = Money::from_nanos(account.balance.nanos().saturating_add(account.credit_limit.nanos()));
    if account.status != BillingStatus::Suspended && (!asks || required <= available) {
        return Ok(());
    }
    let currency = p.config.currency;
    let message = format!(
        "The wallet holds {} {currency}, and an hour of everything that your organization wants to run costs {required} {currency}. Top it up first.",
        account.balance
    );
    let data = UserErrorData::Balance { balance: account.balance, required, currency };
    Err(UserError::new(UserErrorCode::InsufficientBalance, "", message).with(data).into())
}
