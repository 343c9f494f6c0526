//! Sign-ins. Of a session's token only the digest is kept.

use std::collections::HashMap;

use chrono::TimeDelta;
use slipway_model::{SessionId, Sha256Digest, Timestamp, UserId};

use crate::{StoreError, Tx};

row! {
    pub struct Session {
        pub id: SessionId,
        pub user_id: UserId,
        pub user_agent: Option<String>,
        pub ip: Option<String>,
        pub created_at: Timestamp,
        pub last_seen_at: Timestamp,
        pub expires_at: Timestamp,
        pub revoked_at: Option<Timestamp>,
    }
}

/// For how long ended sessions are kept, so that their owner can look back.
const KEPT_AFTER_END: TimeDelta = TimeDelta::days(30);

pub async fn insert(tx: &mut Tx, session: &Session, token: Sha256Digest) -> Result<(), StoreError> {
    execute!(
        tx,
        "INSERT INTO sessions (id, user_id, token_digest, user_agent, ip, created_at, last_seen_at, expires_at, revoked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        session.id,
        session.user_id,
        token.as_bytes(),
        session.user_agent.as_ref(),
        session.ip.as_ref(),
        session.created_at,
        session.last_seen_at,
        session.expires_at,
        session.revoked_at
    )
    .map(drop)
}

/// Also ended ones: whether it still holds is the caller's to see.
pub async fn find(tx: &mut Tx, id: SessionId) -> Result<Option<Session>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM sessions WHERE id = $1", id)
}

/// Those that hold, newest first.
pub async fn of_user(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
    fetch_all!(
        tx,
        "SELECT * FROM sessions WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY created_at DESC, id DESC",
        user,
        now
    )
}

/// Of each person, those that hold, newest first.
pub async fn of_users(tx: &mut Tx, users: &[UserId], now: Timestamp) -> Result<HashMap<UserId, Vec<Session>>, StoreError> {
    let sql = sql!("SELECT * FROM sessions WHERE revoked_at IS NULL AND expires_at > $1", now).any("user_id", users.iter().copied());
    let rows: Vec<Session> = fetch_all!(tx, sql.push(" ORDER BY created_at DESC, id DESC"))?;
    let mut of_each: HashMap<UserId, Vec<Session>> = HashMap::new();
    for row in rows {
        of_each.entry(row.user_id).or_default().push(row);
    }
    Ok(of_each)
}

pub async fn seen(tx: &mut Tx, id: SessionId, now: Timestamp) -> Result<(), StoreError> {
    execute!(tx, "UPDATE sessions SET last_seen_at = $2 WHERE id = $1 AND last_seen_at < $2", id, now).map(drop)
}

/// `false`: it had ended before.
pub async fn revoke(tx: &mut Tx, id: SessionId, now: Timestamp) -> Result<bool, StoreError> {
    execute!(tx, "UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", id, now).map(|rows| rows == 1)
}

/// Ends every session of a person, save one: what a new password asks for. Gives those that it ended.
pub async fn revoke_others(tx: &mut Tx, user: UserId, save: Option<SessionId>, now: Timestamp) -> Result<Vec<SessionId>, StoreError> {
    let rows: Vec<(SessionId,)> = fetch_all!(
        tx,
        "UPDATE sessions SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL AND ($3 IS NULL OR id <> $3) RETURNING id",
        user,
        now,
        save
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Removes what ended long ago. Gives how many.
pub async fn forget_ended(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    execute!(tx, "DELETE FROM sessions WHERE expires_at < $1 OR revoked_at < $1", now - KEPT_AFTER_END)
}
