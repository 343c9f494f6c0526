//! Regions: where applications run.

use async_graphql::{Context, ID, Object, SimpleObject};
use slipway_model::{Permission, Resources};
use slipway_store as store;

use crate::graphql::{
    connection::WorkerNodeConnection, context::Request, cost::cost, error::Result, lists, load, page::page, scalar::BigInt,
};

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

    /// What its nodes that take applications have, and what of it is promised. Only administrators of the platform see this.
    async fn capacity(&self, ctx: &Context<'_>) -> Result<Option<Capacity>> {
        if !may_see_nodes(ctx) {
            return Ok(None);
        }
        let room = ctx.rows().need_of(load::TakenIn(self.0.id)).await?;
        Ok(Some(Capacity::of(&room.total, &room.allocated)))
    }

    /// The worker nodes that stand there, newest first; revoked ones too. Only administrators of the platform see this.
    #[graphql(directive = cost::apply(1, cost::page()))]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Option<WorkerNodeConnection>> {
        let page = page(first, after, last, before)?;
        if !may_see_nodes(ctx) {
            return Ok(None);
        }
        Ok(Some(ctx.rows().list(lists::NodesIn {}, self.0.id, page).await?.into()))
    }
}

fn may_see_nodes(ctx: &Context<'_>) -> bool {
    ctx.viewer().is_ok_and(|viewer| viewer.may_on_platform(Permission::NodeRead))
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

impl Capacity {
    pub(crate) fn of(total: &Resources, allocated: &store::nodes::Allocated) -> Self {
        Self {
            cpu_millis: total.cpu_millis,
            memory_bytes: BigInt(total.memory_bytes),
            storage_bytes: BigInt(total.storage_bytes),
            cpu_millis_allocated: allocated.resources.cpu_millis,
            memory_bytes_allocated: BigInt(allocated.resources.memory_bytes),
            storage_bytes_allocated: BigInt(allocated.resources.storage_bytes),
            instances: allocated.instances,
        }
    }
}
