//! Who a request comes from.

use std::net::IpAddr;

use chrono::TimeDelta;
use slipway_model::{ApiTokenId, SessionId, Sha256Digest, Timestamp, UserId, Viewer};
use slipway_store::{
    StoreError,
    admissions::{self, Admission},
    api_tokens::{self, ApiToken},
    sessions::{self, Session},
};

use super::token;
use crate::{
    Platform,
    error::{Error, Result},
};

/// Use is written down this often at most: reading is most of what tokens do.
const USE_IS_NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);
/// No token is longer; nothing longer is hashed.
const MAX_TOKEN_BYTES: usize = 200;

/// What somebody showed to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Credential {
    Session(SessionId),
    ApiToken(ApiTokenId),
}

/// Who a request comes from: nobody in particular, or a person by session or API token.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    pub viewer: Option<Viewer>,
    /// Of the machine that the request came from.
    pub address: Option<IpAddr>,
    /// What the program calls itself.
    pub user_agent: Option<String>,
    pub(super) credential: Option<Credential>,
}

impl Caller {
    #[must_use]
    pub fn anonymous(address: Option<IpAddr>, user_agent: Option<&str>) -> Self {
        let user_agent = user_agent.map(|text| text.chars().take(200).collect());
        Self { viewer: None, address, user_agent, credential: None }
    }

    #[must_use]
    pub fn is_session(&self, id: SessionId) -> bool {
        self.credential == Some(Credential::Session(id))
    }

    /// The id of what it was let in with.
    #[must_use]
    pub fn credential_id(&self) -> Option<String> {
        self.credential.map(|credential| match credential {
            Credential::Session(id) => id.to_string(),
            Credential::ApiToken(id) => id.to_string(),
        })
    }

    /// The session that it came with, if it did.
    #[must_use]
    pub fn session_id(&self) -> Option<SessionId> {
        match self.credential {
            Some(Credential::Session(id)) => Some(id),
            Some(Credential::ApiToken(_)) | None => None,
        }
    }

    /// Whether it came with an API token.
    #[must_use]
    pub fn is_program(&self) -> bool {
        matches!(self.credential, Some(Credential::ApiToken(_)))
    }

    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        self.viewer.as_ref().and_then(Viewer::user_id)
    }

    /// The same caller, as whoever `Bearer <token>` belongs to.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a token that is unknown, expired or revoked.
    pub async fn authenticate(self, platform: &Platform, authorization: &str) -> Result<Self> {
        let token = match authorization.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => return Err(Error::Unauthenticated),
        };
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::Unauthenticated);
        }
        // A token carries 256 random bits: looking its digest up in an index gives a guesser nothing to time.
        let digest = Sha256Digest::of(token.as_bytes());
        let mut tx = platform.db.read_once().await?;
        let shown = if token.starts_with(token::SESSION_PREFIX) {
            admissions::of_session_token(&mut tx, digest).await?.map(Shown::Session)
        } else if token.starts_with(token::API_TOKEN_PREFIX) {
            admissions::of_api_token_secret(&mut tx, digest).await?.map(Shown::ApiToken)
        } else {
            None
        };
        drop(tx);
        self.admitted(platform, shown).await
    }

    /// The same caller with what holds now: memberships change, and credentials end.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] once the credential holds no longer.
    pub async fn refreshed(self, platform: &Platform) -> Result<Self> {
        let Some(credential) = self.credential else { return Ok(self) };
        let mut tx = platform.db.read_once().await?;
        let shown = match credential {
            Credential::Session(id) => admissions::of_session(&mut tx, id).await?.map(Shown::Session),
            Credential::ApiToken(id) => admissions::of_api_token(&mut tx, id).await?.map(Shown::ApiToken),
        };
        drop(tx);
        self.admitted(platform, shown).await
    }

    async fn admitted(self, platform: &Platform, shown: Option<Shown>) -> Result<Self> {
        let shown = shown.filter(|shown| shown.holds(platform.now())).ok_or(Error::Unauthenticated)?;
        let (credential, last_used) = (shown.credential(), shown.last_used());
        let viewer = shown.viewer().ok_or(Error::Unauthenticated)?;
        if last_used.is_none_or(|at| platform.now() - at > USE_IS_NOTED_EVERY) {
            note_use(platform, credential).await?;
        }
        Ok(Self { viewer: Some(viewer), credential: Some(credential), ..self })
    }
}

/// What a credential is in the database.
enum Shown {
    Session(Admission<Session>),
    ApiToken(Admission<ApiToken>),
}

impl Shown {
    const fn credential(&self) -> Credential {
        match self {
            Self::Session(of) => Credential::Session(of.credential.id),
            Self::ApiToken(of) => Credential::ApiToken(of.credential.id),
        }
    }

    fn holds(&self, now: Timestamp) -> bool {
        match self {
            Self::Session(Admission { credential: session, .. }) => session.revoked_at.is_none() && session.expires_at > now,
            Self::ApiToken(Admission { credential: token, .. }) => token.revoked_at.is_none() && token.expires_at.is_none_or(|at| at > now),
        }
    }

    const fn last_used(&self) -> Option<Timestamp> {
        match self {
            Self::Session(of) => Some(of.credential.last_seen_at),
            Self::ApiToken(of) => of.credential.last_used_at,
        }
    }

    /// Whom it lets in; `None`: somebody who is let in no longer.
    fn viewer(self) -> Option<Viewer> {
        match self {
            Self::Session(of) => of.disabled_at.is_none().then_some(Viewer::User {
                id: of.credential.user_id,
                platform_admin: of.platform_admin,
                memberships: of.memberships,
                token: None,
            }),
            Self::ApiToken(of) => {
                let only = of.credential.organization_id;
                let opened = of.memberships.into_iter().filter(|(organization, _)| only.is_none_or(|only| *organization == only));
                of.disabled_at.is_none().then(|| Viewer::User {
                    id: of.credential.user_id,
                    // A token of one organization is no key to the platform, whoever made it.
                    platform_admin: of.platform_admin && only.is_none(),
                    memberships: opened.collect(),
                    token: Some(of.credential.grant()),
                })
            }
        }
    }
}

async fn note_use(platform: &Platform, credential: Credential) -> Result<(), StoreError> {
    let mut tx = platform.db.begin().await?;
    match credential {
        Credential::Session(id) => sessions::seen(&mut tx, id, platform.now()).await?,
        Credential::ApiToken(id) => api_tokens::used(&mut tx, id, platform.now()).await?,
    }
    tx.commit().await
}
