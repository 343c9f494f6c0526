//! From a plugin directory to what can be run. Blocking; runs on a thread of its own. None of the plugin's code runs here.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use slipway_plugin_abi::{Manifest, manifest::Form};

use crate::{Buildpack, LoadError, elf, manifest, settings::Settings};

/// What a component begins with: the magic word, and the layer that says that it is no bare module.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// A plugin as it lies in its directory, looked at from all sides.
#[derive(Debug)]
pub(crate) struct Examined {
    pub directory: PathBuf,
    pub manifest: Manifest,
    pub settings: Settings,
    pub library: PathBuf,
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

/// Looks at what `manifest` names. Everything that can be checked is checked here, before any of the library's code runs.
pub(crate) fn examine(directory: &Path, manifest: Manifest, approved: Option<&str>) -> Result<Examined, LoadError> {
    let settings = Settings::new(manifest.settings_schema.as_ref())?;
    let buildpack = manifest.buildpack.as_deref().map(|name| buildpack(directory, name)).transpose()?;

    let library = manifest::inside(directory, &manifest.library)?;
    let bytes = read(&library)?;
    let library_sha256 = sha256(&bytes);
    if let Some(approved) = approved.filter(|approved| !approved.eq_ignore_ascii_case(&library_sha256)) {
        return Err(LoadError::Unapproved { approved: approved.to_owned(), found: library_sha256 });
    }
    match manifest.form {
        Form::Native => {
            let checked = elf::check(&bytes, bytes.len() as u64);
            checked.map_err(|problem| LoadError::NotALibrary { file: manifest.library.clone(), problem })?;
        }
        Form::Wasm if !bytes.starts_with(COMPONENT) => return Err(LoadError::NotAComponent { file: manifest.library.clone() }),
        Form::Wasm => {}
    }
    Ok(Examined { directory: directory.to_owned(), manifest, settings, library, library_sha256, buildpack })
}

/// The library once more, if it is still the one that was looked at.
pub(crate) fn read_approved(library: &Path, approved: &str) -> Result<Vec<u8>, LoadError> {
    let bytes = read(library)?;
    let found = sha256(&bytes);
    if found == approved { Ok(bytes) } else { Err(LoadError::Unapproved { approved: approved.to_owned(), found }) }
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
