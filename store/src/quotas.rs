//! How much an organization may have, and has. Whoever checks one against the other holds [`lock`](crate::organizations::lock).

use std::collections::HashMap;

use slipway_model::{OrganizationId, Timestamp, Viewer};

use crate::{StoreError, Tx, scope};

row! {
    pub struct Quota {
        pub organization_id: OrganizationId,
        pub max_applications: i64,
        /// Wanted instances of all its applications together, those that are stopped included.
        pub max_instances: i64,
        /// That go on at once, on the whole platform.
        pub max_builds_concurrent: i64,
        pub updated_at: Timestamp,
    }
}

/// `None`: what is usual.
pub async fn find(tx: &mut Tx, viewer: &Viewer, organization: OrganizationId) -> Result<Option<Quota>, StoreError> {
    let sql = sql!("SELECT * FROM organization_quotas WHERE organization_id = $1", organization);
    fetch_optional!(tx, sql.within_organization("organization_id", viewer))
}

/// Of those organizations that have one.
pub async fn of_each(tx: &mut Tx, viewer: &Viewer, organizations: &[OrganizationId]) -> Result<HashMap<OrganizationId, Quota>, StoreError> {
    let sql = sql!("SELECT * FROM organization_quotas WHERE 1 = 1").any("organization_id", organizations.iter().copied());
    let rows: Vec<Quota> = fetch_all!(tx, sql.within_organization("organization_id", viewer))?;
    Ok(rows.into_iter().map(|row| (row.organization_id, row)).collect())
}

pub async fn put(tx: &mut Tx, viewer: &Viewer, quota: &Quota) -> Result<(), StoreError> {
    scope::check(viewer, quota.organization_id)?;
    execute!(
        tx,
        "INSERT INTO organization_quotas (organization_id, max_applications, max_instances, max_builds_concurrent, updated_at)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (organization_id) DO UPDATE SET max_applications = excluded.max_applications,
            max_instances = excluded.max_instances, max_builds_concurrent = excluded.max_builds_concurrent,
            updated_at = excluded.updated_at",
        quota.organization_id,
        quota.max_applications,
        quota.max_instances,
        quota.max_builds_concurrent,
        quota.updated_at
    )
    .map(drop)
}

/// Of each organization that has any: applications, and instances wanted of all of them together.
pub async fn used_of_each(
    tx: &mut Tx,
    viewer: &Viewer,
    organizations: &[OrganizationId],
) -> Result<HashMap<OrganizationId, (i64, i64)>, StoreError> {
    let sql = sql!(
        "SELECT organization_id, COUNT(*), CAST(COALESCE(SUM(desired_instances), 0) AS BIGINT) FROM applications WHERE deleted_at IS NULL"
    );
    let sql = sql.any("organization_id", organizations.iter().copied()).within_organization("organization_id", viewer);
    let rows: Vec<(OrganizationId, i64, i64)> = fetch_all!(tx, sql.push(" GROUP BY organization_id"))?;
    Ok(rows.into_iter().map(|(organization, applications, instances)| (organization, (applications, instances))).collect())
}

/// Applications, and instances wanted of all of them together.
pub async fn used(tx: &mut Tx, viewer: &Viewer, organization: OrganizationId) -> Result<(i64, i64), StoreError> {
    let sql = sql!(
        "SELECT COUNT(*), CAST(COALESCE(SUM(desired_instances), 0) AS BIGINT) FROM applications
         WHERE organization_id = $1 AND deleted_at IS NULL",
        organization
    );
    fetch_one!(tx, sql.within_organization("organization_id", viewer))
}
