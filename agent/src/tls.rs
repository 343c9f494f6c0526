//! Whom the agent believes: the one certificate authority of its core, and before it is enrolled nobody.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use slipway_model::Sha256Digest;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("the control plane's CA is not a certificate in PEM: {0}")]
    NotPem(String),
    #[error("the control plane's CA cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// The first certificate of a PEM text, in DER.
///
/// # Errors
/// There is none.
pub fn certificate(pem: &str) -> Result<CertificateDer<'static>, TlsError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| TlsError::NotPem(error.to_string()))
}

/// SHA-256 of the certificate in DER, as an enrollment token carries it.
#[must_use]
pub fn fingerprint(certificate: &CertificateDer<'_>) -> Sha256Digest {
    Sha256Digest::of(certificate)
}

/// Trusts certificates of this authority and no other.
///
/// # Errors
/// The authority is not a usable certificate.
pub fn trusting(ca_pem: &str) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(ca_pem)?)?;
    Ok(builder()?.with_root_certificates(roots).with_no_client_auth())
}

/// Trusts anybody: for the one request that fetches the CA, before it is compared with the token's digest. Nothing secret may
/// travel over it.
///
/// # Errors
/// The cryptographic provider does not support the protocol versions.
pub(crate) fn trusting_anybody() -> Result<ClientConfig, TlsError> {
    let verifier = Arc::new(Anybody { provider: ring::default_provider() });
    Ok(builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// For plain HTTP to the machine's own services; trusts nobody.
pub(crate) fn trusting_nobody() -> Result<ClientConfig, TlsError> {
    Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, rustls::Error> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions()
}

#[derive(Debug)]
struct Anybody {
    provider: CryptoProvider,
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
