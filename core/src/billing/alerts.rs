//! Spending alerts (R16.4): an organization's people are told once a month that an amount is reached.

use slipway_model::{ApplicationId, Money, OrganizationId, Role, SpendingAlertId, Timestamp, Viewer};
use slipway_store::{
    applications, organizations,
    spending_alerts::{self, SpendingAlert},
    usage,
};

use super::{accounts::tell, month_after, month_of};
use crate::{
    Platform,
    applications::require,
    changes::Changed,
    error::{Refusals, Result, UserError, UserErrorCode, UserErrorData},
};

const MOST_ALERTS: usize = 20;

/// An alert that shall be.
#[derive(Debug, Clone)]
pub struct NewAlert {
    pub organization: OrganizationId,
    /// `None`: of everything together.
    pub application: Option<ApplicationId>,
    pub threshold: Money,
}

/// # Errors
/// [`crate::Error::Forbidden`] for members who are no administrators; refusals of the input.
pub async fn create(p: &Platform, viewer: &Viewer, new: NewAlert) -> Result<SpendingAlert> {
    require(viewer, new.organization, Role::Admin, "organizationId", "organization")?;
    let mut refusals = Refusals::new();
    refusals.check(new.threshold > Money::ZERO, || UserError::invalid("threshold", "Use more than 0."));
    let mut tx = p.db.begin_as(viewer).await?;
    organizations::lock(&mut tx, viewer, new.organization).await?;
    if let Some(id) = new.application {
        let found = applications::find(&mut tx, viewer, id).await?.filter(|row| row.organization_id == new.organization);
        refusals.check(found.is_some(), || UserError::not_found("applicationId", "application"));
    }
    refusals.done()?;
    let there = spending_alerts::of_each(&mut tx, viewer, &[new.organization]).await?.remove(&new.organization).unwrap_or_default();
    if there.len() >= MOST_ALERTS {
        let data = UserErrorData::Quota { limit: MOST_ALERTS as i64, used: there.len() as i64 + 1 };
        let message = format!("An organization has at most {MOST_ALERTS} alerts.");
        return Err(UserError::new(UserErrorCode::QuotaExceeded, "", message).with(data).into());
    }
    let alert = SpendingAlert {
        id: SpendingAlertId::new(&*p.clock),
        organization_id: new.organization,
        application_id: new.application,
        threshold: new.threshold,
        reached_in: None,
        created_at: p.now(),
    };
    spending_alerts::insert(&mut tx, viewer, &alert).await?;
    slipway_store::audit::note_subject(alert.id);
    slipway_store::audit::note_organization(new.organization);
    tx.commit().await?;
    p.changes.publish(Some(new.organization), Changed::Billing(new.organization));
    Ok(alert)
}

/// # Errors
/// There is none; [`crate::Error::Forbidden`] for members who are no administrators.
pub async fn delete(p: &Platform, viewer: &Viewer, id: SpendingAlertId) -> Result<SpendingAlertId> {
    let mut tx = p.db.begin_as(viewer).await?;
    let not_found = || UserError::not_found("id", "spending alert");
    let alert = spending_alerts::find(&mut tx, viewer, id).await?.ok_or_else(not_found)?;
    require(viewer, alert.organization_id, Role::Admin, "id", "spending alert")?;
    spending_alerts::delete(&mut tx, viewer, id).await?;
    slipway_store::audit::note_organization(alert.organization_id);
    tx.commit().await?;
    p.changes.publish(Some(alert.organization_id), Changed::Billing(alert.organization_id));
    Ok(id)
}

/// Tells of every alert whose amount is reached in the month of `now`, once.
pub(super) async fn watch(p: &Platform, now: Timestamp) -> Result<()> {
    let month = month_of(now);
    let mut tx = p.db.read().await?;
    let waiting = spending_alerts::waiting(&mut tx, month).await?;
    drop(tx);
    for alert in waiting {
        let mut tx = p.db.read().await?;
        let days = usage::days(&mut tx, &Viewer::Platform, &[alert.organization_id], month, month_after(month)).await?;
        drop(tx);
        let meant = days.iter().filter(|day| alert.application_id.is_none_or(|id| id.uuid() == day.subject_id));
        let spent = Money::from_nanos(meant.map(|day| day.amount.nanos()).sum());
        if spent < alert.threshold {
            continue;
        }
        let mut tx = p.db.begin().await?;
        if spending_alerts::reached(&mut tx, alert.id, month).await? {
            let currency = p.config.currency;
            let message = format!("This month's spending has reached {} {currency}: it is {spent} {currency}.", alert.threshold);
            tell(&mut tx, p, alert.organization_id, "billing.alert", message).await?;
            tx.commit().await?;
            p.changes.publish(Some(alert.organization_id), Changed::Billing(alert.organization_id));
            p.changes.publish(Some(alert.organization_id), Changed::Events);
        }
    }
    Ok(())
}
