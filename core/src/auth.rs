//! Who asks: passwords, sessions, API tokens, and what becomes of requests whose credential no longer holds.

mod attempts;
mod caller;
mod password;
mod points;
mod revocations;
mod sight;
mod token;

pub(crate) use attempts::Attempt;
pub use attempts::LoginAttempts;
pub use caller::Caller;
pub(crate) use password::{check_new as check_new_password, hash, matches};
pub use points::{Allowance, Points};
pub use revocations::Revocations;
pub use sight::{Sight, Sights};
pub(crate) use token::NewToken;

use chrono::TimeDelta;
use slipway_model::{ApiTokenId, ApplicationId, Email, OrganizationId, Permission, Secret, SessionId, Timestamp, Viewer};
use slipway_store::{
    api_tokens::{self, ApiToken},
    applications,
    sessions::{self, Session},
    users::{self, User},
};

use crate::{
    Platform,
    changes::Changed,
    error::{Error, Refusals, Result, UserError},
    two_factor,
};

/// How long a sign-in lasts.
const SESSION_LIFETIME: TimeDelta = TimeDelta::days(30);
/// The longest password that is looked at: hashing is work.
const MAX_PASSWORD_BYTES: usize = 1024;

/// What a person signs in with.
#[derive(Debug)]
pub struct SignIn {
    pub email: String,
    pub password: Secret,
    /// What their authenticator shows, or a recovery code, where they are asked for one.
    pub otp: Option<Secret>,
}

/// Signs a person in. An unknown address and a wrong password are the same answer after the same work.
///
/// # Errors
/// [`Error::RateLimited`] after too many failures; a refusal otherwise.
pub async fn sign_in(platform: &Platform, attempts: &LoginAttempts, caller: &Caller, with: SignIn) -> Result<(User, Secret)> {
    let wrong = || UserError::invalid("", "The e-mail address or the password is wrong.");
    let email = with.email.trim().to_lowercase();
    if email.parse::<Email>().is_err() || with.password.expose().len() > MAX_PASSWORD_BYTES {
        return Err(wrong().into());
    }
    let attempt = attempts.begin(&email, caller.address, platform.now())?;
    let user = users::by_email(&mut platform.db.read_once().await?, &email).await?;
    let known = user.as_ref().and_then(|user| user.password_hash.clone());
    if !password::matches(with.password, known).await? {
        tracing::info!(address = ?caller.address, "a sign-in failed");
        if let Some(user) = &user {
            // Whose account it was, and not what was typed: that may be a password in the wrong place.
            slipway_store::audit::note_subject(user.id);
        }
        return Err(wrong().into());
    }
    let Some(user) = user else { return Err(wrong().into()) };
    let token = NewToken::session(&*platform.clock);
    let now = platform.now();
    let session = Session {
        id: SessionId::new(&*platform.clock),
        user_id: user.id,
        user_agent: caller.user_agent.clone(),
        ip: caller.address.map(|address| address.to_string()),
        created_at: now,
        last_seen_at: now,
        expires_at: now + SESSION_LIFETIME,
        revoked_at: None,
    };
    // Whose account it was, should the code be refused.
    slipway_store::audit::note_subject(user.id);
    let mut tx = platform.db.begin().await?;
    if user.disabled_at.is_some() {
        return Err(UserError::invalid_state("This account is disabled. Ask an administrator of the platform.").into());
    }
    two_factor::ask(&mut tx, platform, attempts, &user, with.otp.as_ref()).await?;
    sessions::insert(&mut tx, &session, token.digest).await?;
    slipway_store::audit::note_actor(user.id);
    slipway_store::audit::note_subject(session.id);
    tx.commit().await?;
    attempt.succeeded();
    tracing::info!(user = %user.id, address = ?caller.address, "signed in");
    Ok((user, token.secret))
}

/// Ends a sign-in of the caller's own: what it opened is closed at once.
///
/// # Errors
/// A refusal when it is not theirs.
pub async fn revoke_session(platform: &Platform, viewer: &Viewer, id: SessionId) -> Result<SessionId> {
    let mut tx = platform.db.begin().await?;
    let session = sessions::find(&mut tx, id).await?.filter(|session| Some(session.user_id) == viewer.user_id());
    if session.is_none() {
        return Err(UserError::not_found("id", "session").into());
    }
    sessions::revoke(&mut tx, id, platform.now()).await?;
    tx.commit().await?;
    platform.changes.publish(None, Changed::Session(id));
    Ok(id)
}

/// A token that a program shall have.
#[derive(Debug)]
pub struct NewApiToken {
    pub name: String,
    /// `None`: every organization that its owner belongs to.
    pub organization: Option<OrganizationId>,
    /// The one application that it opens, and nothing else of its organization.
    pub application: Option<ApplicationId>,
    /// `None`: everything that its owner may do, or, for an application, everything that can be done with one.
    pub permissions: Option<Vec<Permission>>,
    pub expires_at: Option<Timestamp>,
}

/// Makes a token for programs. The secret is given once.
///
/// # Errors
/// Refusals of the input.
pub async fn create_api_token(platform: &Platform, viewer: &Viewer, new: NewApiToken) -> Result<(ApiToken, Secret)> {
    let Viewer::User { id: user_id, .. } = viewer else { return Err(Error::Forbidden) };
    let now = platform.now();
    let mut refusals = Refusals::new();
    let name = refusals.parse::<slipway_model::DisplayName>("name", &new.name);
    refusals.check(new.expires_at.is_none_or(|at| at > now), || UserError::invalid("expiresAt", "Name a time that is to come."));
    // A token that opens less than its owner must not beget another.
    if viewer.grant().is_some_and(|grant| grant.permissions.is_some() || grant.application.is_some()) {
        return Err(Error::Forbidden);
    }
    if let Some(organization) = new.organization {
        refusals.check(viewer.role_in(organization).is_some(), || UserError::not_found("organizationId", "organization"));
    }
    let mut organization = new.organization;
    let mut permissions = new.permissions;
    if let Some(id) = new.application {
        let found = applications::find(&mut platform.db.read_as(viewer).await?, viewer, id).await?;
        let found = found.filter(|row| new.organization.is_none_or(|named| named == row.organization_id));
        refusals.check(found.is_some(), || UserError::not_found("applicationId", "application"));
        organization = organization.or(found.map(|row| row.organization_id));
        let of_one = |permission: &Permission| permission.is_of_an_application();
        let granted = permissions.get_or_insert_with(|| Permission::ALL.iter().copied().filter(of_one).collect());
        refusals.check(granted.iter().all(of_one), || {
            UserError::invalid("permissions", "A token of one application is for reading, changing and deploying that: nothing else.")
        });
    }
    if let Some(permissions) = &mut permissions {
        permissions.sort_unstable();
        permissions.dedup();
        refusals.check(!permissions.is_empty(), || UserError::invalid("permissions", "Name at least one, or leave them out."));
    }
    refusals.done()?;
    // A token of one organization must not beget one that opens more.
    let own = only_organization(platform, viewer).await?;
    let secret = NewToken::api(&*platform.clock);
    let row = ApiToken {
        id: ApiTokenId::new(&*platform.clock),
        user_id: *user_id,
        organization_id: organization.or(own),
        application_id: new.application,
        permissions,
        name: name.map(String::from).unwrap_or_default(),
        prefix: secret.prefix,
        expires_at: new.expires_at,
        last_used_at: None,
        created_at: now,
        revoked_at: None,
    };
    let mut tx = platform.db.begin().await?;
    api_tokens::insert(&mut tx, &row, secret.digest).await?;
    slipway_store::audit::note_subject(row.id);
    tx.commit().await?;
    Ok((row, secret.secret))
}

/// Ends a token of the caller's own: what it opened is closed at once.
///
/// # Errors
/// A refusal when it is not theirs.
pub async fn revoke_api_token(platform: &Platform, viewer: &Viewer, id: ApiTokenId) -> Result<ApiTokenId> {
    let mut tx = platform.db.begin().await?;
    let token = api_tokens::find(&mut tx, id).await?.filter(|token| Some(token.user_id) == viewer.user_id());
    if token.is_none() {
        return Err(UserError::not_found("id", "API token").into());
    }
    api_tokens::revoke(&mut tx, id, platform.now()).await?;
    tx.commit().await?;
    platform.changes.publish(None, Changed::ApiToken(id));
    Ok(id)
}

/// The one organization that the caller's API token opens, if it is of that kind.
///
/// # Errors
/// Those of the database.
pub(crate) async fn only_organization(platform: &Platform, viewer: &Viewer) -> Result<Option<OrganizationId>> {
    let Some(grant) = viewer.grant() else { return Ok(None) };
    Ok(api_tokens::find(&mut platform.db.read_once().await?, grant.token).await?.and_then(|token| token.organization_id))
}
