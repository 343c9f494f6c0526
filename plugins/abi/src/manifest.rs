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

/// What a plugin is made of, and so how it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A shared object for this machine. Unless it came with the platform it runs in a process of its own.
    #[default]
    Native,
    /// A WebAssembly component, which runs in a sandbox and needs no trust.
    Wasm,
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Wasm => "wasm",
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
    #[serde(default)]
    pub form: Form,
    /// File name of the library, beside the manifest: a shared object or a component, as the form says.
    pub library: String,
    /// Runtime plugins: file name of the buildpack component, beside the manifest.
    #[serde(default)]
    pub buildpack: Option<String>,
    /// JSON schema of its settings.
    #[serde(default)]
    pub settings_schema: Option<serde_json::Value>,
}
