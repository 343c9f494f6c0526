//! Bearer tokens: 32 random bytes behind a prefix that leak scanners know. The database keeps their SHA-256.

use data_encoding::BASE64URL_NOPAD;
use slipway_model::{Clock, Secret, Sha256Digest};

/// Of API tokens, for programs.
pub(super) const API_TOKEN_PREFIX: &str = "slip_";
/// Of invitations, for whoever is invited.
const INVITATION_PREFIX: &str = "slipi_";
/// Of sessions, for people.
pub(super) const SESSION_PREFIX: &str = "slips_";

/// A token that has just been made. Its text is shown once.
#[derive(Debug)]
pub(crate) struct NewToken {
    pub(crate) secret: Secret,
    pub(crate) digest: Sha256Digest,
    /// Its beginning, to tell it from others.
    pub(crate) prefix: String,
}

impl NewToken {
    pub(crate) fn session(clock: &dyn Clock) -> Self {
        Self::new(clock, SESSION_PREFIX)
    }

    pub(crate) fn api(clock: &dyn Clock) -> Self {
        Self::new(clock, API_TOKEN_PREFIX)
    }

    pub(crate) fn invitation(clock: &dyn Clock) -> Self {
        Self::new(clock, INVITATION_PREFIX)
    }

    fn new(clock: &dyn Clock, prefix: &str) -> Self {
        let mut random = [0; 32];
        clock.fill(&mut random);
        let text = format!("{prefix}{}", BASE64URL_NOPAD.encode(&random));
        Self { digest: Sha256Digest::of(text.as_bytes()), prefix: text[..prefix.len() + 6].to_owned(), secret: Secret::new(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_shows_only_its_beginning() {
        let token = NewToken::api(&*slipway_model::system_clock());
        assert!(token.secret.expose().starts_with(&token.prefix));
        assert_eq!(token.secret.expose().len(), 5 + 43);
        assert_eq!(token.prefix.len(), 5 + 6);
        assert!(!format!("{token:?}").contains(&token.secret.expose()[11..]));
    }
}
