//! Where `slipway login` keeps the address and the token: `$XDG_CONFIG_HOME/slipway/credentials.toml`, readable by its owner alone.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use slipway_model::Secret;
use url::Url;

use crate::Global;
use crate::exit::Failure;

pub struct Credentials {
    pub url: Url,
    pub token: Secret,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    url: Url,
    #[serde(serialize_with = "Secret::expose_on_wire")]
    token: Secret,
}

/// From the command line or environment first, then from what `login` stored.
pub fn load(global: &Global) -> Result<Credentials> {
    let stored = read()?;
    let (stored_url, stored_token) = stored.map(|stored| (stored.url, stored.token)).unzip();
    let missing = |what: &str| {
        Failure::new("NOT_LOGGED_IN", format!("no {what} is known"))
            .fix("`slipway login URL`, or set SLIPWAY_URL and SLIPWAY_TOKEN (on the machine of `slipway up`: DATA/admin.token)")
    };
    Ok(Credentials {
        url: global.url.clone().or(stored_url).ok_or_else(|| missing("control plane"))?,
        token: global.token.clone().map(Secret::new).or(stored_token).ok_or_else(|| missing("API token"))?,
    })
}

pub fn store(credentials: Credentials) -> Result<PathBuf> {
    let path = path()?;
    let directory = path.parent().context("the credentials lie in a directory")?;
    fs::create_dir_all(directory)?;
    let text = toml::to_string(&Stored { url: credentials.url, token: credentials.token })?;
    let staged = path.with_extension("staged");
    let _ = fs::remove_file(&staged);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&staged)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&staged, &path)?;
    Ok(path)
}

fn read() -> Result<Option<Stored>> {
    let path = path()?;
    match fs::read_to_string(&path) {
        Ok(text) => {
            Ok(Some(toml::from_str(&text).with_context(|| format!("{} is not readable: `slipway login` writes it anew", path.display()))?))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn path() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CONFIG_HOME").filter(|value| !value.is_empty()) {
        Some(directory) => PathBuf::from(directory),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".config"),
    };
    Ok(base.join("slipway/credentials.toml"))
}
