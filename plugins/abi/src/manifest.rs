//! `plugin.toml`.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Runtime,
    Billing,
    Ingress,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Runtime => "runtime",
            Self::Billing => "billing",
            Self::Ingress => "ingress",
        })
    }
}

/// What a plugin says of itself, read before its library is touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `[a-z][a-z0-9-]*`, unique on the platform, such as `runtime-node`.
    pub id: String,
    pub name: String,
    /// Semantic version of the plugin itself.
    pub version: String,
    pub kind: Kind,
    #[serde(default)]
    pub description: String,
    /// Lowest and highest message version that it speaks.
    pub message_versions: [u32; 2],
    /// File name of the native library, beside the manifest.
    pub library: String,
    /// Runtime plugins: file name of the buildpack component, beside the manifest.
    #[serde(default)]
    pub buildpack: Option<String>,
    /// JSON schema of its settings.
    #[serde(default)]
    pub settings_schema: Option<serde_json::Value>,
}
