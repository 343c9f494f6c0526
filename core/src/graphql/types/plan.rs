//! Plans: what one instance gets, and what it costs.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use slipway_model::Permission;
use slipway_store as store;

use super::money::Money;
use crate::graphql::{context::Request, error::Result, load, scalar::BigInt};

/// What one instance gets, and what it costs.
pub struct Plan(pub(crate) store::plans::Plan);

/// What one instance gets, and what it costs.
#[Object]
impl Plan {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Short name, unique on the platform.
    async fn slug(&self) -> &str {
        self.0.slug.as_ref()
    }

    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// Whom it suits.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Thousandths of one CPU.
    async fn cpu_millis(&self) -> i64 {
        self.0.cpu_millis
    }

    /// Memory, in bytes.
    async fn memory_bytes(&self) -> BigInt {
        BigInt(self.0.memory_bytes)
    }

    /// Room on disk, in bytes.
    async fn storage_bytes(&self) -> BigInt {
        BigInt(self.0.storage_bytes)
    }

    /// How many instances of one application it allows.
    async fn max_instances(&self) -> i64 {
        self.0.max_instances
    }

    /// What one instance costs per hour.
    async fn price_hourly(&self, ctx: &Context<'_>) -> Money {
        Money::new(self.0.price_hourly, ctx.platform().config.currency)
    }

    /// What one instance costs per month, as it is advertised.
    async fn price_monthly(&self, ctx: &Context<'_>) -> Money {
        Money::new(self.0.price_monthly, ctx.platform().config.currency)
    }

    /// The kinds of runtimes that it is for; `null` for all.
    async fn runtimes(&self) -> Option<Vec<String>> {
        self.0.runtimes.clone()
    }

    /// Whether it is offered.
    async fn active(&self) -> bool {
        self.0.active
    }

    /// Where it stands in lists.
    async fn sort_order(&self) -> i64 {
        self.0.sort_order
    }

    /// Whether any application uses it; such a plan cannot be deleted.
    async fn in_use(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(ctx.rows().need_of(load::UsersOf(self.0.id)).await? > 0)
    }

    /// How many applications use it. Only administrators of the platform see this.
    async fn application_count(&self, ctx: &Context<'_>) -> Result<Option<i64>> {
        if !ctx.viewer().is_ok_and(|viewer| viewer.may_on_platform(Permission::PlatformRead)) {
            return Ok(None);
        }
        Ok(Some(ctx.rows().need_of(load::UsersOf(self.0.id)).await?))
    }

    /// Grows with every change; for `expectedVersion`.
    async fn version(&self) -> i64 {
        self.0.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}
