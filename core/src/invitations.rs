//! Invitations: how people come into an organization. The token is shown once, holds for a week, for one address, and once.

use chrono::TimeDelta;
use slipway_model::{DisplayName, Email, InvitationId, MembershipId, OrganizationId, Role, Secret, Sha256Digest, UserId, Viewer};
use slipway_store::{
    StoreError, Tx,
    invitations::{self, Invitation},
    memberships::{self, Membership},
    organizations as rows,
    users::{self, User},
};

use crate::{
    Platform, applications,
    auth::{self, NewToken},
    error::{Error, Refusals, Result, UserError, UserErrorCode, UserErrorData},
    organizations::require,
};

/// How long somebody may think about it.
const LIFETIME: TimeDelta = TimeDelta::days(7);
/// Open at once, in one organization.
const MAX_OPEN: i64 = 100;
/// No token is longer; nothing longer is hashed.
const MAX_TOKEN_BYTES: usize = 200;

/// Somebody to invite.
#[derive(Debug)]
pub struct NewInvitation {
    pub organization: OrganizationId,
    pub email: String,
    /// `None`: something that is no role in an organization.
    pub role: Option<Role>,
}

/// Invites somebody. What was open for the same address ends.
///
/// # Errors
/// Refusals of the input; a role above the caller's own; too many open.
pub async fn create(platform: &Platform, viewer: &Viewer, new: NewInvitation) -> Result<(Invitation, Secret)> {
    applications::require(viewer, new.organization, Role::Admin, "organizationId", "organization")?;
    let mut refusals = Refusals::new();
    let email = refusals.parse::<Email>("email", &new.email.trim().to_lowercase());
    let role = check_role(&mut refusals, viewer, new.organization, new.role);
    refusals.done()?;
    let (Some(email), Some(role)) = (email, role) else { return Err(Error::internal(anyhow::anyhow!("refused silently"))) };
    let now = platform.now();
    let token = NewToken::invitation(&*platform.clock);
    let invitation = Invitation {
        id: InvitationId::new(&*platform.clock),
        organization_id: new.organization,
        email,
        role,
        invited_by: viewer.user_id(),
        expires_at: now + LIFETIME,
        created_at: now,
        accepted_at: None,
        accepted_by: None,
        revoked_at: None,
    };
    let mut tx = platform.db.begin_as(viewer).await?;
    let not_found = || UserError::not_found("organizationId", "organization");
    rows::lock(&mut tx, viewer, new.organization).await?.ok_or_else(not_found)?;
    if memberships::has_email(&mut tx, viewer, new.organization, invitation.email.as_str()).await? {
        return Err(UserError::already_exists("email", "Somebody with this address is a member already.").into());
    }
    invitations::replace(&mut tx, viewer, new.organization, &invitation.email, now).await?;
    let open = invitations::count_open(&mut tx, viewer, new.organization, now).await?;
    if open >= MAX_OPEN {
        let message = format!("{MAX_OPEN} invitations are open. Revoke some, or wait until they are accepted.");
        let error = UserError::new(UserErrorCode::QuotaExceeded, "", message);
        return Err(error.with(UserErrorData::Quota { limit: MAX_OPEN, used: open + 1 }).into());
    }
    invitations::insert(&mut tx, viewer, &invitation, token.digest).await?;
    slipway_store::audit::note_subject(invitation.id);
    tx.commit().await?;
    Ok((invitation, token.secret))
}

/// Nobody gives a role above their own.
pub(crate) fn check_role(refusals: &mut Refusals, viewer: &Viewer, organization: OrganizationId, role: Option<Role>) -> Option<Role> {
    let Some(role) = role else {
        refusals.push(UserError::invalid(
            "role",
            "Name a role that somebody has in an organization: VIEWER, ORG_MEMBER, ORG_ADMIN or ORG_OWNER.",
        ));
        return None;
    };
    let own = viewer.role_in(organization);
    refusals.check(own.is_some_and(|own| role <= own), || UserError::invalid("role", "You cannot give a role above your own."));
    Some(role)
}

/// The invitation that a token is for, while it can be accepted.
///
/// # Errors
/// Those of the database.
pub async fn by_token(platform: &Platform, token: &Secret) -> Result<Option<Invitation>> {
    open(&mut platform.db.read().await?, platform, token).await
}

async fn open(tx: &mut Tx, platform: &Platform, token: &Secret) -> Result<Option<Invitation>> {
    if token.expose().len() > MAX_TOKEN_BYTES {
        return Ok(None);
    }
    let found = invitations::by_digest(tx, Sha256Digest::of(token.expose().as_bytes())).await?;
    let now = platform.now();
    Ok(found.filter(|row| row.accepted_at.is_none() && row.revoked_at.is_none() && row.expires_at > now))
}

/// Who accepts without having an account yet.
#[derive(Debug)]
pub struct Newcomer {
    pub name: Option<String>,
    pub password: Secret,
}

/// Accepts an invitation: as whoever is signed in, or as somebody new, whose account begins with it.
///
/// # Errors
/// One refusal for a token that is unknown, spent, revoked or too old; others for another address or an account that exists.
pub async fn accept(platform: &Platform, viewer: Option<&Viewer>, token: Secret, newcomer: Option<Newcomer>) -> Result<Membership> {
    let gone = || Error::from(UserError::not_found("token", "invitation that still holds"));
    let invitation = by_token(platform, &token).await?.ok_or_else(gone)?;
    // The costly hash comes before the transaction, which holds the only writer.
    let (user, is_new) = match viewer {
        Some(viewer) => (signed_in(platform, viewer, &invitation).await?, false),
        None => (made(platform, &invitation, newcomer).await?, true),
    };
    let now = platform.now();
    let membership = Membership {
        id: MembershipId::new(&*platform.clock),
        organization_id: invitation.organization_id,
        user_id: user.id,
        role: invitation.role,
        created_at: now,
    };
    let mut tx = platform.db.begin().await?;
    if is_new {
        match users::insert(&mut tx, &user).await {
            Err(StoreError::Conflict) => return Err(has_account()),
            outcome => outcome?,
        }
    }
    if !invitations::accept(&mut tx, invitation.id, user.id, now).await? {
        return Err(gone());
    }
    match memberships::insert(&mut tx, &membership).await {
        Err(StoreError::Conflict) => return Err(UserError::already_exists("token", "You are a member already.").into()),
        outcome => outcome?,
    }
    slipway_store::audit::note_actor(user.id);
    slipway_store::audit::note_organization(membership.organization_id);
    slipway_store::audit::note_subject(membership.id);
    tx.commit().await?;
    Ok(membership)
}

async fn signed_in(platform: &Platform, viewer: &Viewer, invitation: &Invitation) -> Result<User> {
    let Viewer::User { id, .. } = viewer else { return Err(Error::Forbidden) };
    // A token made for one organization is no licence to join others.
    if auth::only_organization(platform, viewer).await?.is_some() {
        return Err(Error::Forbidden);
    }
    let user = users::find(&mut platform.db.read().await?, *id).await?.ok_or(Error::Unauthenticated)?;
    if user.email != invitation.email.as_str() {
        return Err(UserError::invalid("token", "This invitation is for another e-mail address than yours.").into());
    }
    Ok(user)
}

async fn made(platform: &Platform, invitation: &Invitation, newcomer: Option<Newcomer>) -> Result<User> {
    let has_one = users::by_email(&mut platform.db.read().await?, invitation.email.as_str()).await?.is_some();
    if has_one {
        return Err(has_account());
    }
    let Some(Newcomer { name, password }) = newcomer else {
        return Err(UserError::new(UserErrorCode::Required, "password", "Choose a password for your new account.").into());
    };
    let mut refusals = Refusals::new();
    let name = name.and_then(|name| refusals.parse::<DisplayName>("name", &name));
    auth::check_new_password(&mut refusals, "password", &password);
    refusals.done()?;
    let now = platform.now();
    Ok(User {
        id: UserId::new(&*platform.clock),
        email: invitation.email.to_string(),
        name: name.map(String::from),
        password_hash: Some(auth::hash(&*platform.clock, password).await?),
        platform_admin: false,
        disabled_at: None,
        created_at: now,
        updated_at: now,
    })
}

/// Only whoever holds a token for the address is told.
fn has_account() -> Error {
    UserError::already_exists("token", "There is an account with this address. Sign in, then accept the invitation.").into()
}

/// Takes an invitation back.
///
/// # Errors
/// A refusal when there is none that can still be accepted.
pub async fn revoke(platform: &Platform, viewer: &Viewer, id: InvitationId) -> Result<InvitationId> {
    let mut tx = platform.db.begin_as(viewer).await?;
    let not_found = || UserError::not_found("id", "invitation");
    let invitation = invitations::find(&mut tx, viewer, id).await?.ok_or_else(not_found)?;
    applications::require(viewer, invitation.organization_id, Role::Admin, "id", "invitation")?;
    if !invitations::revoke(&mut tx, viewer, id, platform.now()).await? {
        return Err(UserError::invalid_state("The invitation was accepted or revoked before.").into());
    }
    tx.commit().await?;
    Ok(id)
}

/// One by its id, for administrators of its organization.
///
/// # Errors
/// Those of the database.
pub async fn find(platform: &Platform, viewer: &Viewer, id: InvitationId) -> Result<Option<Invitation>> {
    let found = invitations::find(&mut platform.db.read_as(viewer).await?, viewer, id).await?;
    Ok(found.filter(|row| require(viewer, row.organization_id, Role::Admin).is_ok()))
}
