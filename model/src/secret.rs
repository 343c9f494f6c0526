//! Text that must not be seen.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

/// A secret: it cannot be printed, is wiped when dropped, and has to be asked for by name to be read.
///
/// `Serialize` exists only through [`Secret::expose_on_wire`], for the encrypted channel to an agent.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(SecretString);

impl Secret {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// For `#[serde(serialize_with = "Secret::expose_on_wire")]` on a field that travels to an agent.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn expose_on_wire<S: Serializer>(secret: &Self, serializer: S) -> Result<S::Ok, S::Error> {
        secret.expose().serialize(serializer)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}
