//! The second thing that people sign in with: a secret that both sides compute codes from, and codes for when that is lost.

use std::collections::HashMap;

use slipway_model::{Sha256Digest, Timestamp, UserId};

use crate::{Location, StoreError, Tx};

row! {
    pub struct TwoFactor {
        pub user_id: UserId,
        /// Sealed: see [`location`].
        pub secret_ciphertext: Vec<u8>,
        /// `None`: begun, and not asked for yet.
        pub confirmed_at: Option<Timestamp>,
        /// Of the newest code that was taken: it and all before it are taken no more.
        pub last_step: i64,
        pub created_at: Timestamp,
    }
}

/// Where a person's secret stands, for the keyring.
#[must_use]
pub fn location(user: UserId) -> Location<'static> {
    Location::new("two_factor", "secret_ciphertext", user, None)
}

pub async fn find(tx: &mut Tx, user: UserId) -> Result<Option<TwoFactor>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM two_factor WHERE user_id = $1", user)
}

/// Those of these people who are asked for codes.
pub async fn confirmed_of(tx: &mut Tx, users: &[UserId]) -> Result<HashMap<UserId, bool>, StoreError> {
    let sql = sql!("SELECT user_id FROM two_factor WHERE confirmed_at IS NOT NULL").any("user_id", users.iter().copied());
    let rows: Vec<(UserId,)> = fetch_all!(tx, sql)?;
    Ok(rows.into_iter().map(|(user,)| (user, true)).collect())
}

/// Begins it, in place of what was begun before. `false`: it is confirmed, and stays.
pub async fn begin(tx: &mut Tx, row: &TwoFactor) -> Result<bool, StoreError> {
    execute!(
        tx,
        "INSERT INTO two_factor (user_id, secret_ciphertext, confirmed_at, last_step, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (user_id) DO UPDATE SET secret_ciphertext = excluded.secret_ciphertext, last_step = excluded.last_step,
            created_at = excluded.created_at
         WHERE two_factor.confirmed_at IS NULL",
        row.user_id,
        &row.secret_ciphertext,
        row.confirmed_at,
        row.last_step,
        row.created_at
    )
    .map(|rows| rows == 1)
}

/// From now on it is asked for. `false`: it was confirmed before, or never begun.
pub async fn confirm(tx: &mut Tx, user: UserId, step: i64, now: Timestamp) -> Result<bool, StoreError> {
    execute!(tx, "UPDATE two_factor SET confirmed_at = $3, last_step = $2 WHERE user_id = $1 AND confirmed_at IS NULL", user, step, now)
        .map(|rows| rows == 1)
}

/// Takes the code of a step. `false`: it, or a later one, was taken before.
pub async fn take_step(tx: &mut Tx, user: UserId, step: i64) -> Result<bool, StoreError> {
    execute!(tx, "UPDATE two_factor SET last_step = $2 WHERE user_id = $1 AND last_step < $2 AND confirmed_at IS NOT NULL", user, step)
        .map(|rows| rows == 1)
}

/// Ends it, with its recovery codes. `false`: there was none.
pub async fn remove(tx: &mut Tx, user: UserId) -> Result<bool, StoreError> {
    execute!(tx, "DELETE FROM recovery_codes WHERE user_id = $1", user)?;
    execute!(tx, "DELETE FROM two_factor WHERE user_id = $1", user).map(|rows| rows == 1)
}

/// In place of all that there were.
pub async fn put_recovery_codes(tx: &mut Tx, user: UserId, codes: &[Sha256Digest]) -> Result<(), StoreError> {
    execute!(tx, "DELETE FROM recovery_codes WHERE user_id = $1", user)?;
    for code in codes {
        execute!(tx, "INSERT INTO recovery_codes (user_id, code_digest, used_at) VALUES ($1, $2, NULL)", user, code.as_bytes())?;
    }
    Ok(())
}

/// Takes a recovery code. `false`: there is none such, or it was taken before.
pub async fn take_recovery_code(tx: &mut Tx, user: UserId, code: Sha256Digest, now: Timestamp) -> Result<bool, StoreError> {
    execute!(
        tx,
        "UPDATE recovery_codes SET used_at = $3 WHERE user_id = $1 AND code_digest = $2 AND used_at IS NULL",
        user,
        code.as_bytes(),
        now
    )
    .map(|rows| rows == 1)
}

/// How many can still be taken.
pub async fn recovery_codes_left(tx: &mut Tx, user: UserId) -> Result<i64, StoreError> {
    fetch_one!(tx, "SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL", user).map(|(count,)| count)
}
