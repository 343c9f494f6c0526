//! Organizations: who owns applications. An organization is visible to its members.

use std::collections::HashMap;

use slipway_model::{DisplayName, OrganizationId, Slug, Timestamp, Viewer};

use crate::{Cursor, Listed, Order, Page, Slice, StoreError, Tx};

row! {
    pub struct Organization {
        pub id: OrganizationId,
        pub slug: Slug,
        pub name: DisplayName,
        pub created_at: Timestamp,
    }
}

impl Listed for Organization {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

/// Takes no viewer: nobody belongs to it yet. [`StoreError::Conflict`] when the slug is taken.
pub async fn insert(tx: &mut Tx, organization: &Organization) -> Result<(), StoreError> {
    execute!(
        tx,
        "INSERT INTO organizations (id, slug, name, created_at) VALUES ($1, $2, $3, $4)",
        organization.id,
        &organization.slug,
        &organization.name,
        organization.created_at
    )
    .map(drop)
}

pub async fn find(tx: &mut Tx, viewer: &Viewer, id: OrganizationId) -> Result<Option<Organization>, StoreError> {
    fetch_optional!(tx, sql!("SELECT * FROM organizations WHERE id = $1 AND deleted_at IS NULL", id).within_organization("id", viewer))
}

/// Finds it and keeps others from doing so until the transaction ends: for what is counted and then changed.
pub async fn lock(tx: &mut Tx, viewer: &Viewer, id: OrganizationId) -> Result<Option<Organization>, StoreError> {
    let lock = tx.row_lock();
    let sql = sql!("SELECT * FROM organizations WHERE id = $1 AND deleted_at IS NULL", id);
    fetch_optional!(tx, sql.within_organization("id", viewer).push(lock))
}

/// Deleted ones too, for what refers to them.
pub async fn by_ids(tx: &mut Tx, viewer: &Viewer, ids: &[OrganizationId]) -> Result<HashMap<OrganizationId, Organization>, StoreError> {
    let sql = sql!("SELECT * FROM organizations WHERE 1 = 1").any("id", ids.iter().copied()).within_organization("id", viewer);
    let rows: Vec<Organization> = fetch_all!(tx, sql)?;
    Ok(rows.into_iter().map(|organization| (organization.id, organization)).collect())
}

/// Without those that were deleted.
pub async fn living(tx: &mut Tx, viewer: &Viewer, ids: &[OrganizationId]) -> Result<HashMap<OrganizationId, Organization>, StoreError> {
    let sql = sql!("SELECT * FROM organizations WHERE deleted_at IS NULL").any("id", ids.iter().copied()).within_organization("id", viewer);
    let rows: Vec<Organization> = fetch_all!(tx, sql)?;
    Ok(rows.into_iter().map(|organization| (organization.id, organization)).collect())
}

pub async fn by_slug(tx: &mut Tx, viewer: &Viewer, slug: &Slug) -> Result<Option<Organization>, StoreError> {
    fetch_optional!(tx, sql!("SELECT * FROM organizations WHERE slug = $1 AND deleted_at IS NULL", slug).within_organization("id", viewer))
}

/// Newest first.
pub async fn list(tx: &mut Tx, viewer: &Viewer, page: &Page) -> Result<Slice<Organization>, StoreError> {
    tx.fetch_slice(sql!("SELECT * FROM organizations WHERE deleted_at IS NULL").within_organization("id", viewer), page, Order::NewestFirst)
        .await
}

/// Its slug and name. `false`: there is none that the viewer may see. [`StoreError::Conflict`] when the slug is taken.
pub async fn update(tx: &mut Tx, viewer: &Viewer, organization: &Organization) -> Result<bool, StoreError> {
    let sql = sql!(
        "UPDATE organizations SET slug = $2, name = $3 WHERE id = $1 AND deleted_at IS NULL",
        organization.id,
        &organization.slug,
        &organization.name
    );
    execute!(tx, sql.within("id", viewer)).map(|rows| rows == 1)
}

/// Deletes it with its memberships and invitations. Its row stays, for what was used and paid, and its slug is free again: the row
/// keeps `resting` instead, which nobody would choose. `false`: there is none that the viewer may see.
pub async fn delete(tx: &mut Tx, viewer: &Viewer, id: OrganizationId, resting: &Slug, now: Timestamp) -> Result<bool, StoreError> {
    let sql = sql!("UPDATE organizations SET slug = $2, deleted_at = $3 WHERE id = $1 AND deleted_at IS NULL", id, resting, now);
    let deleted = execute!(tx, sql.within("id", viewer))? == 1;
    if deleted {
        execute!(tx, "DELETE FROM memberships WHERE organization_id = $1", id)?;
        execute!(tx, "DELETE FROM invitations WHERE organization_id = $1", id)?;
    }
    Ok(deleted)
}
