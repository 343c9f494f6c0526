//! Archives that members upload: announced by mutation, sent once to a ticket, kept by what they contain.

use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use data_encoding::BASE64URL_NOPAD;
use futures::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use slipway_model::{ApplicationId, Role, Secret, Sha256Digest, Timestamp, UploadId, Viewer};
use slipway_protocol::MAX_BLOB_BYTES;
use slipway_store::{
    applications,
    uploads::{self, Upload},
};
use tokio::{fs, io::AsyncWriteExt};

use crate::{
    Platform,
    applications::require,
    error::{Error, Refusals, Result, UserError},
};

/// From the ticket to the archive's last byte.
const TICKET_LIFETIME: TimeDelta = TimeDelta::minutes(15);
const SWEPT_AT_ONCE: i64 = 100;

/// An archive that shall be uploaded.
#[derive(Debug)]
pub struct NewUpload {
    pub application: ApplicationId,
    pub size_bytes: i64,
    pub sha256: String,
}

/// Announces an archive. The ticket is the right to send it, once.
///
/// # Errors
/// Refusals of the input.
pub async fn create(platform: &Platform, viewer: &Viewer, new: NewUpload) -> Result<(Upload, Secret)> {
    let mut refusals = Refusals::new();
    let most = i64::try_from(MAX_BLOB_BYTES).unwrap_or(i64::MAX);
    refusals.check(new.size_bytes > 0, || UserError::invalid("sizeBytes", "An archive has at least one byte."));
    refusals.check(new.size_bytes <= most, || UserError::too_long("sizeBytes", format!("An archive has at most {} MiB.", most >> 20)));
    let sha256 = new.sha256.parse::<Sha256Digest>();
    refusals.check(sha256.is_ok(), || UserError::invalid("sha256", "Send the archive's SHA-256 as 64 hexadecimal characters."));
    refusals.done()?;
    let sha256 = sha256.map_err(Error::internal)?;
    let mut tx = platform.db.begin_as(viewer).await?;
    let missing = || UserError::not_found("applicationId", "application");
    let application = applications::find(&mut tx, viewer, new.application).await?.ok_or_else(missing)?;
    require(viewer, application.organization_id, Role::Member, "applicationId", "application")?;
    let mut random = [0; 32];
    platform.clock.fill(&mut random);
    let ticket = BASE64URL_NOPAD.encode(&random);
    let now = platform.now();
    let upload = Upload {
        id: UploadId::new(&*platform.clock),
        organization_id: application.organization_id,
        application_id: application.id,
        sha256: Some(sha256),
        size_bytes: Some(new.size_bytes),
        received_at: None,
        consumed_at: None,
        expires_at: now + TICKET_LIFETIME,
        created_at: now,
    };
    uploads::insert(&mut tx, viewer, &upload, Sha256Digest::of(ticket.as_bytes())).await?;
    slipway_store::audit::note_subject(upload.id);
    tx.commit().await?;
    Ok((upload, Secret::new(ticket)))
}

/// Why an archive was not taken. Each is an HTTP status.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("There is no such ticket.")]
    Unknown,
    #[error("This ticket has been used.")]
    Used,
    #[error("This ticket has expired. Announce the upload again.")]
    Expired,
    #[error("Say how long the archive is, with Content-Length.")]
    LengthMissing,
    #[error("The archive is longer than was announced ({announced} bytes).")]
    TooLong { announced: u64 },
    #[error("The archive is shorter than was announced: {received} of {announced} bytes arrived.")]
    TooShort { received: u64, announced: u64 },
    #[error("The archive has another SHA-256 than was announced.")]
    OtherContent,
    #[error("The connection broke off.")]
    Broken,
    #[error("The archive could not be stored. Try again in a moment.")]
    Failed(#[source] Error),
}

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Where an archive lies once it is complete.
#[must_use]
pub fn path(data_dir: &Path, sha256: Sha256Digest) -> PathBuf {
    data_dir.join("uploads").join(sha256.to_string())
}

/// Takes an archive: streamed beside its place, measured, and renamed into it. The ticket is used up only by a complete archive,
/// so that a broken connection can be tried again.
///
/// # Errors
/// Why it was not taken.
pub async fn receive<E>(
    platform: &Platform,
    ticket: &str,
    length: Option<u64>,
    body: impl Stream<Item = Result<bytes::Bytes, E>> + Send,
) -> Result<Upload, Refused> {
    let digest = Sha256Digest::of(ticket.as_bytes());
    let upload = uploads::with_ticket(&mut platform.db.read_once().await?, digest).await?.ok_or(Refused::Unknown)?;
    usable(&upload, platform.now())?;
    let (Some(announced), Some(sha256)) = (upload.size_bytes.and_then(|size| u64::try_from(size).ok()), upload.sha256) else {
        return Err(Refused::Unknown);
    };
    let length = length.ok_or(Refused::LengthMissing)?;
    if length > announced {
        return Err(Refused::TooLong { announced });
    }
    if length < announced {
        return Err(Refused::TooShort { received: length, announced });
    }
    let directory = drafts(&platform.config.data_dir);
    fs::create_dir_all(&directory).await.map_err(Error::internal)?;
    let draft = directory.join(platform.clock.uuid().to_string());
    take(&draft, &path(&platform.config.data_dir, sha256), body, announced, sha256).await?;
    let mut tx = platform.db.begin().await?;
    // Of two that send at once, one uses the ticket; the file is the same.
    if !uploads::receive(&mut tx, digest, sha256, i64::try_from(announced).unwrap_or(i64::MAX), platform.now()).await? {
        return Err(Refused::Used);
    }
    tx.commit().await?;
    Ok(upload)
}

/// Removes archives whose ticket ran out before anybody deployed them. Gives how many.
///
/// # Errors
/// Those of the database and of the disk.
pub async fn sweep(platform: &Platform) -> Result<usize> {
    let mut tx = platform.db.begin().await?;
    let expired = uploads::expired(&mut tx, platform.now(), SWEPT_AT_ONCE).await?;
    for upload in &expired {
        uploads::delete(&mut tx, upload.id).await?;
        if let Some(sha256) = upload.sha256
            && !uploads::refers_to(&mut tx, sha256).await?
        {
            // Before the commit: while it is out nobody can announce the same archive, and find it gone after sending it.
            remove(&path(&platform.config.data_dir, sha256)).map_err(Error::internal)?;
        }
    }
    tx.commit().await?;
    Ok(expired.len())
}

/// Removes what broken uploads of an earlier process left behind. To be called before the first one can begin.
///
/// # Errors
/// Those of the disk.
pub fn clear_drafts(data_dir: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(drafts(data_dir)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

fn drafts(data_dir: &Path) -> PathBuf {
    data_dir.join("uploads").join("tmp")
}

fn remove(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

fn usable(upload: &Upload, now: Timestamp) -> Result<(), Refused> {
    if upload.received_at.is_some() {
        Err(Refused::Used)
    } else if upload.expires_at <= now {
        Err(Refused::Expired)
    } else {
        Ok(())
    }
}

/// Streams an archive into `draft`, measures it, and gives it its place. Nothing stays where it is not what was announced.
pub(crate) async fn take<E>(
    draft: &Path,
    place: &Path,
    body: impl Stream<Item = Result<bytes::Bytes, E>> + Send,
    announced: u64,
    sha256: Sha256Digest,
) -> Result<(), Refused> {
    let draft = Draft(draft.to_owned());
    write(&draft.0, body, announced, sha256).await?;
    fs::rename(&draft.0, place).await.map_err(Error::internal)?;
    sync_directory(place.parent().unwrap_or(place)).await
}

async fn write<E>(
    path: &Path,
    body: impl Stream<Item = Result<bytes::Bytes, E>> + Send,
    announced: u64,
    sha256: Sha256Digest,
) -> Result<(), Refused> {
    let mut file = fs::File::create_new(path).await.map_err(Error::internal)?;
    let (mut received, mut hasher) = (0_u64, Sha256::new());
    let mut body = std::pin::pin!(body);
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| Refused::Broken)?;
        received += chunk.len() as u64;
        if received > announced {
            return Err(Refused::TooLong { announced });
        }
        hasher.update(&chunk);
        file.write_all(&chunk).await.map_err(Error::internal)?;
    }
    if received < announced {
        return Err(Refused::TooShort { received, announced });
    }
    if Sha256Digest::from_bytes(hasher.finalize().into()) != sha256 {
        return Err(Refused::OtherContent);
    }
    // The row that says it is here is durable, so the file must be first.
    file.sync_all().await.map_err(Error::internal)?;
    Ok(())
}

async fn sync_directory(path: &Path) -> Result<(), Refused> {
    let directory = fs::File::open(path).await.map_err(Error::internal)?;
    directory.sync_all().await.map_err(Error::internal)?;
    Ok(())
}

/// A file that goes unless it was renamed.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "a broken upload stays behind");
        }
    }
}
