//! Keys under which a client may repeat a mutation whose answer was lost, and get that answer.

use chrono::TimeDelta;
use slipway_model::{OrganizationId, Sha256Digest, Timestamp, Viewer};
use uuid::Uuid;

use crate::{StoreError, Tx, scope};

/// For how long a key is remembered.
pub const REMEMBERED_FOR: TimeDelta = TimeDelta::hours(24);

/// A mutation as its client named it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub organization: OrganizationId,
    /// Such as `applicationDeploy`.
    pub mutation: &'a str,
    pub key: &'a str,
    /// Of the rest of the input.
    pub input: Sha256Digest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It is new, and now remembered with the given result.
    First,
    /// It was done before, with this result.
    Before(Uuid),
    /// The key was used for another input.
    Differently,
}

/// Remembers a request and what it makes, or says what it made before. In the same transaction as the work itself: of two that
/// come at once, the second waits for the first.
pub async fn remember(
    tx: &mut Tx,
    viewer: &Viewer,
    request: Request<'_>,
    result: impl Into<Uuid>,
    now: Timestamp,
) -> Result<Seen, StoreError> {
    scope::check_organization(viewer, request.organization)?;
    let Request { organization, mutation, key, input } = request;
    let rows = execute!(
        tx,
        "INSERT INTO idempotency (organization_id, mutation, key, input_digest, result_id, created_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (organization_id, mutation, key) DO UPDATE
            SET input_digest = excluded.input_digest, result_id = excluded.result_id, created_at = excluded.created_at
            WHERE idempotency.created_at <= $7",
        organization,
        mutation,
        key,
        input,
        result.into(),
        now,
        now - REMEMBERED_FOR
    )?;
    if rows == 1 {
        return Ok(Seen::First);
    }
    let (digest, result): (Sha256Digest, Uuid) = fetch_one!(
        tx,
        "SELECT input_digest, result_id FROM idempotency WHERE organization_id = $1 AND mutation = $2 AND key = $3",
        organization,
        mutation,
        key
    )?;
    Ok(if digest == input { Seen::Before(result) } else { Seen::Differently })
}

/// Removes keys that are remembered no longer. Gives how many.
pub async fn forget(tx: &mut Tx, now: Timestamp) -> Result<u64, StoreError> {
    execute!(tx, "DELETE FROM idempotency WHERE created_at <= $1", now - REMEMBERED_FOR)
}
