//! Whom a credential lets in: it, its owner and their organizations in one statement, because every request asks.

use slipway_model::{ApiTokenId, OrganizationId, Role, SessionId, Sha256Digest, Timestamp};

use crate::{Bind, FromRow, RowRef, Sql, StoreError, Tx, api_tokens::ApiToken, sessions::Session};

/// A credential, also one that has ended, and what its owner is.
#[derive(Debug, Clone, PartialEq)]
pub struct Admission<C> {
    pub credential: C,
    pub platform_admin: bool,
    pub disabled_at: Option<Timestamp>,
    /// Those of longest standing first.
    pub memberships: Vec<(OrganizationId, Role)>,
}

row! {
    pub struct Owner {
        pub platform_admin: bool = "owner_platform_admin",
        pub disabled_at: Option<Timestamp> = "owner_disabled_at",
        pub member_of: Option<OrganizationId>,
        pub member_role: Option<Role>,
    }
}

/// One for each organization of the owner, and one without any where they belong to none.
struct Line<C>(C, Owner);

impl<C: FromRow> FromRow for Line<C> {
    fn from_row(row: RowRef<'_>) -> Result<Self, StoreError> {
        Ok(Self(C::from_row(row)?, Owner::from_row(row)?))
    }
}

macro_rules! select {
    ($table:literal, $column:literal) => {
        concat!(
            "SELECT c.*, u.platform_admin AS owner_platform_admin, u.disabled_at AS owner_disabled_at, ",
            "m.organization_id AS member_of, m.role AS member_role FROM ",
            $table,
            " c JOIN users u ON u.id = c.user_id LEFT JOIN memberships m ON m.user_id = u.id WHERE c.",
            $column,
            " = $1 ORDER BY m.created_at, m.id"
        )
    };
}

pub async fn of_session(tx: &mut Tx, id: SessionId) -> Result<Option<Admission<Session>>, StoreError> {
    admission(tx, select!("sessions", "id"), id).await
}

pub async fn of_session_token(tx: &mut Tx, token: Sha256Digest) -> Result<Option<Admission<Session>>, StoreError> {
    admission(tx, select!("sessions", "token_digest"), token.as_bytes()).await
}

pub async fn of_api_token(tx: &mut Tx, id: ApiTokenId) -> Result<Option<Admission<ApiToken>>, StoreError> {
    admission(tx, select!("api_tokens", "id"), id).await
}

pub async fn of_api_token_secret(tx: &mut Tx, token: Sha256Digest) -> Result<Option<Admission<ApiToken>>, StoreError> {
    admission(tx, select!("api_tokens", "token_digest"), token.as_bytes()).await
}

async fn admission<C: FromRow>(tx: &mut Tx, text: &'static str, key: impl Bind) -> Result<Option<Admission<C>>, StoreError> {
    let lines: Vec<Line<C>> = tx.fetch_all(Sql::new(text).bind(key)).await?;
    let memberships = lines.iter().filter_map(|Line(_, owner)| owner.member_of.zip(owner.member_role)).collect();
    let first = lines.into_iter().next();
    Ok(first.map(|Line(credential, owner)| Admission {
        credential,
        platform_admin: owner.platform_admin,
        disabled_at: owner.disabled_at,
        memberships,
    }))
}
