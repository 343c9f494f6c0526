//! From a plugin directory to a loaded plugin. Blocking; runs on a thread of its own, since a library's initialisers may hang.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use slipway_plugin_abi::Manifest;

use crate::{Buildpack, LoadError, elf, library::Library, manifest, settings::Settings};

/// A plugin as it comes out of its directory, before it is known to the registry.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub directory: PathBuf,
    pub manifest: Manifest,
    pub settings: Settings,
    pub library: Library,
    pub library_sha256: String,
    pub buildpack: Option<Buildpack>,
}

/// The directories in `root`, by name. Those whose name begins with a dot are being installed or removed.
pub(crate) fn directories(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && entry.path().is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Loads what `manifest` names. Everything that can be checked is checked before any of the library's code runs.
pub(crate) fn load(directory: &Path, manifest: Manifest, approved: Option<&str>) -> Result<Loaded, LoadError> {
    let settings = Settings::new(manifest.settings_schema.as_ref())?;
    let buildpack = manifest.buildpack.as_deref().map(|name| buildpack(directory, name)).transpose()?;

    let path = manifest::inside(directory, &manifest.library)?;
    let bytes = read(&path)?;
    let library_sha256 = sha256(&bytes);
    if let Some(approved) = approved.filter(|approved| !approved.eq_ignore_ascii_case(&library_sha256)) {
        return Err(LoadError::Unapproved { approved: approved.to_owned(), found: library_sha256 });
    }
    elf::check(&bytes, bytes.len() as u64).map_err(|problem| LoadError::NotALibrary { file: manifest.library.clone(), problem })?;
    drop(bytes);

    let library = Library::load(&path, manifest.message_versions)?;
    Ok(Loaded { directory: directory.to_owned(), manifest, settings, library, library_sha256, buildpack })
}

fn buildpack(directory: &Path, name: &str) -> Result<Buildpack, LoadError> {
    let path = manifest::inside(directory, name)?;
    let bytes = read(&path)?;
    if !bytes.starts_with(b"\0asm") {
        return Err(LoadError::NotABuildpack { file: name.to_owned() });
    }
    Ok(Buildpack { path, sha256: sha256(&bytes), size_bytes: bytes.len() as u64 })
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    fs::read(path).map_err(|cause| LoadError::Unreadable { path: path.to_owned(), cause })
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
