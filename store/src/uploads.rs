//! Archives that members upload. The archive itself is a file; here stands whose it is, and whether it was used.

use slipway_model::{ApplicationId, OrganizationId, Sha256Digest, Timestamp, UploadId, Viewer};

use crate::{StoreError, Tx, scope};

row! {
    pub struct Upload {
        pub id: UploadId,
        pub organization_id: OrganizationId,
        pub application_id: ApplicationId,
        /// Of the archive, once it is there.
        pub sha256: Option<Sha256Digest>,
        pub size_bytes: Option<i64>,
        pub received_at: Option<Timestamp>,
        pub consumed_at: Option<Timestamp>,
        pub expires_at: Timestamp,
        pub created_at: Timestamp,
    }
}

/// `ticket` is the digest of what the archive may be sent with.
pub async fn insert(tx: &mut Tx, viewer: &Viewer, upload: &Upload, ticket: Sha256Digest) -> Result<(), StoreError> {
    scope::check_application(viewer, upload.organization_id, upload.application_id)?;
    let rows = execute!(
        tx,
        "INSERT INTO uploads (id, organization_id, application_id, ticket_digest, sha256, size_bytes, received_at, consumed_at,
            expires_at, created_at)
         SELECT $1, organization_id, id, $4, $5, $6, $7, $8, $9, $10
         FROM applications WHERE id = $3 AND organization_id = $2 AND deleted_at IS NULL",
        upload.id,
        upload.organization_id,
        upload.application_id,
        ticket.as_bytes(),
        upload.sha256,
        upload.size_bytes,
        upload.received_at,
        upload.consumed_at,
        upload.expires_at,
        upload.created_at
    )?;
    if rows == 1 { Ok(()) } else { Err(StoreError::Reference) }
}

pub async fn find(tx: &mut Tx, viewer: &Viewer, id: UploadId) -> Result<Option<Upload>, StoreError> {
    fetch_optional!(tx, sql!("SELECT * FROM uploads WHERE id = $1", id).within_application("organization_id", "application_id", viewer))
}

/// Takes no viewer: who has the ticket may send the archive. Gives it while it waits for one.
pub async fn by_ticket(tx: &mut Tx, ticket: Sha256Digest, now: Timestamp) -> Result<Option<Upload>, StoreError> {
    fetch_optional!(
        tx,
        "SELECT * FROM uploads WHERE ticket_digest = $1 AND received_at IS NULL AND expires_at > $2",
        ticket.as_bytes(),
        now
    )
}

/// Takes no viewer. Gives it also when its archive came or its ticket ran out, so that its sender can be told which.
pub async fn with_ticket(tx: &mut Tx, ticket: Sha256Digest) -> Result<Option<Upload>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM uploads WHERE ticket_digest = $1", ticket.as_bytes())
}

/// Notes that the archive came: once. `false`: it had come before, or the ticket ran out.
pub async fn receive(tx: &mut Tx, ticket: Sha256Digest, sha256: Sha256Digest, size_bytes: i64, now: Timestamp) -> Result<bool, StoreError> {
    execute!(
        tx,
        "UPDATE uploads SET sha256 = $2, size_bytes = $3, received_at = $4
         WHERE ticket_digest = $1 AND received_at IS NULL AND expires_at > $4",
        ticket.as_bytes(),
        sha256,
        size_bytes,
        now
    )
    .map(|rows| rows == 1)
}

/// Takes the archive for a deployment: once. `None`: it is not there, was taken before, or is too old.
pub async fn consume(tx: &mut Tx, viewer: &Viewer, id: UploadId, now: Timestamp) -> Result<Option<Upload>, StoreError> {
    let sql = sql!(
        "UPDATE uploads SET consumed_at = $2 WHERE id = $1 AND received_at IS NOT NULL AND consumed_at IS NULL AND expires_at > $2",
        id,
        now
    );
    fetch_optional!(tx, sql.within_application("organization_id", "application_id", viewer).push(" RETURNING *"))
}

/// Those that ran out without being taken, oldest first.
pub async fn expired(tx: &mut Tx, now: Timestamp, most: i64) -> Result<Vec<Upload>, StoreError> {
    fetch_all!(tx, "SELECT * FROM uploads WHERE expires_at <= $1 AND consumed_at IS NULL ORDER BY expires_at, id LIMIT $2", now, most)
}

pub async fn delete(tx: &mut Tx, id: UploadId) -> Result<bool, StoreError> {
    execute!(tx, "DELETE FROM uploads WHERE id = $1", id).map(|rows| rows == 1)
}

/// Whether any upload still is this archive: if not, the file may go.
pub async fn refers_to(tx: &mut Tx, sha256: Sha256Digest) -> Result<bool, StoreError> {
    fetch_one!(tx, "SELECT COUNT(*) FROM uploads WHERE sha256 = $1", sha256).map(|(count,): (i64,)| count > 0)
}
