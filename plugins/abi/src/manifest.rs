//! `plugin.toml`.

use std::collections::BTreeMap;

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
    /// Ingress plugins: how the agents of nodes run the proxy. Without it, the routes are for the Traefik that agents know.
    #[serde(default)]
    pub proxy: Option<Proxy>,
}

/// What the agent of a node does with a proxy. In every text here, and in what the plugin renders, `@root@` stands for the folder
/// of the proxy's files, `@routes@` for that of the routes, and `@web@` for the address for visitors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// `[a-z][a-z0-9-]*`, such as `nginx`. Which file that is on a node, its administrator says: `slipway agent run --proxy`.
    pub program: String,
    /// What the name of every route file ends in, such as `.conf`.
    pub route_suffix: String,
    /// What a line of comment begins with in a route file; the agent writes one at the top of each.
    #[serde(default = "hash")]
    pub comment: String,
    /// The proxy's own files, which the agent writes to `@root@`, by name.
    pub files: BTreeMap<String, String>,
    /// Arguments with which it runs in the foreground, until SIGTERM.
    pub run: Vec<String>,
    /// Arguments with which it reads its files, says what is wrong with them, and ends with 0 if nothing is. Done on a copy, with
    /// every new route before that is put in place.
    pub check: Vec<String>,
    /// The signal at which the running proxy reads its files again: `HUP`, `USR1` or `USR2`.
    pub reload: String,
    /// A path at which every route answers by itself, with the header `x-slipway-route`. Without one, the application is asked
    /// for `/`, and may be slow to answer.
    #[serde(default)]
    pub confirm_path: Option<String>,
}

fn hash() -> String {
    "#".into()
}
