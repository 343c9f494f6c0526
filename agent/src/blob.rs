//! Content-addressed files from the core: uploaded archives and buildpack components.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use reqwest::StatusCode;
use sha2::{Digest, Sha256};
use slipway_model::{Secret, Sha256Digest};
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;

use crate::enroll::sources;

#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("the control plane does not have the file {0}, or this node has no unfinished task that needs it")]
    NotFound(Sha256Digest),
    #[error("the file {digest} is larger than the {max_bytes} bytes that are allowed")]
    TooLarge { digest: Sha256Digest, max_bytes: u64 },
    #[error("what arrived for {expected} has the digest {actual}")]
    WrongContent { expected: Sha256Digest, actual: Sha256Digest },
    /// Worth another attempt later.
    #[error("cannot fetch the file {digest} from the control plane: {reason}")]
    Unreachable { digest: Sha256Digest, reason: String },
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: std::io::Error },
}

/// Fetches files by what they contain.
pub trait BlobSource: Send + Sync {
    /// Writes the content of `sha256` to `dest`, whose folder exists, and returns only once its digest has been checked. `dest` appears
    /// whole or not at all.
    fn fetch<'a>(&'a self, sha256: Sha256Digest, dest: &'a Path, max_bytes: u64) -> BoxFuture<'a, Result<(), BlobError>>;
}

/// [`BlobSource`] over HTTPS with the token of the current session.
pub struct CoreBlobs {
    http: reqwest::Client,
    core: url::Url,
    token: watch::Receiver<Option<Secret>>,
}

/// How long a download waits for a session, all in all.
const SESSION_PATIENCE: Duration = Duration::from_secs(60);
const ATTEMPTS: u32 = 4;
/// Without a byte for this long, the connection is given up.
const SILENCE: Duration = Duration::from_secs(30);

impl CoreBlobs {
    /// Trusts what `tls` trusts. The session writes its token into `token`.
    ///
    /// # Errors
    /// The client cannot be made.
    pub fn new(core: url::Url, tls: rustls::ClientConfig, token: watch::Receiver<Option<Secret>>) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .use_preconfigured_tls(tls)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .https_only(true)
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(SILENCE)
            .build()?;
        Ok(Self { http, core, token })
    }

    async fn download(&self, digest: Sha256Digest, dest: &Path, max_bytes: u64) -> Result<(), BlobError> {
        let mut pause = Duration::from_millis(500);
        let mut attempt = 1;
        loop {
            match self.attempt(digest, dest, max_bytes).await {
                Err(BlobError::Unreachable { reason, .. }) if attempt < ATTEMPTS => {
                    tracing::warn!(%digest, attempt, reason, "cannot fetch a file from the control plane; tries again");
                    tokio::time::sleep(pause).await;
                    pause *= 3;
                    attempt += 1;
                }
                ended => return ended,
            }
        }
    }

    async fn attempt(&self, digest: Sha256Digest, dest: &Path, max_bytes: u64) -> Result<(), BlobError> {
        let unreachable = |reason: String| BlobError::Unreachable { digest, reason };
        let mut token = self.token.clone();
        let session = tokio::time::timeout(SESSION_PATIENCE, token.wait_for(Option::is_some)).await;
        let session = session.map_err(|_| unreachable("there is no session".to_owned()))?;
        let secret = session.map_err(|_| unreachable("the agent is shutting down".to_owned()))?.clone();
        let secret = secret.as_ref().map_or("", Secret::expose).to_owned();

        let mut url = self.core.clone();
        url.set_path(&format!("{}/{digest}", slipway_protocol::BLOB_PATH));
        let response = self.http.get(url).bearer_auth(secret).send().await.map_err(|error| unreachable(sources(&error)))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => return Err(BlobError::NotFound(digest)),
            // 401 among them: the session has just been replaced.
            status => return Err(unreachable(format!("it answered {status}"))),
        }
        let part = part(dest);
        let result = save(response, digest, &part, max_bytes).await;
        let result = match result {
            Ok(()) => tokio::fs::rename(&part, dest).await.map_err(|source| BlobError::Write { path: dest.to_owned(), source }),
            Err(error) => Err(error),
        };
        if result.is_err() {
            // What is left is of no use; if it cannot be removed, the next attempt writes over it.
            let _ = tokio::fs::remove_file(&part).await;
        }
        result
    }
}

impl BlobSource for CoreBlobs {
    fn fetch<'a>(&'a self, sha256: Sha256Digest, dest: &'a Path, max_bytes: u64) -> BoxFuture<'a, Result<(), BlobError>> {
        self.download(sha256, dest, max_bytes).boxed()
    }
}

async fn save(response: reqwest::Response, digest: Sha256Digest, part: &Path, max_bytes: u64) -> Result<(), BlobError> {
    let write = |source| BlobError::Write { path: part.to_owned(), source };
    let mut file = tokio::fs::File::create(part).await.map_err(write)?;
    let (mut hash, mut written) = (Sha256::new(), 0_u64);
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| BlobError::Unreachable { digest, reason: sources(&error) })?;
        written = written.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if written > max_bytes {
            return Err(BlobError::TooLarge { digest, max_bytes });
        }
        hash.update(&chunk);
        file.write_all(&chunk).await.map_err(write)?;
    }
    file.flush().await.map_err(write)?;
    let actual = Sha256Digest::from_bytes(hash.finalize().into());
    if actual == digest { Ok(()) } else { Err(BlobError::WrongContent { expected: digest, actual }) }
}

fn part(dest: &Path) -> PathBuf {
    let mut name = dest.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    dest.with_file_name(name)
}
