//! Archives of plugins: announced by mutation, sent once to a ticket, kept by what they contain until they are installed.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use chrono::TimeDelta;
use data_encoding::BASE64URL_NOPAD;
use futures::Stream;
use serde::{Deserialize, Serialize};
use slipway_model::{Secret, Sha256Digest, Timestamp, Viewer};
use slipway_store::Location;
use slipway_unpack::{UnpackError, UnpackLimits, unpack};
use tokio::fs;
use uuid::Uuid;

use crate::{
    Platform,
    error::{Error, Refusals, Result, UserError, UserErrorCode},
    plans::require_admin,
    uploads::{self, Refused},
};

/// From the announcement to the archive's last byte.
const TICKET_LIFETIME: TimeDelta = TimeDelta::minutes(15);
/// Of an archive as it is sent.
const MOST_BYTES: i64 = 64 << 20;
/// A plugin is a manifest, a library and perhaps a buildpack; with what its author puts beside them.
const LIMITS: UnpackLimits =
    UnpackLimits { total_bytes: 256 << 20, ratio: 100, ratio_floor_bytes: 16 << 20, entries: 64, path_bytes: 256, depth: 2 };

/// The right to send an archive, which the platform itself wrote and sealed.
#[derive(Debug, Serialize, Deserialize)]
struct Ticket {
    sha256: Sha256Digest,
    size_bytes: u64,
    expires_at: Timestamp,
}

/// An archive that may be sent.
#[derive(Debug)]
pub struct Announced {
    pub ticket: Secret,
    pub expires_at: Timestamp,
}

fn location() -> Location<'static> {
    Location::new("plugin_archives", "ticket", Uuid::nil(), None)
}

/// Announces an archive.
///
/// # Errors
/// Refusals of the input.
pub fn announce(platform: &Platform, viewer: &Viewer, size_bytes: i64, sha256: &str) -> Result<Announced> {
    require_admin(viewer)?;
    let mut refusals = Refusals::new();
    refusals.check(size_bytes > 0, || UserError::invalid("sizeBytes", "An archive has at least one byte."));
    refusals.check(size_bytes <= MOST_BYTES, || {
        UserError::too_long("sizeBytes", format!("An archive of a plugin has at most {} MiB.", MOST_BYTES >> 20))
    });
    let digest = sha256.parse::<Sha256Digest>();
    refusals.check(digest.is_ok(), || UserError::invalid("sha256", "Send the archive's SHA-256 as 64 hexadecimal characters."));
    refusals.done()?;
    let expires_at = platform.now() + TICKET_LIFETIME;
    let ticket = Ticket { sha256: digest.map_err(Error::internal)?, size_bytes: size_bytes.unsigned_abs(), expires_at };
    let text = serde_json::to_string(&ticket).map_err(Error::internal)?;
    let sealed = platform.keys.seal(location(), &Secret::new(text));
    Ok(Announced { ticket: Secret::new(BASE64URL_NOPAD.encode(&sealed)), expires_at })
}

/// Takes an archive that was announced. Sent once more, it is the same archive.
///
/// # Errors
/// Why it was not taken.
pub async fn receive<E>(
    platform: &Platform,
    ticket: &str,
    length: Option<u64>,
    body: impl Stream<Item = Result<bytes::Bytes, E>> + Send,
) -> Result<(), Refused> {
    let sealed = BASE64URL_NOPAD.decode(ticket.as_bytes()).map_err(|_| Refused::Unknown)?;
    let text = platform.keys.open(location(), &sealed).map_err(|_| Refused::Unknown)?;
    let ticket: Ticket = serde_json::from_str(text.expose()).map_err(|_| Refused::Unknown)?;
    if ticket.expires_at <= platform.now() {
        return Err(Refused::Expired);
    }
    let (announced, length) = (ticket.size_bytes, length.ok_or(Refused::LengthMissing)?);
    if length > announced {
        return Err(Refused::TooLong { announced });
    }
    if length < announced {
        return Err(Refused::TooShort { received: length, announced });
    }
    let place = path(&platform.config.data_dir, ticket.sha256);
    let directory = place.parent().unwrap_or(&place);
    fs::create_dir_all(directory).await.map_err(Error::internal)?;
    uploads::take(&directory.join(platform.clock.uuid().to_string()), &place, body, announced, ticket.sha256).await
}

/// Where the plugins are that an administrator installed.
pub(super) fn root(data_dir: &Path) -> PathBuf {
    data_dir.join("plugins")
}

/// Where an archive lies. The directory begins with a dot: it is no plugin's.
pub(super) fn path(data_dir: &Path, sha256: Sha256Digest) -> PathBuf {
    root(data_dir).join(".archives").join(sha256.to_string())
}

/// What has been unpacked and not been given its place yet. Goes with the value.
#[derive(Debug)]
pub(super) struct Unpacked(PathBuf);

impl Unpacked {
    /// The directory that holds the manifest.
    pub fn plugin(&self) -> Result<PathBuf> {
        let manifest = |directory: &Path| directory.join("plugin.toml").is_file();
        if manifest(&self.0) {
            return Ok(self.0.clone());
        }
        let inside = std::fs::read_dir(&self.0).map_err(Error::internal)?.filter_map(Result::ok).map(|entry| entry.path());
        let mut holding = inside.filter(|path| manifest(path));
        match (holding.next(), holding.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(rejected("The archive has no `plugin.toml`, neither at its top nor in its only directory.").into()),
        }
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.0.display(), "an unpacked plugin stays behind until the next start");
        }
    }
}

/// Unpacks an archive that was sent.
pub(super) async fn unpacked(platform: &Platform, sha256: Sha256Digest) -> Result<Unpacked> {
    let archive = path(&platform.config.data_dir, sha256);
    let place = root(&platform.config.data_dir).join(format!(".new-{}", platform.clock.uuid()));
    let unpacking = tokio::task::spawn_blocking(move || {
        let file = std::fs::File::open(&archive).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::from(UserError::new(
                UserErrorCode::NotFound,
                "sha256",
                "No archive of this SHA-256 has been sent. Announce it with `pluginArchiveCreate` and send it first.",
            )),
            _ => Error::internal(error),
        })?;
        std::fs::create_dir_all(&place).map_err(Error::internal)?;
        let unpacked = Unpacked(place);
        unpack(std::io::BufReader::new(file), &unpacked.0, LIMITS, &AtomicBool::new(false)).map_err(|error| match error {
            UnpackError::Rejected { .. } => Error::from(rejected(format!("The archive cannot be unpacked: {error}."))),
            UnpackError::Write(_) | UnpackError::Canceled => Error::internal(error),
        })?;
        refuse_links(&unpacked.0)?;
        Ok(unpacked)
    });
    unpacking.await.map_err(Error::internal)?
}

/// A link could lead to another file tomorrow than the one that was looked at today.
fn refuse_links(directory: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    for entry in std::fs::read_dir(directory).map_err(Error::internal)? {
        let entry = entry.map_err(Error::internal)?;
        let about = entry.metadata().map_err(Error::internal)?;
        let is_link = about.is_symlink() || (about.is_file() && about.nlink() > 1);
        if is_link {
            let name = entry.file_name();
            return Err(rejected(format!("The archive has a link, `{}`; a plugin is made of plain files.", name.display())).into());
        }
        if about.is_dir() {
            refuse_links(&entry.path())?;
        }
    }
    Ok(())
}

/// An archive is of no more use once its plugin has its place, or was refused.
pub(super) async fn discard(platform: &Platform, sha256: Sha256Digest) {
    let archive = path(&platform.config.data_dir, sha256);
    if let Err(error) = fs::remove_file(&archive).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %archive.display(), "an archive of a plugin stays behind");
    }
}

pub(super) fn rejected(message: impl Into<String>) -> UserError {
    UserError::new(UserErrorCode::ArchiveRejected, "sha256", message)
}
