//! Content-addressed files that an agent fetches from the core: uploaded archives and buildpack components.

/// `GET {BLOB_PATH}/{sha256}` on the agent listener with `Authorization: Bearer <Welcome.session_token>`. The node is given only
/// what an unfinished task of its own names.
pub const BLOB_PATH: &str = "/agent/blobs";

/// Largest upload: 512 MiB compressed.
pub const MAX_BLOB_BYTES: u64 = 512 * 1024 * 1024;
