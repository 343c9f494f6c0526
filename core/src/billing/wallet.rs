//! What goes into a wallet and comes out of it beside usage: payments, and what an administrator gives or takes.

use slipway_model::{
    Money, OrganizationId, Role, Viewer,
    state::{LedgerAccount, LedgerEntryKind},
};
use slipway_store::{
    billing_accounts,
    ledger::{self, LedgerEntry},
    organizations,
};

use super::{
    accounts,
    posting::{Posting, post},
};
use crate::{
    Platform,
    applications::require,
    error::{Error, Refusals, Result, UserError, UserErrorCode},
};

/// Of one payment or adjustment.
const MOST: Money = Money::from_nanos(1_000_000_000_000_000);
const LONGEST_KEY: usize = 200;
const LONGEST_REASON: usize = 500;

/// A payment as it came in.
#[derive(Debug, Clone)]
pub struct TopUp {
    pub organization: OrganizationId,
    pub amount: Money,
    /// The same key is one payment, for ever.
    pub key: String,
}

/// Records a payment, and resumes what was suspended for want of it. The same key and amount give the same entry.
///
/// # Errors
/// [`Error::Forbidden`] for members who are no administrators; refusals of the input; a key that was used for another amount; a
/// platform where customers do not say themselves that they paid.
pub async fn top_up(p: &Platform, viewer: &Viewer, new: TopUp) -> Result<LedgerEntry> {
    // Whoever runs the platform records payments of every organization, also by token.
    if !viewer.is_platform_admin() {
        require(viewer, new.organization, Role::Admin, "organizationId", "organization")?;
    }
    if !viewer.is_platform_admin() && !p.config.billing.customers_top_up {
        let message = "On this platform its administrators record payments. Ask one of them to top up your wallet.";
        return Err(UserError::new(UserErrorCode::Unsupported, "", message).into());
    }
    let mut refusals = Refusals::new();
    check_key(&mut refusals, &new.key);
    let fits = new.amount > Money::ZERO && new.amount <= MOST;
    refusals.check(fits, || UserError::invalid("amount", format!("Use more than 0 and at most {MOST}.")));
    refusals.done()?;
    let posting = Posting {
        kind: LedgerEntryKind::TopUp,
        debit: LedgerAccount::Payments,
        credit: LedgerAccount::Wallet,
        amount: new.amount,
        key: format!("top_up:{}:{}", new.organization, new.key),
        description: "Payment".to_owned(),
        usage: None,
    };
    write(p, new.organization, posting).await
}

/// Something that an administrator gives, or takes when it is negative.
#[derive(Debug, Clone)]
pub struct Adjustment {
    pub organization: OrganizationId,
    pub amount: Money,
    /// For the customer to read.
    pub reason: String,
    pub key: String,
}

/// Records an adjustment. The same key, amount and reason give the same entry.
///
/// # Errors
/// [`Error::Forbidden`] for others than administrators of the platform; refusals of the input; a key that was used for another one.
pub async fn adjust(p: &Platform, viewer: &Viewer, new: Adjustment) -> Result<LedgerEntry> {
    if !viewer.is_platform_admin() {
        return Err(Error::Forbidden);
    }
    let mut refusals = Refusals::new();
    check_key(&mut refusals, &new.key);
    let size = Money::from_nanos(new.amount.nanos().saturating_abs());
    let fits = size > Money::ZERO && size <= MOST;
    refusals.check(fits, || UserError::invalid("amount", format!("Use an amount other than 0, at most {MOST} either way.")));
    let reason = new.reason.trim();
    refusals.check(!reason.is_empty(), || UserError::new(UserErrorCode::Required, "reason", "Say what it is for: its customer reads it."));
    let fits = reason.chars().count() <= LONGEST_REASON;
    refusals.check(fits, || UserError::too_long("reason", format!("Use at most {LONGEST_REASON} characters.")));
    refusals.done()?;
    let (debit, credit) = if new.amount > Money::ZERO {
        (LedgerAccount::Adjustments, LedgerAccount::Wallet)
    } else {
        (LedgerAccount::Wallet, LedgerAccount::Adjustments)
    };
    let posting = Posting {
        kind: LedgerEntryKind::Adjustment,
        debit,
        credit,
        amount: size,
        key: format!("adjustment:{}:{}", new.organization, new.key),
        description: reason.to_owned(),
        usage: None,
    };
    write(p, new.organization, posting).await
}

fn check_key(refusals: &mut Refusals, key: &str) {
    refusals.check(!key.is_empty() && key.len() <= LONGEST_KEY, || {
        UserError::invalid("idempotencyKey", format!("Use 1 to {LONGEST_KEY} characters."))
    });
}

/// The account is held, so of two with the same key the second finds what the first wrote.
async fn write(p: &Platform, organization: OrganizationId, posting: Posting) -> Result<LedgerEntry> {
    let everybody = &Viewer::Platform;
    let mut tx = p.db.begin().await?;
    let not_found = || UserError::not_found("organizationId", "organization");
    organizations::find(&mut tx, everybody, organization).await?.ok_or_else(not_found)?;
    let mut account = billing_accounts::lock(&mut tx, everybody, organization, p.now()).await?;
    if let Some(before) = ledger::by_key(&mut tx, everybody, organization, &posting.key).await? {
        let is_same = (before.debit, before.credit, before.amount) == (posting.debit, posting.credit, posting.amount)
            && before.description == posting.description;
        if !is_same {
            return Err(UserError::conflict("idempotencyKey", "This key was used for another entry. Use another key.").into());
        }
        return Ok(before);
    }
    let entry = post(&mut tx, p, &mut account, vec![posting]).await?.pop();
    let entry = entry.ok_or_else(|| Error::internal(anyhow::anyhow!("an entry was not written")))?;
    slipway_store::audit::note_subject(entry.id);
    slipway_store::audit::note_organization(organization);
    tx.commit().await?;
    accounts::judge_later(p, organization).await;
    Ok(entry)
}
