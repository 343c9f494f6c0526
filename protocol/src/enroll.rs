//! How a new node becomes known.

use std::{fmt, str::FromStr};

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use slipway_model::{NodeId, Secret, Sha256Digest};

use crate::NodeFacts;

/// `GET`: the core's CA certificate in PEM, fetched without trust and then compared with the token's digest.
pub const CA_PATH: &str = "/agent/ca.pem";
/// `POST` an [`EnrollRequest`], over TLS that trusts that CA alone.
pub const ENROLL_PATH: &str = "/agent/enroll";

/// A single-use invitation for one node: `slipway_join_` + URL-safe base 64 of 32 bytes of CA digest and 32 random bytes.
#[derive(Clone)]
pub struct EnrollmentToken {
    /// SHA-256 of the CA certificate in DER. The agent talks to nobody else.
    pub ca: Sha256Digest,
    /// What proves the invitation; the core keeps only its SHA-256.
    pub secret: [u8; 32],
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an enrollment token (expected `slipway_join_…`, complete, as the control plane printed it)")]
pub struct ParseTokenError;

const TOKEN_PREFIX: &str = "slipway_join_";

impl EnrollmentToken {
    /// The text that is handed to the node's administrator, once.
    #[must_use]
    pub fn to_secret(&self) -> Secret {
        let mut bytes = self.ca.as_bytes().to_vec();
        bytes.extend_from_slice(&self.secret);
        Secret::new(format!("{TOKEN_PREFIX}{}", BASE64URL_NOPAD.encode(&bytes)))
    }

    /// What the core compares with.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        Sha256Digest::of(&self.secret)
    }
}

impl fmt::Debug for EnrollmentToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrollmentToken").field("ca", &self.ca).finish_non_exhaustive()
    }
}

impl FromStr for EnrollmentToken {
    type Err = ParseTokenError;

    fn from_str(text: &str) -> Result<Self, ParseTokenError> {
        let encoded = text.trim().strip_prefix(TOKEN_PREFIX).ok_or(ParseTokenError)?;
        let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| ParseTokenError)?;
        let bytes: [u8; 64] = bytes.try_into().map_err(|_| ParseTokenError)?;
        let (mut ca, mut secret) = ([0; 32], [0; 32]);
        ca.copy_from_slice(&bytes[..32]);
        secret.copy_from_slice(&bytes[32..]);
        Ok(Self { ca: Sha256Digest::from_bytes(ca), secret })
    }
}

#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct EnrollRequest {
    #[serde(serialize_with = "Secret::expose_on_wire")]
    pub token: Secret,
    /// Ed25519, 32 bytes in hexadecimal, made by the agent; the private half never leaves the node.
    pub public_key: String,
    /// What the node calls itself, unless the token names it.
    pub name: String,
    pub facts: NodeFacts,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct EnrollResponse {
    pub node_id: NodeId,
}

/// The body of a 4xx answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct EnrollRefusal {
    /// `TOKEN_INVALID` (unknown, used, expired or revoked: the same answer) or `BAD_REQUEST`.
    pub code: String,
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_text_and_hides_its_secret() {
        let token = EnrollmentToken { ca: Sha256Digest::of(b"ca"), secret: [7; 32] };
        let read: EnrollmentToken = token.to_secret().expose().parse().unwrap();
        assert_eq!((read.ca, read.secret), (token.ca, token.secret));
        assert_eq!(format!("{token:?}"), format!("EnrollmentToken {{ ca: {:?}, .. }}", token.ca));
        assert_eq!("slipway_join_abc".parse::<EnrollmentToken>().unwrap_err(), ParseTokenError);
    }
}
