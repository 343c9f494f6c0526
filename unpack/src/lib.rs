//! Unpacks an uploaded archive (tar, gzip) that somebody may have made to harm us.
//!
//! Invariants, each kept by the file system calls themselves and not only by looking at names:
//! - nothing is written, made or removed outside of the destination ([`beneath`]: every step opens one name, never follows a link);
//! - only directories, regular files, and links that stay inside come to exist;
//! - it stops at its limits while it reads, before it has written more than they allow.

mod beneath;
mod limits;
mod name;

use std::{
    io::{self, Read},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use flate2::read::MultiGzDecoder;
use tar::{Archive, EntryType, Header};

use beneath::{Tree, TreeError};
pub use limits::UnpackLimits;
use limits::{Compressed, Limited};

/// Archives that are made without times give all files one from before this, in seconds since 1970.
const FIRST_TIME: u64 = 1_262_304_000;
/// Longest path record of GNU or PAX that is read into memory.
const MAX_EXTENSION_BYTES: u64 = 64 * 1024;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpacked {
    pub entries: u64,
    pub bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The archive is at fault.
    #[error("{}{reason}", .entry.as_ref().map(|entry| format!("the entry `{entry}` ")).unwrap_or_default())]
    Rejected { entry: Option<String>, reason: String },
    /// The machine is at fault.
    #[error("cannot write the unpacked source: {0}")]
    Write(io::Error),
    #[error("canceled")]
    Canceled,
}

impl UnpackError {
    fn rejected(entry: impl Into<Option<String>>, reason: impl Into<String>) -> Self {
        Self::Rejected { entry: entry.into(), reason: reason.into() }
    }
}

/// Unpacks `archive` into the directory `dest`, which exists and is empty. After an error its content is incomplete and is for the
/// caller to remove. Looks at `stop` between entries and while it writes.
///
/// # Errors
/// [`UnpackError::Rejected`] names the first entry that may not be.
pub fn unpack(archive: impl Read, dest: &Path, limits: UnpackLimits, stop: &AtomicBool) -> Result<Unpacked, UnpackError> {
    let compressed = Compressed::new(archive);
    let count = compressed.count();
    let limited = Limited::new(MultiGzDecoder::new(compressed), count, limits);
    let mut archive = Archive::new(limited);
    let mut tree = Tree::open(dest).map_err(UnpackError::Write)?;
    let mut unpacked = Unpacked::default();
    let mut extensions = Extensions::default();
    // Raw: long names come as entries of their own, whose size is checked here before any of it is held in memory.
    let entries = archive.entries().map_err(|error| unreadable(&error))?.raw(true);
    for entry in entries {
        if stop.load(Ordering::Relaxed) {
            return Err(UnpackError::Canceled);
        }
        let mut entry = entry.map_err(|error| unreadable(&error))?;
        unpacked.entries += 1;
        if unpacked.entries > limits.entries {
            return Err(UnpackError::rejected(None, format!("the archive has more than {} entries", limits.entries)));
        }
        let kind = entry.header().entry_type();
        if extensions.take(kind, &mut entry)? {
            continue;
        }
        let path_bytes = extensions.path.take().unwrap_or_else(|| entry.path_bytes().into_owned());
        let link_bytes = extensions.link.take().or_else(|| entry.link_name_bytes().map(|bytes| bytes.into_owned()));
        let parts = name::parse(&path_bytes, limits)?;
        let shown = || name::shown(&path_bytes);
        // Old archives mark a directory by the slash at its end alone.
        let is_directory = kind.is_dir() || (kind.is_file() && path_bytes.ends_with(b"/"));
        if parts.is_empty() {
            if is_directory {
                continue;
            }
            return Err(UnpackError::rejected(shown(), "has no name"));
        }
        let link = || {
            link_bytes.as_deref().filter(|bytes| !bytes.is_empty()).ok_or_else(|| UnpackError::rejected(shown(), "is a link to nothing"))
        };
        let made = match kind {
            _ if is_directory => tree.directory(&parts),
            EntryType::Regular | EntryType::Continuous => {
                let (executable, modified) = (is_executable(entry.header()), modified(entry.header()));
                let mut content = Content { inner: &mut entry, stop, written: &mut unpacked.bytes };
                tree.file(&parts, executable, modified, &mut content)
            }
            EntryType::Symlink => {
                let target = name::link_target(link()?, parts.len() - 1).map_err(|reason| UnpackError::rejected(shown(), reason))?;
                tree.symlink(&parts, &target)
            }
            EntryType::Link => tree.hard_link(&parts, &name::parse(link()?, limits)?),
            other => {
                return Err(UnpackError::rejected(
                    shown(),
                    format!("is {}; only files, directories and links can be unpacked", describe(other)),
                ));
            }
        };
        made.map_err(|error| match error {
            TreeError::Refused(reason) => UnpackError::rejected(shown(), reason),
            TreeError::Content(_) if stop.load(Ordering::Relaxed) => UnpackError::Canceled,
            TreeError::Content(error) => unreadable(&error),
            TreeError::Io(error) => UnpackError::Write(error),
        })?;
        if unpacked.entries + tree.implied() > limits.entries {
            return Err(UnpackError::rejected(None, format!("the archive makes more than {} files and directories", limits.entries)));
        }
    }
    if extensions.path.is_some() || extensions.link.is_some() {
        return Err(UnpackError::rejected(None, "the archive ends where an entry should begin"));
    }
    Ok(unpacked)
}

/// Long names that apply to the next entry.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl Extensions {
    /// Whether `entry` was an extension rather than something to unpack.
    fn take(&mut self, kind: EntryType, entry: &mut impl Read) -> Result<bool, UnpackError> {
        match kind {
            EntryType::GNULongName => self.path = Some(without_nul(read_extension(entry)?)),
            EntryType::GNULongLink => self.link = Some(without_nul(read_extension(entry)?)),
            EntryType::XHeader => self.take_pax(&read_extension(entry)?, true)?,
            EntryType::XGlobalHeader => self.take_pax(&read_extension(entry)?, false)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn take_pax(&mut self, records: &[u8], may_name: bool) -> Result<(), UnpackError> {
        for record in tar::PaxExtensions::new(records) {
            let record = record.map_err(|_| UnpackError::rejected(None, "the archive has a malformed PAX record"))?;
            let (key, value) = (record.key_bytes(), record.value_bytes());
            match key {
                b"path" if may_name => self.path = Some(value.to_owned()),
                b"linkpath" if may_name => self.link = Some(value.to_owned()),
                // A size here would make two readers of the archive disagree about where its entries begin, and a sparse
                // map would make a file larger than its content. Neither has a place in source code.
                b"path" | b"linkpath" | b"size" => {
                    return Err(UnpackError::rejected(
                        None,
                        format!("the archive has a PAX record `{}` that is not supported", name::shown(key)),
                    ));
                }
                key if key.starts_with(b"GNU.sparse.") => {
                    return Err(UnpackError::rejected(None, "the archive has a sparse file; pack it without sparse files"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn read_extension(entry: &mut impl Read) -> Result<Vec<u8>, UnpackError> {
    let mut bytes = Vec::new();
    entry.take(MAX_EXTENSION_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > MAX_EXTENSION_BYTES {
        return Err(UnpackError::rejected(None, "the archive has an extended header that is too long"));
    }
    Ok(bytes)
}

fn without_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    bytes
}

fn is_executable(header: &Header) -> bool {
    header.mode().is_ok_and(|mode| mode & 0o111 != 0)
}

/// When a file was changed, as its author's machine knew it: the same source is then the same on every node, to the times that web
/// servers tell browsers. `None` where the archive does not say: one time for all would make files that differ look unchanged.
fn modified(header: &Header) -> Option<i64> {
    header.mtime().ok().filter(|seconds| *seconds >= FIRST_TIME).and_then(|seconds| i64::try_from(seconds).ok())
}

/// The content of one file: counts, and stops when asked to.
struct Content<'a, R> {
    inner: R,
    stop: &'a AtomicBool,
    written: &'a mut u64,
}

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("canceled"));
        }
        let count = self.inner.read(buffer)?;
        *self.written += count as u64;
        Ok(count)
    }
}

/// What a failure to read means: a limit that was reached, or a damaged archive.
fn unreadable(error: &io::Error) -> UnpackError {
    if let Some(limit) = limits::reached(error) {
        return UnpackError::rejected(None, limit.to_string());
    }
    let reason = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the archive is incomplete",
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => "the file is not a gzip-compressed tar archive, or is damaged",
        _ => "the archive cannot be read: it is damaged",
    };
    UnpackError::rejected(None, reason)
}

fn describe(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a named pipe",
        EntryType::GNUSparse => "a sparse file",
        _ => "of an unknown kind",
    }
}

#[cfg(test)]
mod tests;
