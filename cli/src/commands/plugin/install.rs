//! Installing a plugin from a directory or an archive, and another version in its place.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use slipway_plugin_host::{Form, Manifest, read_manifest};

use crate::{client::Client, exit::Failure};

/// What a plugin asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Grant {
    /// To run machine code, in a process of its own without rights.
    NativeCode,
    /// To have agents run its buildpack, in a sandbox.
    Buildpack,
}

impl Grant {
    fn name(self) -> &'static str {
        match self {
            Self::NativeCode => "NATIVE_CODE",
            Self::Buildpack => "BUILDPACK",
        }
    }

    fn option(self) -> &'static str {
        match self {
            Self::NativeCode => "native-code",
            Self::Buildpack => "buildpack",
        }
    }
}

#[derive(Args)]
pub struct Source {
    /// The plugin's directory, or a gzip-compressed tar archive of it.
    path: PathBuf,
    /// Grant this of what the plugin asks for; may be given several times.
    #[arg(long = "grant", value_enum)]
    grants: Vec<Grant>,
    /// Refuse an archive of another SHA-256.
    #[arg(long)]
    sha256: Option<String>,
}

/// An archive that has been sent.
pub struct Sent {
    pub sha256: String,
    pub grants: Vec<&'static str>,
}

impl Source {
    /// Packs what is to be packed, shows what it asks for, and sends it.
    pub async fn send(self, client: &Client) -> Result<Sent> {
        let archive = if self.path.is_dir() {
            let manifest = read_manifest(&self.path).map_err(|error| Failure::new("NOT_A_PLUGIN", error.to_string()))?;
            self.granted(&manifest)?;
            pack(&self.path, &manifest)?
        } else {
            std::fs::read(&self.path).with_context(|| self.path.display().to_string())?
        };
        let sha256 = hex::encode(Sha256::digest(&archive));
        if let Some(expected) = self.sha256.as_ref().filter(|expected| !expected.eq_ignore_ascii_case(&sha256)) {
            return Err(Failure::new("DIGEST_MISMATCH", format!("the archive's SHA-256 is {sha256}, not {expected}")).into());
        }
        let input = json!({ "sizeBytes": archive.len().to_string(), "sha256": sha256 });
        let payload = client.mutate("pluginArchiveCreate", "PluginArchiveCreateInput", input, "archive { uploadUrl }").await?;
        let address = payload.pointer("/archive/uploadUrl").and_then(Value::as_str).context("an archive has an address")?;
        let path = address.find("/plugin-archives/").map_or(address, |place| &address[place..]);
        let length = archive.len() as u64;
        client.upload(path, archive.into(), length).await?;
        Ok(Sent { sha256, grants: self.grants.iter().map(|grant| grant.name()).collect() })
    }

    /// Says here already what the control plane would refuse for.
    fn granted(&self, manifest: &Manifest) -> Result<()> {
        let native = (manifest.form == Form::Native).then_some(Grant::NativeCode);
        let asked = native.into_iter().chain(manifest.buildpack.as_ref().map(|_| Grant::Buildpack));
        let missing: Vec<_> =
            asked.filter(|grant| !self.grants.contains(grant)).map(|grant| format!("--grant {}", grant.option())).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let message = format!("{} {} asks for what was not granted", manifest.id, manifest.version);
        Err(Failure::new("NOT_GRANTED", message).fix(format!("if you agree: {}", missing.join(" "))).into())
    }
}

/// The manifest and the files that it names, and nothing else; the same files are the same archive.
fn pack(directory: &Path, manifest: &Manifest) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for name in ["plugin.toml", &manifest.library].into_iter().chain(manifest.buildpack.as_deref()) {
        let content = std::fs::read(directory.join(name)).with_context(|| directory.join(name).display().to_string())?;
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, &content[..])?;
    }
    Ok(archive.into_inner()?.finish()?)
}
