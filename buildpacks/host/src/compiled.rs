//! Components compiled ahead of time, kept by content. Compiling takes half a second, loading a fraction of a millisecond.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use wasmtime::{Engine, component::Component};

use crate::HostError;

/// A directory that only this user can write to, with `<component>-<engine>.cwasm` for each compiled component, and
/// `file-<identity>.cwasm` for each file that one was read from. Entries are complete from the moment they have their name,
/// and never change.
#[derive(Debug)]
pub struct CompiledStore {
    dir: PathBuf,
}

impl CompiledStore {
    pub fn open(dir: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        if !is_own(&fs::metadata(dir)?) {
            return Err(io::Error::other("it belongs to another user, who could put machine code into it"));
        }
        Ok(Self { dir: dir.to_owned() })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The component, from its entry where that is there, else compiled and stored. A store that cannot be written to costs
    /// time, not the answer.
    pub fn component(&self, engine: &Engine, entry: &Path, wasm: &[u8]) -> Result<Component, HostError> {
        if let Some(component) = self.known(engine, entry) {
            return Ok(component);
        }
        let invalid = |error: wasmtime::Error| HostError::InvalidComponent { reason: format!("{error:#}") };
        let code = engine.precompile_component(wasm).map_err(invalid)?;
        match self.write(entry, &code) {
            Ok(()) => load_file(engine, entry),
            Err(error) => {
                tracing::warn!(%error, dir = %self.dir.display(), "a compiled buildpack cannot be stored");
                load_bytes(engine, &code)
            }
        }
        .map_err(invalid)
    }

    /// Where the component compiled for that engine is kept.
    pub fn entry(&self, engine: &Engine, wasm: &[u8]) -> PathBuf {
        let mut compatibility = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut compatibility);
        self.dir.join(format!("{}-{:016x}.cwasm", hex::encode(Sha256::digest(wasm)), compatibility.finish()))
    }

    /// Where the component of that file is found once more, for as long as nothing about the file changes.
    pub fn entry_of_file(&self, engine: &Engine, path: &Path, about: &fs::Metadata) -> PathBuf {
        let mut identity = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut identity);
        path.hash(&mut identity);
        // The time of the last change to the inode cannot be set, unlike that of the content.
        (about.dev(), about.ino(), about.len(), about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec()).hash(&mut identity);
        self.dir.join(format!("file-{:016x}.cwasm", identity.finish()))
    }

    /// Another name for an entry.
    pub fn link(&self, entry: &Path, name: &Path) {
        match fs::hard_link(entry, name) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                tracing::debug!(%error, entry = %entry.display(), "a compiled buildpack has to be looked for by its content");
            }
            _ => {}
        }
    }

    /// The component, if it was compiled before.
    pub fn known(&self, engine: &Engine, entry: &Path) -> Option<Component> {
        if !is_loadable(entry) {
            return None;
        }
        let problem = |error: &wasmtime::Error| tracing::warn!(%error, path = %entry.display(), "a compiled buildpack cannot be loaded");
        load_file(engine, entry).inspect_err(problem).ok()
    }

    /// On the disk before it has its name, so that not even a power failure leaves half of it.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

pub fn is_loadable(entry: &Path) -> bool {
    fs::symlink_metadata(entry).is_ok_and(|about| about.is_file() && is_own(&about))
}

/// Nobody else can have written it.
fn is_own(about: &fs::Metadata) -> bool {
    about.uid() == rustix::process::geteuid().as_raw() && about.mode() & 0o022 == 0
}

/// Maps machine code that this user wrote. Checking its content here would take longer than everything else about it, and
/// would not help: who can write to the directory can write a digest too.
#[expect(unsafe_code, reason = "wasmtime has no other way to load compiled code")]
fn load_file(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file was written by `write` of an engine with the same compatibility hash, whole, into a directory that
    // only this user may write to, and is never written to again: a new one takes its name.
    unsafe { Component::deserialize_file(engine, path) }
}

#[expect(unsafe_code, reason = "wasmtime has no other way to load compiled code")]
fn load_bytes(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes come from `precompile_component` of this engine and never left the memory.
    unsafe { Component::deserialize(engine, code) }
}
