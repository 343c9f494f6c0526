//! Regions: where applications run.

use async_graphql::{Context, ID, Object, SimpleObject};
use slipway_store as store;

use crate::graphql::{context::Request, error::Result, load, scalar::BigInt};

/// Where worker nodes stand.
pub struct Region(pub(crate) store::regions::Region);

/// Where worker nodes stand.
#[Object]
impl Region {
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

    /// ISO 3166-1 alpha-2.
    async fn country(&self) -> Option<&str> {
        self.0.country.as_deref()
    }

    /// Whether it is offered.
    async fn active(&self) -> bool {
        self.0.active
    }

    /// Whether it is offered and has a node that takes applications.
    async fn available(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(self.0.active && ctx.rows().need_of(load::RoomIn(self.0.id)).await?)
    }
}

/// What there is, and what is spoken for.
#[derive(Debug, Clone, Default, SimpleObject)]
pub struct Capacity {
    /// Thousandths of one CPU.
    pub cpu_millis: i64,
    /// Memory, in bytes.
    pub memory_bytes: BigInt,
    /// Room on disk, in bytes.
    pub storage_bytes: BigInt,
    /// Of these, promised to instances.
    pub cpu_millis_allocated: i64,
    /// Of these, promised to instances.
    pub memory_bytes_allocated: BigInt,
    /// Of these, promised to instances.
    pub storage_bytes_allocated: BigInt,
    /// Instances that are wanted there.
    pub instances: i64,
}
