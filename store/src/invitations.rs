//! Invitations: who is asked to join an organization. Of the token only its digest is kept.

use std::collections::HashMap;

use slipway_model::{Email, InvitationId, OrganizationId, Role, Sha256Digest, Timestamp, UserId, Viewer};

use crate::{Cursor, Listed, Order, Page, Slice, Sql, StoreError, Tx, scope};

row! {
    pub struct Invitation {
        pub id: InvitationId,
        pub organization_id: OrganizationId,
        /// In lower case: the one address that it is for.
        pub email: Email,
        /// What they shall be.
        pub role: Role,
        pub invited_by: Option<UserId>,
        pub expires_at: Timestamp,
        pub created_at: Timestamp,
        pub accepted_at: Option<Timestamp>,
        pub accepted_by: Option<UserId>,
        pub revoked_at: Option<Timestamp>,
    }
}

impl Listed for Invitation {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

/// [`StoreError::Conflict`] while another is open for that address: see [`replace`].
pub async fn insert(tx: &mut Tx, viewer: &Viewer, invitation: &Invitation, token: Sha256Digest) -> Result<(), StoreError> {
    scope::check(viewer, invitation.organization_id)?;
    execute!(
        tx,
        "INSERT INTO invitations (id, organization_id, email, role, token_digest, invited_by, expires_at, created_at, accepted_at,
            accepted_by, revoked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        invitation.id,
        invitation.organization_id,
        &invitation.email,
        invitation.role,
        token.as_bytes(),
        invitation.invited_by,
        invitation.expires_at,
        invitation.created_at,
        invitation.accepted_at,
        invitation.accepted_by,
        invitation.revoked_at
    )
    .map(drop)
}

/// Takes no viewer: the token is the licence. Also ended ones: whether it still holds is the caller's to see.
pub async fn by_digest(tx: &mut Tx, token: Sha256Digest) -> Result<Option<Invitation>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM invitations WHERE token_digest = $1", token.as_bytes())
}

/// Those that are open, and those that ended.
pub async fn find(tx: &mut Tx, viewer: &Viewer, id: InvitationId) -> Result<Option<Invitation>, StoreError> {
    fetch_optional!(tx, sql!("SELECT * FROM invitations WHERE id = $1", id).within("organization_id", viewer))
}

/// Of each organization, those that can still be accepted, newest first.
pub async fn of_each_organization(
    tx: &mut Tx,
    viewer: &Viewer,
    organizations: &[OrganizationId],
    now: Timestamp,
    page: &Page,
) -> Result<HashMap<OrganizationId, Slice<Invitation>>, StoreError> {
    let list = |organization| {
        sql!(
            "SELECT * FROM invitations WHERE organization_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $2",
            organization,
            now
        )
    };
    let within = |sql: Sql| sql.within("organization_id", viewer);
    tx.fetch_slices(organizations, list, within, |row: &Invitation| row.organization_id, page, Order::NewestFirst).await
}

/// How many can still be accepted.
pub async fn count_open(tx: &mut Tx, viewer: &Viewer, organization: OrganizationId, now: Timestamp) -> Result<i64, StoreError> {
    let sql = sql!(
        "SELECT COUNT(*) FROM invitations
         WHERE organization_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $2",
        organization,
        now
    );
    fetch_one!(tx, sql.within("organization_id", viewer)).map(|(count,)| count)
}

/// Ends what is open for an address, expired or not: a new one takes its place. `false`: there was none.
pub async fn replace(
    tx: &mut Tx,
    viewer: &Viewer,
    organization: OrganizationId,
    email: &Email,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = sql!(
        "UPDATE invitations SET revoked_at = $3
         WHERE organization_id = $1 AND email = $2 AND accepted_at IS NULL AND revoked_at IS NULL",
        organization,
        email,
        now
    );
    execute!(tx, sql.within("organization_id", viewer)).map(|rows| rows > 0)
}

/// Takes no viewer: whoever accepts has shown the token. `false`: it had ended before, or somebody else was first.
pub async fn accept(tx: &mut Tx, id: InvitationId, user: UserId, now: Timestamp) -> Result<bool, StoreError> {
    execute!(
        tx,
        "UPDATE invitations SET accepted_at = $3, accepted_by = $2
         WHERE id = $1 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $3",
        id,
        user,
        now
    )
    .map(|rows| rows == 1)
}

/// `false`: it had ended before, or there is none that the viewer may see.
pub async fn revoke(tx: &mut Tx, viewer: &Viewer, id: InvitationId, now: Timestamp) -> Result<bool, StoreError> {
    let sql = sql!("UPDATE invitations SET revoked_at = $2 WHERE id = $1 AND accepted_at IS NULL AND revoked_at IS NULL", id, now);
    execute!(tx, sql.within("organization_id", viewer)).map(|rows| rows == 1)
}
