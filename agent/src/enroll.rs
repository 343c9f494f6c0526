//! How a machine becomes a node: check the core's CA against the token, then hand over the token and a fresh public key.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use reqwest::StatusCode;
use slipway_model::{Clock, NodeId, Secret};
use slipway_protocol::{CA_PATH, ENROLL_PATH, EnrollRefusal, EnrollRequest, EnrollResponse, EnrollmentToken, ParseTokenError};

use crate::identity::{Identity, IdentityError, parse_key};
use crate::{Config, durable, facts, tls};

#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    #[error(transparent)]
    Token(#[from] ParseTokenError),
    #[error("this machine is already node {0}; to enroll it anew, stop the agent and remove its data folder")]
    AlreadyEnrolled(NodeId),
    #[error("cannot reach the control plane at {url}: {reason}")]
    Unreachable { url: url::Url, reason: String },
    #[error(
        "the control plane at {url} has another certificate authority than the token says: somebody may be in between, so the token was not sent"
    )]
    WrongAuthority { url: url::Url },
    #[error("the control plane refuses the node: {0}")]
    Refused(EnrollRefusal),
    #[error("the control plane at {url} gave an answer that is not understood (status {status})")]
    Answer { url: url::Url, status: u16 },
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("cannot keep the new key in {path}: {source}")]
    Key { path: PathBuf, source: io::Error },
}

/// A CA certificate is never larger.
const MAX_CA_BYTES: usize = 64 * 1024;

/// Makes this machine the node that `token` invites, and keeps its identity under `config.data_dir`.
///
/// The token travels only after the core's CA was compared with the digest inside it. The new key is kept before it is sent, so
/// that an attempt whose answer was lost is repeated with the same key.
///
/// # Errors
/// See [`EnrollError`]; nothing but the pending key is left behind.
pub async fn enroll(config: &Config, token: &Secret, clock: &dyn Clock) -> Result<Identity, EnrollError> {
    if let Some(existing) = Identity::load(&config.data_dir)? {
        return Err(EnrollError::AlreadyEnrolled(existing.node));
    }
    let invitation: EnrollmentToken = token.expose().parse()?;
    let ca_pem = fetch_ca(config).await?;
    if tls::fingerprint(&tls::certificate(&ca_pem)?) != invitation.ca {
        return Err(EnrollError::WrongAuthority { url: config.core_url.clone() });
    }
    let key = pending_key(config, clock)?;
    let request = EnrollRequest {
        token: token.clone(),
        public_key: hex::encode(key.verifying_key().to_bytes()),
        name: config.node_name.clone(),
        facts: facts::gather(config, None),
    };
    let url = join(config, ENROLL_PATH);
    let unreachable = |error: reqwest::Error| EnrollError::Unreachable { url: url.clone(), reason: sources(&error) };
    let response = client(tls::trusting(&ca_pem)?).map_err(unreachable)?.post(url.clone()).json(&request).send().await;
    let response = response.map_err(unreachable)?;
    let status = response.status();
    let body = response.bytes().await.map_err(unreachable)?;
    let identity = if status.is_success() {
        let answer: EnrollResponse =
            serde_json::from_slice(&body).map_err(|_| EnrollError::Answer { url: url.clone(), status: status.as_u16() })?;
        Identity::new(answer.node_id, ca_pem, key)
    } else {
        return Err(match serde_json::from_slice::<EnrollRefusal>(&body) {
            Ok(refusal) => EnrollError::Refused(refusal),
            Err(_) => EnrollError::Answer { url, status: status.as_u16() },
        });
    };
    identity.save(&config.data_dir)?;
    // The identity has the key now; a leftover copy would only be one more place to guard.
    let _ = std::fs::remove_file(key_path(config));
    tracing::info!(node = %identity.node, "enrolled");
    Ok(identity)
}

async fn fetch_ca(config: &Config) -> Result<String, EnrollError> {
    let url = join(config, CA_PATH);
    let unreachable = |error: reqwest::Error| EnrollError::Unreachable { url: url.clone(), reason: sources(&error) };
    let response = client(tls::trusting_anybody()?).map_err(unreachable)?.get(url.clone()).send().await.map_err(unreachable)?;
    let status = response.status();
    let body = response.bytes().await.map_err(unreachable)?;
    if status != StatusCode::OK || body.len() > MAX_CA_BYTES {
        return Err(EnrollError::Answer { url, status: status.as_u16() });
    }
    String::from_utf8(body.to_vec()).map_err(|_| EnrollError::Answer { url, status: status.as_u16() })
}

fn client(tls: rustls::ClientConfig) -> reqwest::Result<reqwest::Client> {
    let limit = Duration::from_secs(15);
    reqwest::Client::builder()
        .use_preconfigured_tls(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .https_only(true)
        .timeout(limit)
        .build()
}

fn pending_key(config: &Config, clock: &dyn Clock) -> Result<SigningKey, EnrollError> {
    let path = key_path(config);
    let failed = |source| EnrollError::Key { path: path.clone(), source };
    durable::private_folder(&config.data_dir).map_err(failed)?;
    if let Some(bytes) = durable::read(&path).map_err(failed)?
        && let Some(key) = parse_key(&Secret::new(String::from_utf8_lossy(&bytes)))
    {
        return Ok(key);
    }
    let mut seed = [0; 32];
    clock.fill(&mut seed);
    durable::write(&path, hex::encode(seed).as_bytes()).map_err(failed)?;
    Ok(SigningKey::from_bytes(&seed))
}

fn key_path(config: &Config) -> PathBuf {
    config.data_dir.join("identity.pending")
}

fn join(config: &Config, path: &str) -> url::Url {
    let mut url = config.core_url.clone();
    url.set_path(path);
    url
}

/// An error with everything that led to it: reqwest's own text leaves out why.
pub(crate) fn sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}
