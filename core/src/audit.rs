//! What was done to the platform, by whom: for administrators, each of what is theirs. Writing it down is the API's, in one place.

use slipway_model::{AuditEventId, OrganizationId, Role, Timestamp, Viewer};
use slipway_store::{
    Page, Slice,
    audit::{self, AuditEvent, AuditFilter, Chain},
};

use crate::{
    Platform,
    error::{Error, Result},
    organizations::require,
};

/// Everything, newest first, for administrators of the platform.
///
/// # Errors
/// [`Error::Forbidden`] for others.
pub async fn list(
    platform: &Platform,
    viewer: &Viewer,
    action: Option<String>,
    since: Option<Timestamp>,
    page: &Page,
) -> Result<Slice<AuditEvent>> {
    require_platform(viewer)?;
    let filter = AuditFilter { action, since, organization: None };
    // Also by token: who runs the platform sees what was done on it, whoever's it is.
    Ok(audit::list(&mut platform.db.read().await?, &Viewer::Platform, &filter, page).await?)
}

/// What was done in an organization by its members, newest first, for its administrators.
///
/// # Errors
/// [`Error::Forbidden`] for members of a lesser role.
pub async fn of_organization(platform: &Platform, viewer: &Viewer, organization: OrganizationId, page: &Page) -> Result<Slice<AuditEvent>> {
    require(viewer, organization, Role::Admin)?;
    let filter = AuditFilter { organization: Some(organization), ..AuditFilter::default() };
    Ok(audit::list(&mut platform.db.read_as(viewer).await?, viewer, &filter, page).await?)
}

/// One of what the caller may list.
///
/// # Errors
/// Those of the database.
pub async fn find(platform: &Platform, viewer: &Viewer, id: AuditEventId) -> Result<Option<AuditEvent>> {
    let tx = &mut platform.db.read().await?;
    if viewer.is_platform_admin() {
        return Ok(audit::find(tx, &Viewer::Platform, id).await?);
    }
    let found = audit::find(tx, viewer, id).await?;
    let may = |organization| require(viewer, organization, Role::Admin).is_ok();
    Ok(found.filter(|event| event.organization_id.is_some_and(may)))
}

/// Whether something was changed, removed or moved since it was written down.
///
/// # Errors
/// [`Error::Forbidden`] for others than administrators of the platform.
pub async fn verify(platform: &Platform, viewer: &Viewer) -> Result<Chain> {
    require_platform(viewer)?;
    let chain = audit::verify(&mut platform.db.read().await?).await?;
    if let Chain::Broken { sequence } = chain {
        tracing::error!(sequence, "the audit log was changed");
    }
    Ok(chain)
}

fn require_platform(viewer: &Viewer) -> Result<()> {
    if viewer.is_platform_admin() { Ok(()) } else { Err(Error::Forbidden) }
}
