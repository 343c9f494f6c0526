//! Suspending applications, which keeps all their data, and resuming them (R15.5).

use slipway_model::{
    ApplicationId, OrganizationId, Viewer,
    state::{ApplicationStatus, BillingStatus, OperationKind, SuspensionReason},
};
use slipway_protocol::TaskFailure;
use slipway_store::{
    Tx,
    applications::{self, Application},
    billing_accounts, instances,
    suspensions::{self, Suspension},
};

use crate::{
    Platform,
    deployments::{self, tell},
    error::{Error, Result, UserError},
    events,
    operations::{self, NewOperation, Origin, Payload},
    rollout,
};

/// Brings what an organization has to where its account was found to be: suspended, or resumed from that. What the account says
/// otherwise by now is left.
///
/// # Errors
/// The first one; the other applications are seen to all the same.
pub async fn follow(p: &Platform, organization: OrganizationId, status: BillingStatus) -> anyhow::Result<()> {
    let (suspend, resume) = {
        let mut tx = p.db.read().await?;
        match status {
            BillingStatus::Suspended => (suspensions::running(&mut tx, organization).await?, Vec::new()),
            BillingStatus::Active | BillingStatus::LowBalance | BillingStatus::Grace => {
                (Vec::new(), suspensions::for_balance(&mut tx, organization).await?)
            }
        }
    };
    // One that cannot be suspended or resumed keeps no other waiting.
    let mut failure = None;
    for id in suspend {
        failure = failure.or(begin(p, id, SuspensionReason::InsufficientBalance).await.err());
    }
    for id in resume {
        failure = failure.or(end(p, id, |reason| reason == SuspensionReason::InsufficientBalance).await.err());
    }
    failure.map_or(Ok(()), |failure| Err(failure.into()))
}

/// Whether an application's account still says that it is suspended. It is held, after the application.
async fn is_exhausted(tx: &mut Tx, p: &Platform, organization: OrganizationId) -> Result<bool> {
    let account = billing_accounts::lock(tx, &Viewer::Platform, organization, p.now()).await?;
    Ok(account.status == BillingStatus::Suspended)
}

/// Suspends an application: what is under way is called off, its instances end, and nothing of it is lost.
///
/// # Errors
/// [`Error::Forbidden`] for others than administrators of the platform; it is suspended already, or on its way out.
pub async fn suspend(p: &Platform, viewer: &Viewer, id: ApplicationId, reason: SuspensionReason) -> Result<Application> {
    if !viewer.is_platform_admin() {
        return Err(Error::Forbidden);
    }
    if reason == SuspensionReason::InsufficientBalance {
        let message = "Applications are suspended for want of money by themselves, and resume by themselves. Choose another reason.";
        return Err(UserError::invalid("reason", message).into());
    }
    begin(p, id, reason).await?.ok_or_else(|| UserError::invalid_state("The application is suspended already.").into())
}

/// Ends a suspension: what ran runs again, and what its customer had stopped stays so.
///
/// # Errors
/// [`Error::Forbidden`] for others than administrators of the platform; it is not suspended, or for want of money.
pub async fn resume(p: &Platform, viewer: &Viewer, id: ApplicationId) -> Result<Application> {
    if !viewer.is_platform_admin() {
        return Err(Error::Forbidden);
    }
    let everybody = &Viewer::Platform;
    let found = suspensions::find(&mut p.db.read().await?, everybody, id).await?;
    if found.is_some_and(|suspension| suspension.reason == SuspensionReason::InsufficientBalance) {
        return Err(UserError::invalid_state("Its organization's balance is exhausted. It resumes when that is topped up.").into());
    }
    let ended = end(p, id, |reason| reason != SuspensionReason::InsufficientBalance).await?;
    ended.ok_or_else(|| UserError::invalid_state("The application is not suspended.").into())
}

/// `None`: it is suspended already, or was to be for want of money that has come meanwhile.
async fn begin(p: &Platform, id: ApplicationId, reason: SuspensionReason) -> Result<Option<Application>> {
    let everybody = &Viewer::Platform;
    let mut tx = p.db.begin().await?;
    let application = found(&mut tx, id).await?;
    if reason == SuspensionReason::InsufficientBalance && !is_exhausted(&mut tx, p, application.organization_id).await? {
        return Ok(None);
    }
    let row = Suspension { application_id: id, organization_id: application.organization_id, reason, created_at: p.now() };
    if !suspensions::insert(&mut tx, everybody, &row).await? {
        return Ok(None);
    }
    let failure = TaskFailure::new(rollout::CANCELED, "The application is being suspended.");
    let (mut tx, mut nodes) = deployments::abandon_all(p, tx, &application, &failure).await?;
    // A start that was called off has not stopped it: it runs again when it is resumed.
    applications::set_stopped(&mut tx, everybody, id, application.stopped).await?;
    let running = instances::desired_of(&mut tx, everybody, id).await?;
    nodes.extend(running.iter().map(|row| row.node_id));
    let said = because(reason);
    applications::set_status(&mut tx, everybody, id, ApplicationStatus::Suspended, Some(said)).await?;
    if !running.is_empty() {
        // Bills end with the instances, when the operation has taken them away.
        enqueue(&mut tx, p, &application, OperationKind::Stop, Origin::Nothing).await?;
    }
    events::record(&mut tx, p, &application, "application.suspended", format!("{} is suspended. {said}", application.name)).await?;
    slipway_store::audit::note_organization(application.organization_id);
    tx.commit().await?;
    tell(p, application.organization_id, id, None, &nodes);
    Ok(Some(Application { status: ApplicationStatus::Suspended, status_reason: Some(said.to_owned()), ..application }))
}

/// `None`: it is not suspended for such a reason, or the money is gone again.
async fn end(p: &Platform, id: ApplicationId, is_meant: impl Fn(SuspensionReason) -> bool) -> Result<Option<Application>> {
    let everybody = &Viewer::Platform;
    let mut tx = p.db.begin().await?;
    let application = found(&mut tx, id).await?;
    match suspensions::find(&mut tx, everybody, id).await? {
        Some(suspension) if is_meant(suspension.reason) => {
            let is_of_balance = suspension.reason == SuspensionReason::InsufficientBalance;
            if is_of_balance && is_exhausted(&mut tx, p, application.organization_id).await? {
                return Ok(None);
            }
        }
        Some(_) | None => return Ok(None),
    }
    suspensions::delete(&mut tx, everybody, id).await?;
    let status = match (application.stopped, application.current_release_id) {
        (_, None) => ApplicationStatus::Created,
        (true, Some(_)) => ApplicationStatus::Stopped,
        (false, Some(_)) => ApplicationStatus::Deploying,
    };
    applications::set_status(&mut tx, everybody, id, status, None).await?;
    if status == ApplicationStatus::Deploying {
        enqueue(&mut tx, p, &application, OperationKind::Start, Origin::Release).await?;
    }
    events::record(&mut tx, p, &application, "application.resumed", format!("{} is not suspended any more.", application.name)).await?;
    slipway_store::audit::note_organization(application.organization_id);
    tx.commit().await?;
    tell(p, application.organization_id, id, None, &[]);
    Ok(Some(Application { status, status_reason: None, ..application }))
}

async fn found(tx: &mut Tx, id: ApplicationId) -> Result<Application> {
    let application = applications::lock(tx, &Viewer::Platform, id).await?.ok_or_else(|| UserError::not_found("id", "application"))?;
    if application.status == ApplicationStatus::Deleting {
        return Err(UserError::invalid_state("The application is being deleted.").into());
    }
    Ok(application)
}

async fn enqueue(tx: &mut Tx, p: &Platform, application: &Application, kind: OperationKind, origin: Origin) -> Result<()> {
    let operation = NewOperation {
        kind,
        organization: application.organization_id,
        application: application.id,
        deployment: None,
        payload: Payload::of(origin, application.current_release_id),
        created_by: None,
    };
    operations::enqueue(tx, p, operation).await.map(drop)
}

pub(crate) const fn because(reason: SuspensionReason) -> &'static str {
    match reason {
        SuspensionReason::InsufficientBalance => {
            "Its organization's balance is exhausted. Its data stays; it resumes when that is topped up."
        }
        SuspensionReason::Abuse => "An administrator of the platform suspended it for abuse. Its data stays.",
        SuspensionReason::Admin => "An administrator of the platform suspended it. Its data stays.",
    }
}
