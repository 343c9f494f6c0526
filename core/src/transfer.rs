//! An application changes hands: from an owner of the one organization to one of the other's administrators, who are the same person.
//!
//! Nothing of it may run meanwhile. Its instances live in their organization's own network, and reach there whatever else does; a
//! transfer that left them running would put a foreign process among the old neighbours. So it is stopped first, and started again in
//! its new organization's network. What it cost stays with the one that paid.

use slipway_model::{ApplicationId, OrganizationId, Role, Viewer};
use slipway_store::{
    api_tokens,
    applications::{self, Application},
    releases, transfers, variables,
};

use crate::{
    Platform,
    applications::{changed, require},
    deployments::editable,
    error::{Error, Result, UserError},
    events,
    memberships::close,
    quotas::{self, More},
};

/// Gives an application to another organization.
///
/// # Errors
/// It runs; the other organization has no room; the caller is not an owner of the one and an administrator of the other.
pub async fn give(platform: &Platform, viewer: &Viewer, id: ApplicationId, to: OrganizationId) -> Result<Application> {
    let mut tx = platform.db.begin().await?;
    let application = editable(&mut tx, viewer, id, "id").await?;
    // A token of one application is no licence to give it away.
    if viewer.application().is_some() {
        return Err(Error::Forbidden);
    }
    require(viewer, application.organization_id, Role::Owner, "id", "application")?;
    require(viewer, to, Role::Admin, "organizationId", "organization")?;
    if to == application.organization_id {
        return Err(UserError::invalid("organizationId", "It belongs to this organization already.").into());
    }
    if transfers::is_at_work(&mut tx, id).await? {
        let message = "Stop the application first, and wait until nothing of it runs: it starts again in its new organization's network.";
        return Err(UserError::invalid_state(message).into());
    }
    let more = More { applications: 1, instances: application.desired_instances };
    match quotas::check(&mut tx, viewer, to, more).await {
        Err(Error::NotFound) => return Err(UserError::not_found("organizationId", "organization").into()),
        outcome => outcome?,
    }
    reseal(&mut tx, platform, &application, to).await?;
    let now = platform.now();
    if !transfers::give(&mut tx, viewer, id, to, now).await? {
        return Err(UserError::not_found("id", "application").into());
    }
    let ended = api_tokens::revoke_of_application(&mut tx, id, now).await?;
    let moved = applications::find(&mut tx, viewer, id).await?.ok_or(Error::NotFound)?;
    events::record(&mut tx, platform, &moved, "application.transferred", format!("{} came from another organization.", moved.name)).await?;
    tx.commit().await?;
    close(platform, ended);
    changed(platform, &application);
    changed(platform, &moved);
    Ok(moved)
}

/// Secrets are sealed for where they stand. In their new place they must be sealed anew, or they would not open there.
async fn reseal(tx: &mut slipway_store::Tx, platform: &Platform, application: &Application, to: OrganizationId) -> Result<()> {
    let sealed_wrongly = |error| Error::internal(anyhow::Error::from(error));
    for row in variables::of_application(tx, &Viewer::Platform, application.id).await? {
        let value = platform.keys.open(variables::location(row.id, row.organization_id), &row.value_ciphertext).map_err(sealed_wrongly)?;
        let sealed = platform.keys.seal(variables::location(row.id, to), &value);
        transfers::put_variable(tx, row.id, &sealed, &platform.keys.fingerprint(to, &value)).await?;
    }
    for row in releases::newest(tx, application.id, i64::MAX).await? {
        let frozen = crate::releases::environment(platform, &row)?;
        let sealed = crate::releases::seal(platform, row.id, to, &frozen)?;
        transfers::put_release(tx, row.id, &sealed).await?;
    }
    Ok(())
}
