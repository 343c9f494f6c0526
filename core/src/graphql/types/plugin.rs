//! Plugins.

use async_graphql::{ID, Object};
use chrono::{DateTime, Utc};

use super::state::{PluginCapability, PluginStatus};
use crate::plugins::Installed;

/// A native plugin of the platform.
pub struct Plugin(pub(crate) Installed);

/// A native plugin of the platform.
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

    /// When it was first found.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}
