//! Applications that are held back by the platform, and why.

use std::collections::HashMap;

use slipway_model::{ApplicationId, OrganizationId, Timestamp, Viewer, state::SuspensionReason};

use crate::{StoreError, Tx, scope};

row! {
    pub struct Suspension {
        pub application_id: ApplicationId,
        pub organization_id: OrganizationId,
        pub reason: SuspensionReason,
        pub created_at: Timestamp,
    }
}

/// `false`: it is suspended already.
pub async fn insert(tx: &mut Tx, viewer: &Viewer, suspension: &Suspension) -> Result<bool, StoreError> {
    scope::check(viewer, suspension.organization_id)?;
    execute!(
        tx,
        "INSERT INTO suspensions (application_id, organization_id, reason, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (application_id) DO NOTHING",
        suspension.application_id,
        suspension.organization_id,
        suspension.reason,
        suspension.created_at
    )
    .map(|rows| rows == 1)
}

pub async fn find(tx: &mut Tx, viewer: &Viewer, application: ApplicationId) -> Result<Option<Suspension>, StoreError> {
    let sql = sql!("SELECT * FROM suspensions WHERE application_id = $1", application);
    fetch_optional!(tx, sql.within_application("organization_id", "application_id", viewer))
}

/// Of those applications that are.
pub async fn of_each(
    tx: &mut Tx,
    viewer: &Viewer,
    applications: &[ApplicationId],
) -> Result<HashMap<ApplicationId, SuspensionReason>, StoreError> {
    let sql = sql!("SELECT * FROM suspensions WHERE 1 = 1").any("application_id", applications.iter().copied());
    let rows: Vec<Suspension> = fetch_all!(tx, sql.within_application("organization_id", "application_id", viewer))?;
    Ok(rows.into_iter().map(|row| (row.application_id, row.reason)).collect())
}

/// `false`: it was not suspended.
pub async fn delete(tx: &mut Tx, viewer: &Viewer, application: ApplicationId) -> Result<bool, StoreError> {
    let sql = sql!("DELETE FROM suspensions WHERE application_id = $1", application);
    execute!(tx, sql.within_application("organization_id", "application_id", viewer)).map(|rows| rows == 1)
}

/// Those of an organization that are suspended for want of money, and not on their way out.
pub async fn for_balance(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<ApplicationId>, StoreError> {
    let rows: Vec<(ApplicationId,)> = fetch_all!(
        tx,
        "SELECT s.application_id FROM suspensions s JOIN applications a ON a.id = s.application_id
         WHERE s.organization_id = $1 AND s.reason = 'insufficient_balance' AND a.deleted_at IS NULL AND a.status <> 'deleting'
         ORDER BY s.application_id",
        organization
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Those of an organization that could run: deployed at some time or being so, neither stopped, suspended nor on their way out.
pub async fn running(tx: &mut Tx, organization: OrganizationId) -> Result<Vec<ApplicationId>, StoreError> {
    let rows: Vec<(ApplicationId,)> = fetch_all!(
        tx,
        "SELECT id FROM applications
         WHERE organization_id = $1 AND deleted_at IS NULL AND stopped = $2 AND status NOT IN ('created', 'suspended', 'deleting')
         ORDER BY id",
        organization,
        false
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
