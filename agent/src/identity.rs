//! Who this node is: its id, its key, and the one certificate authority that it believes.

use std::io;
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};
use slipway_model::{Clock, NodeId, Secret};
use slipway_protocol::{challenge_payload, renewal_payload};

use crate::durable;

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("cannot read or write the node's identity {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("the node's identity {path} is damaged: {reason}; remove the file and enroll the node again")]
    Damaged { path: PathBuf, reason: String },
}

/// What [`crate::enroll`] leaves on the node.
#[derive(Clone)]
pub struct Identity {
    pub node: NodeId,
    /// The core's CA in PEM.
    pub ca_pem: String,
    key: SigningKey,
    /// Made in its place, and not known to be kept by the core yet.
    next: Option<SigningKey>,
}

/// The file's form.
#[derive(Serialize, Deserialize)]
struct Stored {
    node: NodeId,
    ca_pem: String,
    #[serde(serialize_with = "Secret::expose_on_wire")]
    private_key: Secret,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "expose_if_any")]
    next_private_key: Option<Secret>,
}

fn expose_if_any<S: serde::Serializer>(key: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    key.as_ref().map(Secret::expose).serialize(serializer)
}

impl Identity {
    #[must_use]
    pub fn new(node: NodeId, ca_pem: String, key: SigningKey) -> Self {
        Self { node, ca_pem, key, next: None }
    }

    /// Proves to the core that this node has its key.
    #[must_use]
    pub fn sign(&self, nonce: &str) -> String {
        hex::encode(self.key.sign(&challenge_payload(nonce, self.node)).to_bytes())
    }

    /// Makes another key beside the present one. Gives its public half, and the proof that this node has the private one.
    pub fn make_next(&mut self, clock: &dyn Clock) -> (String, String) {
        let mut seed = [0; 32];
        clock.fill(&mut seed);
        let key = SigningKey::from_bytes(&seed);
        let public_key = hex::encode(key.verifying_key().as_bytes());
        let signature = hex::encode(key.sign(&renewal_payload(&public_key, self.node)).to_bytes());
        self.next = Some(key);
        (public_key, signature)
    }

    /// The core knows the key that was made: it is the present one from now on. `false`: that is not the one.
    pub fn take_next(&mut self, public_key: &str) -> bool {
        match self.next.take_if(|next| hex::encode(next.verifying_key().as_bytes()) == public_key) {
            Some(next) => {
                self.key = next;
                true
            }
            None => false,
        }
    }

    /// The identity in this data folder; `None` if the node was never enrolled.
    ///
    /// # Errors
    /// The file cannot be read or is damaged.
    pub fn load(data_dir: &Path) -> Result<Option<Self>, IdentityError> {
        let path = path(data_dir);
        let Some(bytes) = durable::read(&path).map_err(|source| IdentityError::Io { path: path.clone(), source })? else {
            return Ok(None);
        };
        let damaged = |reason: String| IdentityError::Damaged { path: path.clone(), reason };
        let stored: Stored = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        let key = parse_key(&stored.private_key).ok_or_else(|| damaged("its key is not 32 bytes in hexadecimal".into()))?;
        let next = stored.next_private_key.as_ref().and_then(parse_key);
        Ok(Some(Self { node: stored.node, ca_pem: stored.ca_pem, key, next }))
    }

    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, data_dir: &Path) -> Result<(), IdentityError> {
        let path = path(data_dir);
        let hexadecimal = |key: &SigningKey| hex::encode(key.to_bytes());
        let stored = Stored {
            node: self.node,
            ca_pem: self.ca_pem.clone(),
            private_key: Secret::new(hexadecimal(&self.key)),
            next_private_key: self.next.as_ref().map(|key| Secret::new(hexadecimal(key))),
        };
        let bytes = serde_json::to_vec_pretty(&stored).map_err(io::Error::from);
        let written = bytes.and_then(|bytes| {
            durable::private_folder(data_dir)?;
            durable::write(&path, &bytes)
        });
        written.map_err(|source| IdentityError::Io { path, source })
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("node", &self.node).finish_non_exhaustive()
    }
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("identity.json")
}

pub(crate) fn parse_key(hexadecimal: &Secret) -> Option<SigningKey> {
    let bytes: [u8; 32] = hex::decode(hexadecimal.expose().trim()).ok()?.try_into().ok()?;
    Some(SigningKey::from_bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use slipway_model::system_clock;

    use super::*;

    #[test]
    fn an_identity_survives_its_file_and_signs_for_this_node_alone() {
        use ed25519_dalek::{Signature, Verifier};

        let folder = tempfile::tempdir().unwrap();
        assert!(Identity::load(folder.path()).unwrap().is_none());
        let node = NodeId::new(&*system_clock());
        let key = SigningKey::from_bytes(&[9; 32]);
        Identity::new(node, "ca".into(), key.clone()).save(folder.path()).unwrap();
        let read = Identity::load(folder.path()).unwrap().unwrap();
        assert_eq!((read.node, read.ca_pem.as_str()), (node, "ca"));

        let signature: [u8; 64] = hex::decode(read.sign("n1")).unwrap().try_into().unwrap();
        let signature = Signature::from_bytes(&signature);
        assert!(key.verifying_key().verify(&challenge_payload("n1", node), &signature).is_ok());
        assert!(key.verifying_key().verify(&challenge_payload("n2", node), &signature).is_err());
        assert!(!format!("{read:?}").contains("0909"));
    }

    #[test]
    fn a_damaged_identity_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(path(folder.path()), b"{").unwrap();
        let error = Identity::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains("enroll the node again"), "{error}");
    }
}
