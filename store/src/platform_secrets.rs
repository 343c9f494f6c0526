//! Secrets of the platform itself, by name, such as the key of its certificate authority.

use slipway_model::{Secret, Timestamp};

use crate::{
    Keyring, Location, StoreError, Tx,
    crypt::{CryptError, Row},
};

const fn location(name: &str) -> Location<'_> {
    Location { table: "platform_secrets", column: "ciphertext", row: Row::Name(name), organization: None }
}

pub async fn find(tx: &mut Tx, keys: &Keyring, name: &str) -> Result<Option<Secret>, StoreError> {
    let row: Option<(Vec<u8>,)> = fetch_optional!(tx, "SELECT ciphertext FROM platform_secrets WHERE name = $1", name)?;
    Ok(row.map(|(sealed,)| keys.open(location(name), &sealed)).transpose()?)
}

/// Keeps a secret unless there is one of this name, and gives the one that is kept: of two processes that start at once, both
/// go on with the same.
pub async fn find_or_insert(tx: &mut Tx, keys: &Keyring, name: &str, secret: &Secret, now: Timestamp) -> Result<Secret, StoreError> {
    execute!(
        tx,
        "INSERT INTO platform_secrets (name, ciphertext, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
        name,
        keys.seal(location(name), secret),
        now
    )?;
    let missing = StoreError::Crypt(CryptError::Refused { table: "platform_secrets", column: "ciphertext" });
    find(tx, keys, name).await?.ok_or(missing)
}

/// Keeps a secret in place of any of this name.
pub async fn replace(tx: &mut Tx, keys: &Keyring, name: &str, secret: &Secret, now: Timestamp) -> Result<(), StoreError> {
    execute!(
        tx,
        "INSERT INTO platform_secrets (name, ciphertext, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET ciphertext = excluded.ciphertext, created_at = excluded.created_at",
        name,
        keys.seal(location(name), secret),
        now
    )
    .map(drop)
}
