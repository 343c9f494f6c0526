//! Who belongs to which organization, as what.

use std::collections::HashMap;

use slipway_model::{MembershipId, OrganizationId, Role, Timestamp, UserId, Viewer};

use crate::{Cursor, Listed, Order, Page, Slice, Sql, StoreError, Tx};

row! {
    pub struct Membership {
        pub id: MembershipId,
        pub organization_id: OrganizationId,
        pub user_id: UserId,
        pub role: Role,
        pub created_at: Timestamp,
    }
}

impl Listed for Membership {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

/// Takes no viewer: the founder does not belong yet. Whoever adds others to an organization has been asked for their role in it.
/// [`StoreError::Conflict`] when the person belongs there already.
pub async fn insert(tx: &mut Tx, membership: &Membership) -> Result<(), StoreError> {
    execute!(
        tx,
        "INSERT INTO memberships (id, organization_id, user_id, role, created_at) VALUES ($1, $2, $3, $4, $5)",
        membership.id,
        membership.organization_id,
        membership.user_id,
        membership.role,
        membership.created_at
    )
    .map(drop)
}

/// Of each person, in every organization, the oldest first. Takes no viewer: this is what makes one.
pub async fn of_users(tx: &mut Tx, users: &[UserId]) -> Result<HashMap<UserId, Vec<Membership>>, StoreError> {
    let sql = sql!("SELECT * FROM memberships WHERE 1 = 1").any("user_id", users.iter().copied());
    let rows: Vec<Membership> = fetch_all!(tx, sql.push(" ORDER BY created_at, id"))?;
    let mut of_each: HashMap<UserId, Vec<Membership>> = HashMap::new();
    for row in rows {
        of_each.entry(row.user_id).or_default().push(row);
    }
    Ok(of_each)
}

pub async fn find(tx: &mut Tx, viewer: &Viewer, id: MembershipId) -> Result<Option<Membership>, StoreError> {
    fetch_optional!(tx, sql!("SELECT * FROM memberships WHERE id = $1", id).within("organization_id", viewer))
}

/// Of each organization, those who have been there longest first.
pub async fn of_each_organization(
    tx: &mut Tx,
    viewer: &Viewer,
    organizations: &[OrganizationId],
    page: &Page,
) -> Result<HashMap<OrganizationId, Slice<Membership>>, StoreError> {
    let list = |organization| sql!("SELECT * FROM memberships WHERE organization_id = $1", organization);
    let within = |sql: Sql| sql.within("organization_id", viewer);
    tx.fetch_slices(organizations, list, within, |row: &Membership| row.organization_id, page, Order::OldestFirst).await
}

/// Those who have been there longest first.
pub async fn of_organization(
    tx: &mut Tx,
    viewer: &Viewer,
    organization: OrganizationId,
    page: &Page,
) -> Result<Slice<Membership>, StoreError> {
    let sql = sql!("SELECT * FROM memberships WHERE organization_id = $1", organization).within("organization_id", viewer);
    tx.fetch_slice(sql, page, Order::OldestFirst).await
}

/// Whether the person with this address belongs there. `email` is in lower case.
pub async fn has_email(tx: &mut Tx, viewer: &Viewer, organization: OrganizationId, email: &str) -> Result<bool, StoreError> {
    let sql = sql!(
        "SELECT COUNT(*) FROM memberships WHERE organization_id = $1 AND user_id IN (SELECT id FROM users WHERE email = $2)",
        organization,
        email
    );
    fetch_one!(tx, sql.within("organization_id", viewer)).map(|(count,): (i64,)| count > 0)
}

/// `false`: there is none that the viewer may see.
pub async fn set_role(tx: &mut Tx, viewer: &Viewer, id: MembershipId, role: Role) -> Result<bool, StoreError> {
    let sql = sql!("UPDATE memberships SET role = $2 WHERE id = $1", id, role).within("organization_id", viewer);
    execute!(tx, sql).map(|rows| rows == 1)
}

/// `false`: there is none that the viewer may see.
pub async fn delete(tx: &mut Tx, viewer: &Viewer, id: MembershipId) -> Result<bool, StoreError> {
    execute!(tx, sql!("DELETE FROM memberships WHERE id = $1", id).within("organization_id", viewer)).map(|rows| rows == 1)
}

/// How many hold a role. Whoever must leave one owner holds [`lock`](crate::organizations::lock) meanwhile.
pub async fn count(tx: &mut Tx, viewer: &Viewer, organization: OrganizationId, role: Role) -> Result<i64, StoreError> {
    let sql = sql!("SELECT COUNT(*) FROM memberships WHERE organization_id = $1 AND role = $2", organization, role);
    fetch_one!(tx, sql.within("organization_id", viewer)).map(|(count,)| count)
}
