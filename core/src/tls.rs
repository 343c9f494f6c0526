//! The certificate authority that agents trust, and no other.
//!
//! It is made when a platform first starts and kept encrypted in the database. Its certificate's digest travels in every
//! enrollment token, so that an agent knows whom it talks to before it says anything. The listener's own certificate is issued
//! anew at each start, for the hosts of that start's configuration.

use std::sync::Arc;

use chrono::{Datelike, TimeDelta};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use slipway_model::{Secret, Sha256Digest, Timestamp};

const CA_YEARS: i32 = 30;
/// Longer than any process runs without a restart.
const SERVER_YEARS: i32 = 5;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("certificate of the agent listener: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("TLS configuration of the agent listener: {0}")]
    Configuration(#[from] rustls::Error),
    #[error("the stored certificate of the agents' authority cannot be read")]
    Unreadable,
}

/// The authority: its certificate is public, its key is not.
#[derive(Clone)]
pub struct Authority {
    certificate_pem: String,
    certificate: CertificateDer<'static>,
    key_pem: Secret,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// The machine has no randomness.
    pub fn create(now: Timestamp) -> Result<Self, TlsError> {
        let key = KeyPair::generate()?;
        let certificate = parameters(now).self_signed(&key)?;
        Ok(Self { certificate_pem: certificate.pem(), certificate: certificate.der().clone(), key_pem: Secret::new(key.serialize_pem()) })
    }

    /// The one that was stored.
    ///
    /// # Errors
    /// It is not what was stored.
    pub fn restore(certificate_pem: String, key_pem: Secret) -> Result<Self, TlsError> {
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).map_err(|_| TlsError::Unreadable)?;
        KeyPair::from_pem(key_pem.expose())?;
        Ok(Self { certificate_pem, certificate, key_pem })
    }

    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    #[must_use]
    pub fn key_pem(&self) -> &Secret {
        &self.key_pem
    }

    /// SHA-256 of the certificate in DER: what enrollment tokens carry.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(&self.certificate)
    }

    /// The listener's configuration, with a fresh key and certificate for `hosts` (names or addresses).
    ///
    /// # Errors
    /// A host is neither a name nor an address.
    pub fn server_config(&self, hosts: &[String], now: Timestamp) -> Result<rustls::ServerConfig, TlsError> {
        let issuer = Issuer::new(parameters(now), KeyPair::from_pem(self.key_pem.expose())?);
        let key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(hosts)?;
        leaf.distinguished_name = named("Slipway agent listener");
        leaf.use_authority_key_identifier_extension = true;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        valid(&mut leaf, now, SERVER_YEARS);
        let certificate = leaf.signed_by(&key, &issuer)?;
        let private_key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone(), self.certificate.clone()], private_key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("digest", &self.digest()).finish_non_exhaustive()
    }
}

/// The authority's own parameters. Issuing needs its name and usages alone, so that they need not be parsed from the certificate.
fn parameters(now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("Slipway agents");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut params, now, CA_YEARS);
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// From two days ago, because clocks are wrong.
fn valid(params: &mut CertificateParams, now: Timestamp, years: i32) {
    let from = now - TimeDelta::days(2);
    let day = |year: i32| date_time_ymd(year, u8::try_from(from.month()).unwrap_or(1), u8::try_from(from.day().min(28)).unwrap_or(1));
    params.not_before = day(from.year());
    params.not_after = day(from.year() + years);
}

#[cfg(test)]
mod tests {
    use slipway_model::system_clock;

    use super::*;

    #[test]
    fn a_stored_authority_is_the_same_authority() {
        let now = system_clock().now();
        let made = Authority::create(now).unwrap();
        let restored = Authority::restore(made.certificate_pem().to_owned(), made.key_pem().clone()).unwrap();
        assert_eq!(made.digest(), restored.digest());
        assert!(restored.server_config(&["core.example".into(), "127.0.0.1".into()], now).is_ok());
        assert!(!format!("{made:?}").contains("PRIVATE KEY"));
    }
}
