//! Runtimes, as their plugins bring them.

use async_graphql::{ID, Object};
use chrono::{DateTime, Utc};
use slipway_store as store;

use crate::graphql::scalar::Slug;

/// One version of a language or platform that applications run on.
pub struct Runtime(pub(crate) store::runtimes::Runtime);

/// One version of a language or platform that applications run on.
#[Object]
impl Runtime {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Short name, unique on the platform, such as `node-22`.
    async fn slug(&self) -> &str {
        &self.0.slug
    }

    /// What it is a version of, such as `node`.
    async fn kind(&self) -> Slug {
        Slug(self.0.kind.clone())
    }

    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Such as `22` or `3.13`.
    async fn version(&self) -> &str {
        &self.0.version
    }

    /// The image that builds on it start from.
    async fn builder_image(&self) -> &str {
        &self.0.builder_image
    }

    /// The image that it runs in.
    async fn run_image(&self) -> &str {
        &self.0.run_image
    }

    /// Used where an application says nothing and nothing is detected.
    async fn default_build_command(&self) -> Option<&str> {
        self.0.default_build_command.as_deref()
    }

    /// Used where an application says nothing and nothing is detected.
    async fn default_start_command(&self) -> Option<&str> {
        self.0.default_start_command.as_deref()
    }

    /// The port that applications on it usually listen on.
    async fn default_port(&self) -> Option<i64> {
        self.0.default_port
    }

    /// Whether it is offered.
    async fn active(&self) -> bool {
        self.0.active
    }

    /// Whether it is the version taken where an application asks for none.
    async fn is_default(&self) -> bool {
        self.0.is_default
    }

    /// The id of the plugin that brings it.
    async fn plugin(&self) -> &str {
        &self.0.plugin
    }

    /// When its makers stop mending it.
    async fn eol_at(&self) -> Option<DateTime<Utc>> {
        self.0.eol_at
    }

    /// When it was first brought.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}
