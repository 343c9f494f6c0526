//! Components compiled ahead of time, kept by content. Compiling takes half a second, loading a fraction of a millisecond.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use wasmtime::{Engine, component::Component};

use crate::HostError;

/// A directory that only this user can write to. Each entry is `<component>-<engine>.cwasm` and, beside it, `.sha256` with
/// the digest of what this host wrote there.
#[derive(Debug)]
pub struct CompiledStore {
    dir: PathBuf,
}

impl CompiledStore {
    pub fn open(dir: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// The component, from the store where it is there and whole, else compiled and stored. A store that cannot be written
    /// to costs time, not the answer.
    pub fn component(&self, engine: &Engine, wasm: &[u8]) -> Result<Component, HostError> {
        let mut compatibility = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut compatibility);
        let name = format!("{}-{:016x}", hex::encode(Sha256::digest(wasm)), compatibility.finish());
        let (code_path, digest_path) = (self.dir.join(format!("{name}.cwasm")), self.dir.join(format!("{name}.sha256")));

        if let Some(code) = read_whole(&code_path, &digest_path) {
            match deserialize(engine, &code) {
                Ok(component) => return Ok(component),
                Err(error) => tracing::warn!(%error, entry = name, "a compiled buildpack cannot be loaded and is compiled anew"),
            }
        }
        let invalid = |error: wasmtime::Error| HostError::InvalidComponent { reason: format!("{error:#}") };
        let code = engine.precompile_component(wasm).map_err(invalid)?;
        let written = self.write(&code_path, &code).and_then(|()| self.write(&digest_path, hex::encode(Sha256::digest(&code)).as_bytes()));
        if let Err(error) = written {
            tracing::warn!(%error, dir = %self.dir.display(), "a compiled buildpack cannot be stored");
        }
        deserialize(engine, &code).map_err(invalid)
    }

    /// Readers see all of the file or none of it.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        file.write_all(bytes)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// The code, when its digest is the one that was written with it.
fn read_whole(code_path: &Path, digest_path: &Path) -> Option<Vec<u8>> {
    let digest = fs::read_to_string(digest_path).ok()?;
    let code = fs::read(code_path).ok()?;
    if hex::encode(Sha256::digest(&code)) == digest {
        return Some(code);
    }
    tracing::warn!(path = %code_path.display(), "a compiled buildpack is not what was written and is compiled anew");
    None
}

/// Loads machine code. The callers pass bytes that this process compiled, or that match the digest written with them.
#[expect(unsafe_code, reason = "wasmtime has no other way to load compiled code")]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes come from `precompile_component` of an engine with the same compatibility hash. They are either still
    // in memory, or were read from a directory that only this user may write to and match the digest stored beside them; they
    // are checked in the same buffer that is loaded, so that the file cannot change in between.
    unsafe { Component::deserialize(engine, code) }
}
