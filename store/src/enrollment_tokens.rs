//! Single-use invitations for nodes. Of the token itself only a digest is kept.

use std::collections::HashMap;

use slipway_model::{EnrollmentTokenId, NodeId, RegionId, Timestamp, UserId};

use crate::{Cursor, Listed, Order, Page, Slice, StoreError, Tx};

row! {
    pub struct EnrollmentToken {
        pub id: EnrollmentTokenId,
        pub region_id: RegionId,
        pub token_digest: Vec<u8>,
        /// The token's beginning, to tell tokens apart.
        pub prefix: String,
        /// The name that the node will have; otherwise it names itself.
        pub node_name: Option<String>,
        pub expires_at: Timestamp,
        pub used_at: Option<Timestamp>,
        pub used_by: Option<NodeId>,
        pub revoked_at: Option<Timestamp>,
        pub created_by: Option<UserId>,
        pub created_at: Timestamp,
    }
}

impl Listed for EnrollmentToken {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

pub async fn by_ids(tx: &mut Tx, ids: &[EnrollmentTokenId]) -> Result<HashMap<EnrollmentTokenId, EnrollmentToken>, StoreError> {
    let rows: Vec<EnrollmentToken> = fetch_all!(tx, sql!("SELECT * FROM enrollment_tokens WHERE 1 = 1").any("id", ids.iter().copied()))?;
    Ok(rows.into_iter().map(|token| (token.id, token)).collect())
}

pub async fn find(tx: &mut Tx, id: EnrollmentTokenId) -> Result<Option<EnrollmentToken>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM enrollment_tokens WHERE id = $1", id)
}

/// Newest first; used, expired and revoked ones too.
pub async fn list(tx: &mut Tx, page: &Page) -> Result<Slice<EnrollmentToken>, StoreError> {
    tx.fetch_slice(sql!("SELECT * FROM enrollment_tokens WHERE 1 = 1"), page, Order::NewestFirst).await
}

pub async fn insert(tx: &mut Tx, token: &EnrollmentToken) -> Result<(), StoreError> {
    execute!(
        tx,
        "INSERT INTO enrollment_tokens (id, region_id, token_digest, prefix, node_name, expires_at, used_at, used_by, revoked_at,
             created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        token.id,
        token.region_id,
        &token.token_digest,
        &token.prefix,
        token.node_name.as_ref(),
        token.expires_at,
        token.used_at,
        token.used_by,
        token.revoked_at,
        token.created_by,
        token.created_at
    )?;
    Ok(())
}

/// The token of this digest, if it may still be used.
pub async fn valid(tx: &mut Tx, digest: &[u8], now: Timestamp) -> Result<Option<EnrollmentToken>, StoreError> {
    fetch_optional!(
        tx,
        "SELECT * FROM enrollment_tokens WHERE token_digest = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $2",
        digest,
        now
    )
}

/// Uses the token up. `false`: somebody else did, or it is not valid any more.
pub async fn spend(tx: &mut Tx, id: EnrollmentTokenId, node: NodeId, now: Timestamp) -> Result<bool, StoreError> {
    let rows = execute!(
        tx,
        "UPDATE enrollment_tokens SET used_at = $3, used_by = $2
         WHERE id = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > $3",
        id,
        node,
        now
    )?;
    Ok(rows == 1)
}

/// `false`: it was used or revoked before, or there is none.
pub async fn revoke(tx: &mut Tx, id: EnrollmentTokenId, now: Timestamp) -> Result<bool, StoreError> {
    let rows =
        execute!(tx, "UPDATE enrollment_tokens SET revoked_at = $2 WHERE id = $1 AND used_at IS NULL AND revoked_at IS NULL", id, now)?;
    Ok(rows == 1)
}
