//! People: what they call themselves and sign in with, and who is let in at all.

use slipway_model::{DisplayName, Secret, UserId, Viewer};
use slipway_store::{
    Page, Slice, sessions,
    users::{self, User},
};

use crate::{
    Platform,
    auth::{self, Caller, LoginAttempts},
    changes::Changed,
    error::{Error, Refusals, Result, UserError, UserErrorCode},
};

/// A new password, and the old one to show who asks.
#[derive(Debug)]
pub struct NewPassword {
    pub current: Option<Secret>,
    pub new: Secret,
}

/// Changes what somebody calls themselves or signs in with. A new password ends their other sessions.
///
/// # Errors
/// Refusals of the input; a wrong password, and too many of them. A program changes nothing of its owner.
pub async fn update(
    platform: &Platform,
    attempts: &LoginAttempts,
    caller: &Caller,
    id: UserId,
    name: Option<String>,
    password: Option<NewPassword>,
) -> Result<User> {
    let viewer = caller.viewer.as_ref().ok_or(Error::Unauthenticated)?;
    let Viewer::User { id: own, token: None, .. } = viewer else { return Err(Error::Forbidden) };
    if id != *own {
        return Err(UserError::not_found("id", "account of yours").into());
    }
    let mut refusals = Refusals::new();
    let name = name.and_then(|name| refusals.parse::<DisplayName>("name", &name));
    if let Some(password) = &password {
        auth::check_new_password(&mut refusals, "newPassword", &password.new);
    }
    refusals.done()?;
    let known = users::find(&mut platform.db.read().await?, id).await?.ok_or(Error::Unauthenticated)?;
    let mut hash = None;
    if let Some(NewPassword { current, new }) = password {
        let Some(current) = current else {
            return Err(UserError::new(UserErrorCode::Required, "currentPassword", "Give your present password too.").into());
        };
        let attempt = attempts.begin(&known.email, caller.address, platform.now())?;
        if !auth::matches(current, known.password_hash.clone()).await? {
            return Err(UserError::invalid("currentPassword", "That is not your present password.").into());
        }
        attempt.succeeded();
        hash = Some(auth::hash(&*platform.clock, new).await?);
    }
    let now = platform.now();
    let mut tx = platform.db.begin().await?;
    let mut user = users::lock(&mut tx, id).await?.ok_or(Error::Unauthenticated)?;
    if user.password_hash != known.password_hash {
        // Somebody else changed it while this was being looked at.
        return Err(UserError::conflict("currentPassword", "Your password was changed in the meantime.").into());
    }
    if let Some(name) = name {
        user.name = Some(name.into());
    }
    let ended = match hash {
        None => Vec::new(),
        Some(hash) => {
            user.password_hash = Some(hash);
            sessions::revoke_others(&mut tx, id, caller.session_id(), now).await?
        }
    };
    user.updated_at = now;
    users::update(&mut tx, &user).await?;
    tx.commit().await?;
    ended.into_iter().for_each(|session| platform.changes.publish(None, Changed::Session(session)));
    Ok(user)
}

/// Everybody, newest first, for administrators of the platform.
///
/// # Errors
/// [`Error::Forbidden`] for others.
pub async fn list(platform: &Platform, viewer: &Viewer, search: Option<String>, page: &Page) -> Result<Slice<User>> {
    require_administrator(viewer)?;
    crate::applications::check_search(search.as_deref())?;
    Ok(users::list(&mut platform.db.read().await?, search.as_deref(), page).await?)
}

/// Lets somebody in no longer, or again. Their sessions end; their tokens open nothing for as long as that is so.
///
/// # Errors
/// [`Error::Forbidden`] for others than administrators of the platform; the last of these stays.
pub async fn set_disabled(platform: &Platform, viewer: &Viewer, id: UserId, disabled: bool) -> Result<User> {
    require_administrator(viewer)?;
    let now = platform.now();
    let mut tx = platform.db.begin().await?;
    // Of two administrators who disable each other at once, one stays.
    let administrators = users::lock_administrators(&mut tx).await?;
    let mut user = users::lock(&mut tx, id).await?.ok_or_else(|| UserError::not_found("id", "user"))?;
    if disabled && administrators == [id] {
        return Err(UserError::invalid_state("This is the last administrator of the platform.").into());
    }
    let ended = if disabled { sessions::revoke_others(&mut tx, id, None, now).await? } else { Vec::new() };
    if user.disabled_at.is_some() != disabled {
        user.disabled_at = disabled.then_some(now);
        user.updated_at = now;
        users::update(&mut tx, &user).await?;
    }
    let tokens = if disabled { slipway_store::api_tokens::of_user(&mut tx, id).await? } else { Vec::new() };
    tx.commit().await?;
    ended.into_iter().for_each(|session| platform.changes.publish(None, Changed::Session(session)));
    // They are not revoked, so that they hold again with their owner; what they opened is closed.
    crate::memberships::close(platform, tokens.into_iter().map(|token| token.id).collect());
    Ok(user)
}

fn require_administrator(viewer: &Viewer) -> Result<()> {
    if viewer.is_platform_admin() { Ok(()) } else { Err(Error::Forbidden) }
}
