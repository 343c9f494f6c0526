//! Passwords: argon2id with the OWASP parameters, off the async threads.

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordVerifier, Version,
    password_hash::{PasswordHasher, SaltString},
};
use slipway_model::{Clock, Secret};

use super::MAX_PASSWORD_BYTES;
use crate::error::{Error, Refusals, Result, UserError};

/// Length is what makes a password hard to guess (NIST SP 800-63B §3.1.1.2).
const MIN_PASSWORD_CHARACTERS: usize = 10;

/// Passwords hashed at once: each takes 19 MiB and a core.
static HASHING: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(4);

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(|error| Error::internal(anyhow::anyhow!("argon2: {error}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Refuses a new password that is too short or too long to be kept.
pub(crate) fn check_new(refusals: &mut Refusals, path: &str, password: &Secret) {
    let length = password.expose().chars().count();
    refusals.check(length >= MIN_PASSWORD_CHARACTERS, || {
        UserError::invalid(path, format!("Use {MIN_PASSWORD_CHARACTERS} characters or more."))
    });
    refusals.check(password.expose().len() <= MAX_PASSWORD_BYTES, || {
        UserError::too_long(path, format!("Use at most {MAX_PASSWORD_BYTES} bytes."))
    });
}

/// The hash of a new password, in PHC form.
pub(crate) async fn hash(clock: &dyn Clock, password: Secret) -> Result<slipway_store::users::PasswordHash> {
    let mut salt = [0; 16];
    clock.fill(&mut salt);
    off_thread(move || {
        let salt = SaltString::encode_b64(&salt).map_err(|error| Error::internal(anyhow::anyhow!("salt: {error}")))?;
        let hash = argon2()?.hash_password(password.expose().as_bytes(), &salt);
        hash.map(|hash| hash.to_string().into()).map_err(|error| Error::internal(anyhow::anyhow!("argon2: {error}")))
    })
    .await
}

/// Whether it is the password of this hash. `None` takes as long and is never.
pub(crate) async fn matches(password: Secret, hash: Option<slipway_store::users::PasswordHash>) -> Result<bool> {
    off_thread(move || {
        let Some(hash) = hash else {
            let salt = SaltString::encode_b64(&[0; 16]).map_err(|error| Error::internal(anyhow::anyhow!("salt: {error}")))?;
            let _ = argon2()?.hash_password(password.expose().as_bytes(), &salt);
            return Ok(false);
        };
        let parsed = PasswordHash::new(hash.as_str()).map_err(|error| Error::internal(anyhow::anyhow!("a stored hash: {error}")))?;
        Ok(argon2()?.verify_password(password.expose().as_bytes(), &parsed).is_ok())
    })
    .await
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let _permit = HASHING.acquire().await.map_err(Error::internal)?;
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_alone() {
        let clock = slipway_model::system_clock();
        let stored = hash(&*clock, Secret::new("correct horse")).await.unwrap();
        assert!(stored.as_str().starts_with("$argon2id$"));
        assert!(matches(Secret::new("correct horse"), Some(stored.clone())).await.unwrap());
        assert!(!matches(Secret::new("battery staple"), Some(stored)).await.unwrap());
        assert!(!matches(Secret::new("correct horse"), None).await.unwrap());
    }
}
