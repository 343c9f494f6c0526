//! Content-addressed files from the core: uploaded archives and buildpack components.

use std::path::{Path, PathBuf};

use futures::future::BoxFuture;
use slipway_model::Sha256Digest;

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
