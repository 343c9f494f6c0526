//! Who belongs to an organization, as what. There is always an owner.

use slipway_model::{ApiTokenId, MembershipId, Role, Viewer};
use slipway_store::{
    Tx, api_tokens,
    memberships::{self, Membership},
    organizations as rows,
};

use crate::{
    Platform, applications,
    changes::Changed,
    error::{Error, Refusals, Result, UserError},
    invitations::check_role,
};

/// Gives a member another role.
///
/// # Errors
/// Refusals of the input; the last owner stays one.
pub async fn update(platform: &Platform, viewer: &Viewer, id: MembershipId, role: Option<Role>) -> Result<Membership> {
    let mut tx = platform.db.begin_as(viewer).await?;
    let member = locked(&mut tx, viewer, id).await?;
    applications::require(viewer, member.organization_id, Role::Owner, "id", "membership")?;
    let mut refusals = Refusals::new();
    let role = check_role(&mut refusals, viewer, member.organization_id, role);
    refusals.done()?;
    let Some(role) = role else { return Err(Error::internal(anyhow::anyhow!("a role refused silently"))) };
    if role < Role::Owner {
        keep_an_owner(&mut tx, viewer, &member).await?;
    }
    memberships::set_role(&mut tx, viewer, id, role).await?;
    tx.commit().await?;
    Ok(Membership { role, ..member })
}

/// Takes somebody out of an organization, or lets them leave it. Their tokens for it end.
///
/// # Errors
/// The last owner stays; an administrator removes no owner.
pub async fn remove(platform: &Platform, viewer: &Viewer, id: MembershipId) -> Result<MembershipId> {
    let mut tx = platform.db.begin_as(viewer).await?;
    let member = locked(&mut tx, viewer, id).await?;
    if viewer.user_id() != Some(member.user_id) {
        // Nobody is removed by somebody below them.
        let least = member.role.max(Role::Admin);
        applications::require(viewer, member.organization_id, least, "id", "membership")?;
    }
    keep_an_owner(&mut tx, viewer, &member).await?;
    memberships::delete(&mut tx, viewer, id).await?;
    let ended = api_tokens::revoke_within(&mut tx, member.organization_id, Some(member.user_id), platform.now()).await?;
    tx.commit().await?;
    close(platform, ended);
    Ok(id)
}

/// Closes at once what tokens opened that have just ended.
pub(crate) fn close(platform: &Platform, ended: Vec<ApiTokenId>) {
    ended.into_iter().for_each(|token| platform.changes.publish(None, Changed::ApiToken(token)));
}

/// The membership, with its organization kept from others: of two owners who leave at once, one stays.
async fn locked(tx: &mut Tx, viewer: &Viewer, id: MembershipId) -> Result<Membership> {
    let not_found = || Error::from(UserError::not_found("id", "membership"));
    let member = memberships::find(tx, viewer, id).await?.ok_or_else(not_found)?;
    rows::lock(tx, viewer, member.organization_id).await?.ok_or_else(not_found)?;
    memberships::find(tx, viewer, id).await?.ok_or_else(not_found)
}

async fn keep_an_owner(tx: &mut Tx, viewer: &Viewer, member: &Membership) -> Result<()> {
    if member.role == Role::Owner && memberships::count(tx, viewer, member.organization_id, Role::Owner).await? <= 1 {
        return Err(UserError::invalid_state("This is the last owner. Make somebody else an owner first.").into());
    }
    Ok(())
}
