//! Plugins.

use async_graphql::{Enum, ID, Object};
use chrono::{DateTime, Utc};
use slipway_plugin_host as host;

use super::state::{PluginCapability, PluginStatus};
use crate::{
    graphql::scalar::BigInt,
    plugins::{self, Installed},
};

/// What a plugin is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "host::Form")]
pub enum PluginForm {
    /// Machine code.
    Native,
    /// A WebAssembly component.
    Wasm,
}

/// What stands between a plugin and the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "host::Isolation")]
pub enum PluginIsolation {
    /// Nothing: it came with the platform and runs in its process.
    None,
    /// A process of its own, without rights.
    Process,
    /// A WebAssembly sandbox.
    Sandbox,
}

/// What a plugin asks for, and an administrator grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "plugins::Grant")]
pub enum PluginGrant {
    /// To run machine code, in a process of its own without rights.
    NativeCode,
    /// To have agents run its buildpack, in a sandbox, on customers' sources.
    Buildpack,
}

/// A plugin of the platform.
pub struct Plugin(pub(crate) Installed);

/// A plugin of the platform.
#[Object]
impl Plugin {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Its short name, unique on the platform, such as `runtime-node`.
    async fn name(&self) -> &str {
        &self.0.plugin_id
    }

    /// What people call it.
    async fn title(&self) -> &str {
        &self.0.name
    }

    /// Its own version.
    async fn version(&self) -> &str {
        &self.0.version
    }

    /// What it is good for.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// What it is for.
    async fn capabilities(&self) -> Vec<PluginCapability> {
        self.0.kind.map(Into::into).into_iter().collect()
    }

    /// Whether it is at work.
    async fn status(&self) -> PluginStatus {
        self.0.status.into()
    }

    /// Why, where that is not plain.
    async fn status_reason(&self) -> Option<&str> {
        self.0.status_reason.as_deref()
    }

    /// SHA-256 of its library.
    async fn sha256(&self) -> Option<&str> {
        self.0.sha256.as_deref()
    }

    /// What it is made of.
    async fn form(&self) -> Option<PluginForm> {
        self.0.form.map(Into::into)
    }

    /// What stands between it and the platform; nothing is told of one that could not be loaded.
    async fn isolation(&self) -> Option<PluginIsolation> {
        self.0.isolation.map(Into::into)
    }

    /// What it asks for.
    async fn grants(&self) -> Vec<PluginGrant> {
        self.0.asks_for.iter().copied().map(Into::into).collect()
    }

    /// SHA-256 of the archive that it was installed from; nothing where it came with the platform.
    async fn archive_sha256(&self) -> Option<String> {
        self.0.archive_sha256.map(|sha256| sha256.to_string())
    }

    /// JSON schema of its settings; without one it has none. Properties that are `writeOnly` are secrets.
    async fn settings_schema(&self) -> Option<&serde_json::Value> {
        self.0.settings_schema.as_ref()
    }

    /// Its settings, where it was given any. In the place of a secret stands `…`.
    async fn settings(&self) -> Option<&serde_json::Value> {
        self.0.settings.as_ref()
    }

    /// Calls since the platform started.
    async fn calls(&self) -> BigInt {
        count(self.0.stats.calls)
    }

    /// Of its calls, those that it answered with a refusal for the person whose request it was.
    async fn refusals(&self) -> BigInt {
        count(self.0.stats.refusals)
    }

    /// Of its calls, those that came to nothing.
    async fn failures(&self) -> BigInt {
        count(self.0.stats.errors)
    }

    /// What it did that no plugin should do, since it was loaded or last released. At three it is quarantined.
    async fn strikes(&self) -> BigInt {
        count(self.0.stats.strikes)
    }

    /// Times that its process or sandbox was started anew.
    async fn restarts(&self) -> BigInt {
        count(self.0.stats.restarts)
    }

    /// Of its last calls, the 99th percentile of the time they took, in microseconds.
    async fn p99_call_micros(&self) -> Option<BigInt> {
        self.0.stats.p99_micros.map(count)
    }

    /// When it was put aside, while it is quarantined.
    async fn quarantined_at(&self) -> Option<DateTime<Utc>> {
        self.0.quarantined_at
    }

    /// When it was first found.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

fn count(count: u64) -> BigInt {
    BigInt(i64::try_from(count).unwrap_or(i64::MAX))
}
