//! Files from the core.

use std::path::PathBuf;

use slipway_agent::blob::{BlobError, BlobSource, CoreBlobs};
use slipway_model::{Secret, Sha256Digest};
use tokio::sync::watch;

use crate::core::{Served, TinyCore};

async fn fixture(content: &'static [u8]) -> (Served, CoreBlobs, tempfile::TempDir, PathBuf) {
    let core = TinyCore::new().await;
    let digest = Sha256Digest::of(content);
    let served = core.serve(move |head, _| {
        let may = head.to_lowercase().contains("authorization: bearer session-token");
        match head.split(' ').nth(1).unwrap() {
            _ if !may => (401, Vec::new()),
            path if path == format!("/agent/blobs/{digest}") => (200, content.to_vec()),
            path if path.ends_with(&"0".repeat(64)) => (200, b"something else".to_vec()),
            _ => (404, Vec::new()),
        }
    });
    let (_, token) = watch::channel(Some(Secret::new("session-token")));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls_pki_types::pem::PemObject::from_pem_slice(served.ca_pem.as_bytes()).unwrap()).unwrap();
    let tls = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let blobs = CoreBlobs::new(served.url.clone(), tls, token).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dest = folder.path().join("archive");
    (served, blobs, folder, dest)
}

#[tokio::test]
async fn a_file_is_there_whole_once_its_digest_is_right() {
    let (_served, blobs, folder, dest) = fixture(b"content").await;
    blobs.fetch(Sha256Digest::of(b"content"), &dest, 7).await.unwrap();
    assert_eq!(std::fs::read(&dest).unwrap(), b"content");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn what_is_wrong_missing_or_too_large_leaves_nothing() {
    let (_served, blobs, folder, dest) = fixture(b"content").await;
    let error = blobs.fetch(Sha256Digest::of(b"content"), &dest, 6).await.unwrap_err();
    assert!(matches!(error, BlobError::TooLarge { max_bytes: 6, .. }), "{error}");
    let error = blobs.fetch(Sha256Digest::of(b"unknown"), &dest, 100).await.unwrap_err();
    assert!(matches!(error, BlobError::NotFound(_)), "{error}");
    let error = blobs.fetch(Sha256Digest::from_bytes([0; 32]), &dest, 100).await.unwrap_err();
    assert!(matches!(error, BlobError::WrongContent { .. }), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
