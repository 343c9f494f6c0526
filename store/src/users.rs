//! People. What they may see is decided by who asks, not here.

use std::collections::HashMap;

use slipway_model::{Timestamp, UserId};

use crate::{Bind, Column, Cursor, Listed, Order, Page, Slice, StoreError, Tx, Value};

/// What a password is checked against. It is not printed: a weak password can be guessed from it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// In the PHC string format.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for PasswordHash {
    fn from(phc: String) -> Self {
        Self(phc)
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

impl Column for PasswordHash {
    type Raw = String;

    fn from_raw(raw: String) -> Result<Self, String> {
        Ok(Self(raw))
    }
}

impl Bind for &PasswordHash {
    const NULL: Value = Value::Text(None);

    fn into_value(self) -> Result<Value, serde_json::Error> {
        self.0.as_str().into_value()
    }
}

row! {
    pub struct User {
        pub id: UserId,
        /// In lower case.
        pub email: String,
        pub name: Option<String>,
        /// `None`: no password opens this account.
        pub password_hash: Option<PasswordHash>,
        pub platform_admin: bool,
        /// Since when they are let in no longer.
        pub disabled_at: Option<Timestamp>,
        pub created_at: Timestamp,
        pub updated_at: Timestamp,
    }
}

impl Listed for User {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

/// [`StoreError::Conflict`] when the address is taken.
pub async fn insert(tx: &mut Tx, user: &User) -> Result<(), StoreError> {
    execute!(
        tx,
        "INSERT INTO users (id, email, name, password_hash, platform_admin, created_at, updated_at, disabled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        user.id,
        &user.email,
        user.name.as_ref(),
        user.password_hash.as_ref(),
        user.platform_admin,
        user.created_at,
        user.updated_at,
        user.disabled_at
    )
    .map(drop)
}

pub async fn find(tx: &mut Tx, id: UserId) -> Result<Option<User>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM users WHERE id = $1", id)
}

pub async fn by_ids(tx: &mut Tx, ids: &[UserId]) -> Result<HashMap<UserId, User>, StoreError> {
    let rows: Vec<User> = fetch_all!(tx, sql!("SELECT * FROM users WHERE 1 = 1").any("id", ids.iter().copied()))?;
    Ok(rows.into_iter().map(|user| (user.id, user)).collect())
}

/// `email` is in lower case.
pub async fn by_email(tx: &mut Tx, email: &str) -> Result<Option<User>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM users WHERE email = $1", email)
}

/// Newest first. `search` is part of the address or name, in either case.
pub async fn list(tx: &mut Tx, search: Option<&str>, page: &Page) -> Result<Slice<User>, StoreError> {
    let mut sql = sql!("SELECT * FROM users WHERE 1 = 1");
    if let Some(search) = search {
        let pattern = format!("%{}%", search.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
        sql = sql.and("(email LIKE ? ESCAPE '\\' OR lower(name) LIKE ? ESCAPE '\\')", [&pattern, &pattern]);
    }
    tx.fetch_slice(sql, page, Order::NewestFirst).await
}

/// Who runs the platform and is let in. Nobody else changes that until the transaction ends.
pub async fn lock_administrators(tx: &mut Tx) -> Result<Vec<UserId>, StoreError> {
    let lock = tx.row_lock();
    let sql = sql!("SELECT id FROM users WHERE platform_admin = $1 AND disabled_at IS NULL ORDER BY id", true);
    let rows: Vec<(UserId,)> = fetch_all!(tx, sql.push(lock))?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Finds somebody and keeps others from doing so until the transaction ends.
pub async fn lock(tx: &mut Tx, id: UserId) -> Result<Option<User>, StoreError> {
    let lock = tx.row_lock();
    fetch_optional!(tx, sql!("SELECT * FROM users WHERE id = $1", id).push(lock))
}

pub async fn count(tx: &mut Tx) -> Result<i64, StoreError> {
    fetch_one!(tx, "SELECT COUNT(*) FROM users").map(|(count,)| count)
}

/// Everything but the id and the time of creation. `false`: there is no such person.
pub async fn update(tx: &mut Tx, user: &User) -> Result<bool, StoreError> {
    execute!(
        tx,
        "UPDATE users SET email = $2, name = $3, password_hash = $4, platform_admin = $5, updated_at = $6, disabled_at = $7 WHERE id = $1",
        user.id,
        &user.email,
        user.name.as_ref(),
        user.password_hash.as_ref(),
        user.platform_admin,
        user.updated_at,
        user.disabled_at
    )
    .map(|rows| rows == 1)
}
