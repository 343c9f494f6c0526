//! Secrets at rest: XChaCha20-Poly1305 over each value, with keys from a file outside the database.
//!
//! A ciphertext is one byte of key version, 24 of nonce, then the sealed text. What it is sealed with besides says where it
//! stands, so that one moved to another row, column or organization does not open there.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use chacha20poly1305::{
    AeadCore, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, OsRng, Payload},
};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use slipway_model::{Clock, OrganizationId, Secret};
use uuid::Uuid;

const NONCE_BYTES: usize = 24;

#[derive(Debug, thiserror::Error)]
pub enum CryptError {
    /// The wrong key, a changed ciphertext, or one that stood somewhere else.
    #[error("a stored secret in {table}.{column} cannot be decrypted: it was changed, moved, or sealed with another key")]
    Refused { table: &'static str, column: &'static str },
    #[error("a stored secret in {table}.{column} was sealed with key {version}, which the key file does not hold")]
    UnknownKey { table: &'static str, column: &'static str, version: u8 },
    #[error("cannot use the key file {path}: {reason}")]
    File { path: String, reason: String },
}

/// Where a secret stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location<'a> {
    pub table: &'static str,
    pub column: &'static str,
    pub row: Row<'a>,
    /// `None` for what belongs to the platform.
    pub organization: Option<OrganizationId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row<'a> {
    Id(Uuid),
    Name(&'a str),
}

impl Location<'static> {
    #[must_use]
    pub fn new(table: &'static str, column: &'static str, row: impl Into<Uuid>, organization: Option<OrganizationId>) -> Self {
        Self { table, column, row: Row::Id(row.into()), organization }
    }
}

impl Location<'_> {
    /// Each part with its length in front, so that no two locations read the same.
    fn associated_data(&self, version: u8) -> Vec<u8> {
        let (row_kind, row): (u8, &[u8]) = match &self.row {
            Row::Id(id) => (0, id.as_bytes()),
            Row::Name(name) => (1, name.as_bytes()),
        };
        let organization = self.organization.map(OrganizationId::uuid);
        let organization = organization.as_ref().map_or(&[][..], |id| id.as_bytes());
        let mut data = vec![version, row_kind];
        for part in [self.table.as_bytes(), self.column.as_bytes(), row, organization] {
            data.extend((part.len() as u64).to_be_bytes());
            data.extend(part);
        }
        data
    }

    const fn refused(&self) -> CryptError {
        CryptError::Refused { table: self.table, column: self.column }
    }
}

/// The platform's keys. The newest seals, all open.
pub struct Keyring {
    keys: BTreeMap<u8, Key>,
    newest: u8,
}

struct Key {
    cipher: XChaCha20Poly1305,
    /// Derived: for fingerprints, so that what is shown says nothing of the key that seals.
    fingerprint: [u8; 32],
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").field("versions", &self.keys.keys()).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Reads the key file, or makes one that only its owner can read. Lines are `version key`, the key in hexadecimal.
    ///
    /// # Errors
    /// The file cannot be read or made, is open to others, or holds something else.
    pub fn open_or_create(path: &Path, clock: &dyn Clock) -> Result<Self, CryptError> {
        let failed = |reason: String| CryptError::File { path: path.display().to_string(), reason };
        match fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => return Err(failed("it is not a file".to_owned())),
            Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
                let mode = metadata.permissions().mode() & 0o777;
                return Err(failed(format!("others can read it (mode {mode:o}); make it yours alone with `chmod 600 {}`", path.display())));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => create(path, clock).map_err(|error| failed(error.to_string()))?,
            Err(error) => return Err(failed(error.to_string())),
        }
        let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        Self::parse(&Secret::new(text)).map_err(failed)
    }

    fn parse(text: &Secret) -> Result<Self, String> {
        let mut keys = BTreeMap::new();
        for (number, line) in text.expose().lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = || format!("line {} is not `version key`, with 64 hexadecimal digits", number + 1);
            let (version, key) = line.trim().split_once(' ').ok_or_else(wrong)?;
            let version: u8 = version.parse().map_err(|_| wrong())?;
            let bytes = HEXLOWER.decode(key.as_bytes()).map_err(|_| wrong())?;
            let cipher = XChaCha20Poly1305::new_from_slice(&bytes).map_err(|_| wrong())?;
            let fingerprint = Sha256::new().chain_update("slipway fingerprint").chain_update(&bytes).finalize().into();
            if keys.insert(version, Key { cipher, fingerprint }).is_some() {
                return Err(format!("key {version} is there twice"));
            }
        }
        let newest = *keys.keys().next_back().ok_or("it holds no key")?;
        Ok(Self { keys, newest })
    }

    /// Seals a secret for its place.
    ///
    /// # Panics
    /// Never: the cipher refuses only texts of 256 GiB.
    #[must_use]
    pub fn seal(&self, location: Location<'_>, secret: &Secret) -> Vec<u8> {
        let key = self.keys.get(&self.newest).expect("the newest key is one of the keys");
        // Not from the clock: a nonce must never come twice, not even under a clock that a test has stopped.
        let nonce = XChaCha20Poly1305::generate_nonce(&mut OsRng);
        let payload = Payload { msg: secret.expose().as_bytes(), aad: &location.associated_data(self.newest) };
        let sealed = key.cipher.encrypt(&nonce, payload).expect("a secret is far shorter than 256 GiB");
        [&[self.newest], nonce.as_slice(), &sealed].concat()
    }

    /// # Errors
    /// [`CryptError::Refused`] when the text is not exactly what was sealed for this place.
    pub fn open(&self, location: Location<'_>, sealed: &[u8]) -> Result<Secret, CryptError> {
        let (version, rest) = sealed.split_first().ok_or_else(|| location.refused())?;
        let (nonce, text) = rest.split_at_checked(NONCE_BYTES).ok_or_else(|| location.refused())?;
        let key =
            self.keys.get(version).ok_or(CryptError::UnknownKey { table: location.table, column: location.column, version: *version })?;
        let payload = Payload { msg: text, aad: &location.associated_data(*version) };
        let opened = key.cipher.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| location.refused())?;
        String::from_utf8(opened).map(Secret::new).map_err(|_| location.refused())
    }

    /// A short mark by which two values of one organization can be told apart without showing either.
    ///
    /// # Panics
    /// Never: the newest key is one of the keys.
    #[must_use]
    pub fn fingerprint(&self, organization: OrganizationId, secret: &Secret) -> String {
        let key = self.keys.get(&self.newest).expect("the newest key is one of the keys");
        let digest = Sha256::new()
            .chain_update(key.fingerprint)
            .chain_update(organization.uuid().as_bytes())
            .chain_update(secret.expose().as_bytes())
            .finalize();
        // Cut short, which also keeps anybody from going on hashing where this ends.
        HEXLOWER.encode(&digest[..8])
    }
}

/// Writes the file beside its place, whole and on disk, and then gives it its name: a crash leaves a key or none, and of two
/// processes that start at once, both end with the key of the first.
fn create(path: &Path, clock: &dyn Clock) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut key = [0; 32];
    clock.fill(&mut key);
    let draft = directory.join(format!(".key-{}", clock.uuid()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        writeln!(file, "1 {}", HEXLOWER.encode(&key))?;
        file.sync_all()?;
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    })();
    let removed = fs::remove_file(&draft);
    written?;
    removed?;
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests;
