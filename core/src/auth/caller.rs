//! Who a request comes from.

use std::net::IpAddr;

use chrono::TimeDelta;
use slipway_model::{ApiTokenId, SessionId, Sha256Digest, Timestamp, UserId, Viewer};
use slipway_store::{
    StoreError, Tx,
    api_tokens::{self, ApiToken},
    memberships,
    sessions::{self, Session},
    users,
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
            sessions::by_digest(&mut tx, digest).await?.map(Shown::Session)
        } else if token.starts_with(token::API_TOKEN_PREFIX) {
            api_tokens::by_digest(&mut tx, digest).await?.map(Shown::ApiToken)
        } else {
            None
        };
        self.admitted(platform, tx, shown).await
    }

    /// The same caller with what holds now: memberships change, and credentials end.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] once the credential holds no longer.
    pub async fn refreshed(self, platform: &Platform) -> Result<Self> {
        let Some(credential) = self.credential else { return Ok(self) };
        let mut tx = platform.db.read_once().await?;
        let shown = match credential {
            Credential::Session(id) => sessions::find(&mut tx, id).await?.map(Shown::Session),
            Credential::ApiToken(id) => api_tokens::find(&mut tx, id).await?.map(Shown::ApiToken),
        };
        self.admitted(platform, tx, shown).await
    }

    async fn admitted(self, platform: &Platform, mut tx: Tx, shown: Option<Shown>) -> Result<Self> {
        let shown = shown.filter(|shown| shown.holds(platform.now())).ok_or(Error::Unauthenticated)?;
        let viewer = shown.viewer(&mut tx).await?.ok_or(Error::Unauthenticated)?;
        drop(tx);
        let credential = shown.credential();
        if shown.last_used().is_none_or(|at| platform.now() - at > USE_IS_NOTED_EVERY) {
            note_use(platform, credential).await?;
        }
        Ok(Self { viewer: Some(viewer), credential: Some(credential), ..self })
    }
}

/// What a credential is in the database.
enum Shown {
    Session(Session),
    ApiToken(ApiToken),
}

impl Shown {
    const fn credential(&self) -> Credential {
        match self {
            Self::Session(session) => Credential::Session(session.id),
            Self::ApiToken(token) => Credential::ApiToken(token.id),
        }
    }

    fn holds(&self, now: Timestamp) -> bool {
        match self {
            Self::Session(session) => session.revoked_at.is_none() && session.expires_at > now,
            Self::ApiToken(token) => token.revoked_at.is_none() && token.expires_at.is_none_or(|at| at > now),
        }
    }

    const fn last_used(&self) -> Option<Timestamp> {
        match self {
            Self::Session(session) => Some(session.last_seen_at),
            Self::ApiToken(token) => token.last_used_at,
        }
    }

    /// Whom it lets in; `None`: somebody who is let in no longer.
    async fn viewer(&self, tx: &mut Tx) -> Result<Option<Viewer>, StoreError> {
        let (user_id, only, token) = match self {
            Self::Session(session) => (session.user_id, None, None),
            Self::ApiToken(token) => (token.user_id, token.organization_id, Some(token.grant())),
        };
        let found = users::find(tx, user_id).await?;
        let Some(user) = found.filter(|user| user.disabled_at.is_none()) else { return Ok(None) };
        let memberships = memberships::of_user(tx, user_id).await?;
        let memberships = memberships
            .into_iter()
            .filter(|membership| only.is_none_or(|only| membership.organization_id == only))
            .map(|membership| (membership.organization_id, membership.role))
            .collect();
        // A token of one organization is no key to the platform, whoever made it.
        let platform_admin = user.platform_admin && only.is_none();
        Ok(Some(Viewer::User { id: user_id, platform_admin, memberships, token }))
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
