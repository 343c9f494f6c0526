//! Two-factor authentication: six digits that change every thirty seconds (RFC 6238), and recovery codes for when the phone is gone.
//!
//! A code is good for one use: of those by time none is taken that is not later than the last, and recovery codes are struck off.

use data_encoding::BASE32_NOPAD;
use slipway_model::{Clock, Secret, Sha256Digest, Timestamp, Viewer};
use slipway_store::{
    Tx,
    two_factor::{self, TwoFactor},
    users::{self, User},
};
use totp_rs::{Builder, Totp};

use crate::{
    Platform,
    auth::{self, Attempt, Caller, LoginAttempts},
    error::{Error, Result, UserError, UserErrorCode},
};

/// How authenticators name the account's platform.
const ISSUER: &str = "Slipway";
const RECOVERY_CODES: usize = 10;
/// Of each: as hard to guess as a token, so that its digest alone may be kept.
const RECOVERY_CODE_BYTES: usize = 10;
/// No code is longer; nothing longer is looked at.
const MAX_CODE_BYTES: usize = 40;

/// What an authenticator is set up with.
#[derive(Debug)]
pub struct Setup {
    /// In base 32, to be typed.
    pub secret: Secret,
    /// `otpauth://…`, to be shown as a QR code.
    pub uri: Secret,
}

/// Begins: gives what the authenticator needs. Nothing is asked for until a code of it has confirmed it.
///
/// # Errors
/// It is enabled already; the caller is a program.
pub async fn begin(platform: &Platform, viewer: &Viewer) -> Result<Setup> {
    let user = person(platform, viewer).await?;
    let mut secret = [0; 20];
    platform.clock.fill(&mut secret);
    let text = Secret::new(BASE32_NOPAD.encode(&secret));
    let uri = totp(&secret, &user.email)?.to_url().map_err(|error| Error::internal(anyhow::anyhow!("otpauth: {error:?}")))?;
    let row = TwoFactor {
        user_id: user.id,
        secret_ciphertext: platform.keys.seal(two_factor::location(user.id), &text),
        confirmed_at: None,
        last_step: 0,
        created_at: platform.now(),
    };
    let mut tx = platform.db.begin().await?;
    if !two_factor::begin(&mut tx, &row).await? {
        return Err(enabled_already());
    }
    slipway_store::audit::note_subject(user.id);
    tx.commit().await?;
    Ok(Setup { secret: text, uri: Secret::new(uri) })
}

/// Confirms with a code of the authenticator. From now on signing in wants one. Gives the recovery codes, once.
///
/// # Errors
/// A wrong code; too many of them.
pub async fn confirm(platform: &Platform, attempts: &LoginAttempts, caller: &Caller, code: Secret) -> Result<(User, Vec<Secret>)> {
    let user = person(platform, caller.viewer.as_ref().ok_or(Error::Unauthenticated)?).await?;
    let attempt = guess(attempts, platform, &user)?;
    let mut tx = platform.db.begin().await?;
    let row = two_factor::find(&mut tx, user.id).await?;
    let row = row.ok_or_else(|| UserError::invalid_state("Ask without a code first, to get the secret for your authenticator."))?;
    if row.confirmed_at.is_some() {
        return Err(enabled_already());
    }
    let step = step_of(platform, &row, &user, code.expose())?.ok_or_else(wrong_code)?;
    two_factor::confirm(&mut tx, user.id, step, platform.now()).await?;
    let codes = recovery_codes(&*platform.clock);
    let digests: Vec<Sha256Digest> = codes.iter().map(digest).collect();
    two_factor::put_recovery_codes(&mut tx, user.id, &digests).await?;
    slipway_store::audit::note_subject(user.id);
    tx.commit().await?;
    attempt.succeeded();
    Ok((user, codes))
}

/// Ends it, for whoever has both the password and a code.
///
/// # Errors
/// One refusal for a wrong password and a wrong code; too many of them.
pub async fn disable(platform: &Platform, attempts: &LoginAttempts, caller: &Caller, password: Secret, code: Secret) -> Result<User> {
    let user = person(platform, caller.viewer.as_ref().ok_or(Error::Unauthenticated)?).await?;
    let attempt = guess(attempts, platform, &user)?;
    let known = auth::matches(password, user.password_hash.clone()).await?;
    let mut tx = platform.db.begin().await?;
    if two_factor::find(&mut tx, user.id).await?.is_none_or(|row| row.confirmed_at.is_none()) {
        return Err(UserError::invalid_state("Two-factor authentication is not enabled.").into());
    }
    if !known || !take(&mut tx, platform, &user, &code).await? {
        return Err(UserError::invalid("", "The password or the code is wrong, or the code was used before.").into());
    }
    two_factor::remove(&mut tx, user.id).await?;
    slipway_store::audit::note_subject(user.id);
    tx.commit().await?;
    attempt.succeeded();
    Ok(user)
}

/// What signing in wants beside the password, in the transaction that signs in.
///
/// # Errors
/// A refusal when a code is wanted, and none is given or one that is not taken.
pub(crate) async fn ask(tx: &mut Tx, platform: &Platform, attempts: &LoginAttempts, user: &User, code: Option<&Secret>) -> Result<()> {
    if two_factor::find(tx, user.id).await?.is_none_or(|row| row.confirmed_at.is_none()) {
        return Ok(());
    }
    let Some(code) = code else {
        return Err(
            UserError::new(UserErrorCode::Required, "otp", "Give the code that your authenticator shows, or a recovery code.").into()
        );
    };
    let attempt = guess(attempts, platform, user)?;
    if !take(tx, platform, user, code).await? {
        return Err(wrong_code());
    }
    attempt.succeeded();
    Ok(())
}

/// Six digits are soon guessed by many machines together: of one person's codes few are tried, wherever they come from.
fn guess<'a>(attempts: &'a LoginAttempts, platform: &Platform, user: &User) -> Result<Attempt<'a>> {
    attempts.begin_anywhere(&format!("code of {}", user.id), platform.now())
}

/// Takes a code by time or a recovery code, either of which is taken once.
async fn take(tx: &mut Tx, platform: &Platform, user: &User, code: &Secret) -> Result<bool> {
    let Some(row) = two_factor::find(tx, user.id).await? else { return Ok(false) };
    let code = code.expose().trim();
    if code.len() > MAX_CODE_BYTES {
        return Ok(false);
    }
    if code.len() == 6 {
        return match step_of(platform, &row, user, code)? {
            Some(step) => Ok(two_factor::take_step(tx, user.id, step).await?),
            None => Ok(false),
        };
    }
    Ok(two_factor::take_recovery_code(tx, user.id, digest(&Secret::new(code)), platform.now()).await?)
}

/// The step that a code is of, if it is one of now or of the steps beside it.
fn step_of(platform: &Platform, row: &TwoFactor, user: &User, code: &str) -> Result<Option<i64>> {
    let sealed = platform.keys.open(two_factor::location(row.user_id), &row.secret_ciphertext);
    let text = sealed.map_err(|error| Error::internal(anyhow::Error::from(error)))?;
    let secret = BASE32_NOPAD.decode(text.expose().as_bytes()).map_err(Error::internal)?;
    let step = totp(&secret, &user.email)?.check(code.trim(), seconds(platform.now()));
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.timestamp()).unwrap_or(0)
}

/// Six digits of SHA-1, thirty seconds, one step to either side: what every authenticator knows.
fn totp(secret: &[u8], account: &str) -> Result<Totp> {
    let builder = Builder::new().with_secret(secret.to_vec()).with_issuer(Some(ISSUER));
    let built = builder.with_account_name(account.replace(':', "_")).build();
    built.map_err(|error| Error::internal(anyhow::anyhow!("totp: {error:?}")))
}

/// Sixteen characters in four groups.
fn recovery_codes(clock: &dyn Clock) -> Vec<Secret> {
    let code = |_| {
        let mut random = [0; RECOVERY_CODE_BYTES];
        clock.fill(&mut random);
        let text = BASE32_NOPAD.encode(&random).to_lowercase();
        let groups: Vec<&str> = (0..4).map(|group| &text[group * 4..group * 4 + 4]).collect();
        Secret::new(groups.join("-"))
    };
    (0..RECOVERY_CODES).map(code).collect()
}

/// However it was typed: in capitals, with other gaps.
fn digest(code: &Secret) -> Sha256Digest {
    let kept: String = code.expose().chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    Sha256Digest::of(kept.as_bytes())
}

/// Of whom this is: a person who is signed in. A program's token is no licence to change how its owner signs in.
async fn person(platform: &Platform, viewer: &Viewer) -> Result<User> {
    let Viewer::User { id, token: None, .. } = viewer else { return Err(Error::Forbidden) };
    users::find(&mut platform.db.read().await?, *id).await?.ok_or(Error::Unauthenticated)
}

fn wrong_code() -> Error {
    UserError::invalid("otp", "The code is wrong, or was used before. Wait for the next one.").into()
}

fn enabled_already() -> Error {
    UserError::invalid_state("Two-factor authentication is enabled already.").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B: the last six of its eight digits.
        let totp = totp(b"12345678901234567890", "ada@example.org").unwrap();
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(totp.check(code, time), Some(time / 30));
        }
        assert_eq!(totp.check("287082", 59 + 30), Some(1), "one step late");
        assert_eq!(totp.check("287082", 59 + 31), None);
        assert_eq!(totp.check("", 59), None);
        assert!(totp.to_url().unwrap().starts_with("otpauth://totp/Slipway:ada"));
    }

    #[test]
    fn recovery_codes_are_found_however_they_are_typed() {
        let codes = recovery_codes(&*slipway_model::system_clock());
        assert_eq!(codes.len(), RECOVERY_CODES);
        let first = codes[0].expose();
        assert_eq!(first.len(), 19);
        assert_eq!(digest(&codes[0]), digest(&Secret::new(first.to_uppercase().replace('-', " "))));
        assert_ne!(digest(&codes[0]), digest(&codes[1]));
    }
}
