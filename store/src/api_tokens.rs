//! Tokens for programs. Of a token only its first characters and its digest are kept.

use std::collections::HashMap;

use slipway_model::{ApiTokenId, ApplicationId, Grant, OrganizationId, Permission, Sha256Digest, Timestamp, UserId};

use crate::{Cursor, Listed, StoreError, Tx};

row! {
    pub struct ApiToken {
        pub id: ApiTokenId,
        pub user_id: UserId,
        /// `None`: it opens every organization that its owner belongs to.
        pub organization_id: Option<OrganizationId>,
        /// The one application of it that it opens.
        pub application_id: Option<ApplicationId>,
        /// `None`: everything that its owner may do.
        pub permissions: Option<Vec<Permission>>,
        pub name: String,
        pub prefix: String,
        pub expires_at: Option<Timestamp>,
        pub last_used_at: Option<Timestamp>,
        pub created_at: Timestamp,
        pub revoked_at: Option<Timestamp>,
    }
}

impl ApiToken {
    /// What it opens.
    #[must_use]
    pub fn grant(&self) -> Grant {
        Grant { token: self.id, application: self.application_id, permissions: self.permissions.clone() }
    }
}

impl Listed for ApiToken {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

pub async fn insert(tx: &mut Tx, token: &ApiToken, digest: Sha256Digest) -> Result<(), StoreError> {
    execute!(
        tx,
        "INSERT INTO api_tokens (id, user_id, organization_id, name, prefix, token_digest, expires_at, last_used_at, created_at, revoked_at,
            application_id, permissions)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        token.id,
        token.user_id,
        token.organization_id,
        &token.name,
        &token.prefix,
        digest.as_bytes(),
        token.expires_at,
        token.last_used_at,
        token.created_at,
        token.revoked_at,
        token.application_id,
        token.permissions.as_ref()
    )
    .map(drop)
}

pub async fn by_ids(tx: &mut Tx, ids: &[ApiTokenId]) -> Result<HashMap<ApiTokenId, ApiToken>, StoreError> {
    let rows: Vec<ApiToken> = fetch_all!(tx, sql!("SELECT * FROM api_tokens WHERE 1 = 1").any("id", ids.iter().copied()))?;
    Ok(rows.into_iter().map(|token| (token.id, token)).collect())
}

/// Also ended ones: whether it still holds is the caller's to see.
pub async fn find(tx: &mut Tx, id: ApiTokenId) -> Result<Option<ApiToken>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM api_tokens WHERE id = $1", id)
}

/// Those that were not revoked, newest first.
pub async fn of_user(tx: &mut Tx, user: UserId) -> Result<Vec<ApiToken>, StoreError> {
    fetch_all!(tx, "SELECT * FROM api_tokens WHERE user_id = $1 AND revoked_at IS NULL ORDER BY created_at DESC, id DESC", user)
}

/// Of each person, newest first.
pub async fn of_users(tx: &mut Tx, users: &[UserId]) -> Result<HashMap<UserId, Vec<ApiToken>>, StoreError> {
    let sql = sql!("SELECT * FROM api_tokens WHERE revoked_at IS NULL").any("user_id", users.iter().copied());
    let rows: Vec<ApiToken> = fetch_all!(tx, sql.push(" ORDER BY created_at DESC, id DESC"))?;
    let mut of_each: HashMap<UserId, Vec<ApiToken>> = HashMap::new();
    for row in rows {
        of_each.entry(row.user_id).or_default().push(row);
    }
    Ok(of_each)
}

pub async fn used(tx: &mut Tx, id: ApiTokenId, now: Timestamp) -> Result<(), StoreError> {
    execute!(tx, "UPDATE api_tokens SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)", id, now).map(drop)
}

/// `false`: it had ended before.
pub async fn revoke(tx: &mut Tx, id: ApiTokenId, now: Timestamp) -> Result<bool, StoreError> {
    execute!(tx, "UPDATE api_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", id, now).map(|rows| rows == 1)
}

/// Ends the tokens that were made for an organization, those of one person or of all. Gives those that it ended.
pub async fn revoke_within(
    tx: &mut Tx,
    organization: OrganizationId,
    user: Option<UserId>,
    now: Timestamp,
) -> Result<Vec<ApiTokenId>, StoreError> {
    let mut sql = sql!("UPDATE api_tokens SET revoked_at = $2 WHERE organization_id = $1 AND revoked_at IS NULL", organization, now);
    if let Some(user) = user {
        sql = sql.and("user_id = ?", [user]);
    }
    let rows: Vec<(ApiTokenId,)> = fetch_all!(tx, sql.push(" RETURNING id"))?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Ends the tokens that were made for an application. Gives those that it ended.
pub async fn revoke_of_application(tx: &mut Tx, application: ApplicationId, now: Timestamp) -> Result<Vec<ApiTokenId>, StoreError> {
    let rows: Vec<(ApiTokenId,)> = fetch_all!(
        tx,
        "UPDATE api_tokens SET revoked_at = $2 WHERE application_id = $1 AND revoked_at IS NULL RETURNING id",
        application,
        now
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}
