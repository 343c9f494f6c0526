//! What is on offer: plans, runtimes, regions. The administrator's.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};

use crate::{
    graphql::{
        access::{Permission, Role, permitted},
        context::{Request, id},
        error::{Result, answer, payloads},
        scalar::{BigInt, Decimal},
        types::{Plan, Region, Runtime},
    },
    plans::{self, PlanFields},
    regions::{self, NewRegion},
    runtimes,
};

/// A plan to offer.
#[derive(InputObject)]
struct PlanCreateInput {
    /// Short name, unique on the platform.
    slug: String,
    /// What people call it.
    name: String,
    /// Whom it suits.
    description: Option<String>,
    /// Thousandths of one CPU.
    cpu_millis: i64,
    /// Memory, in bytes.
    memory_bytes: BigInt,
    /// Room on disk, in bytes.
    storage_bytes: BigInt,
    /// How many instances of one application it allows.
    #[graphql(default = 1)]
    max_instances: i64,
    /// What one instance costs per hour, in the platform's currency.
    price_hourly: Decimal,
    /// What one instance costs per month, as it is advertised.
    price_monthly: Decimal,
    /// The kinds of runtimes that it is for; left out: all.
    runtimes: Option<Vec<String>>,
    /// Whether it is offered at once.
    #[graphql(default = true)]
    active: bool,
    /// Where it stands in lists.
    #[graphql(default = 0)]
    sort_order: i64,
}

/// What shall be different of a plan; what is left out stays.
#[derive(InputObject)]
struct PlanUpdateInput {
    /// The plan.
    id: ID,
    /// Refuse if it is no longer of this version.
    expected_version: Option<i64>,
    /// What people call it.
    name: Option<String>,
    /// Whom it suits.
    description: Option<String>,
    /// Thousandths of one CPU.
    cpu_millis: Option<i64>,
    /// Memory, in bytes.
    memory_bytes: Option<BigInt>,
    /// Room on disk, in bytes.
    storage_bytes: Option<BigInt>,
    /// How many instances of one application it allows.
    max_instances: Option<i64>,
    /// What one instance costs per hour. Instances that run keep the rate they started with.
    price_hourly: Option<Decimal>,
    /// What one instance costs per month, as it is advertised.
    price_monthly: Option<Decimal>,
    /// The kinds of runtimes that it is for; `null`: all.
    runtimes: MaybeUndefined<Vec<String>>,
    /// Whether it is offered.
    active: Option<bool>,
    /// Where it stands in lists.
    sort_order: Option<i64>,
}

/// Which plan goes.
#[derive(InputObject)]
struct PlanDeleteInput {
    /// One that nothing uses.
    id: ID,
}

/// What shall be different of a runtime; what is left out stays.
#[derive(InputObject)]
struct RuntimeUpdateInput {
    /// The runtime.
    id: ID,
    /// Whether it is offered.
    active: Option<bool>,
}

/// A region to offer.
#[derive(InputObject)]
struct RegionCreateInput {
    /// Short name, unique on the platform.
    slug: String,
    /// What people call it.
    name: String,
    /// ISO 3166-1 alpha-2, such as `DE`.
    country: Option<String>,
}

/// What shall be different of a region; what is left out stays.
#[derive(InputObject)]
struct RegionUpdateInput {
    /// The region.
    id: ID,
    /// What people call it.
    name: Option<String>,
    /// Whether it is offered.
    active: Option<bool>,
}

payloads! {
    /// What `planCreate` answers.
    PlanCreatePayload {
        /// The new plan.
        plan: Plan,
    }
    /// What `planUpdate` answers.
    PlanUpdatePayload {
        /// The plan as it is now.
        plan: Plan,
    }
    /// What `planDelete` answers.
    PlanDeletePayload {
        /// The plan that went.
        deleted_id: ID,
    }
    /// What `runtimeUpdate` answers.
    RuntimeUpdatePayload {
        /// The runtime as it is now.
        runtime: Runtime,
    }
    /// What `regionCreate` answers.
    RegionCreatePayload {
        /// The new region.
        region: Region,
    }
    /// What `regionUpdate` answers.
    RegionUpdatePayload {
        /// The region as it is now.
        region: Region,
    }
}

#[derive(Default)]
pub(super) struct CatalogMutation;

#[Object]
impl CatalogMutation {
    /// Makes a plan. An active one is offered at once.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformWrite))]
    async fn plan_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A plan to offer.")] input: PlanCreateInput,
    ) -> Result<PlanCreatePayload> {
        let fields = PlanFields {
            name: Some(input.name),
            description: input.description,
            cpu_millis: Some(input.cpu_millis),
            memory_bytes: Some(input.memory_bytes.0),
            storage_bytes: Some(input.storage_bytes.0),
            max_instances: Some(input.max_instances),
            price_hourly: Some(input.price_hourly.0),
            price_monthly: Some(input.price_monthly.0),
            runtimes: Some(input.runtimes),
            active: Some(input.active),
            sort_order: Some(input.sort_order),
        };
        let outcome = plans::create(ctx.platform(), ctx.viewer()?, input.slug, fields).await;
        answer(outcome, |plan| PlanCreatePayload { plan: Some(Plan(plan)), ..Default::default() })
    }

    /// Changes a plan. A changed price applies to what is deployed later.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformWrite))]
    async fn plan_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What shall be different.")] input: PlanUpdateInput,
    ) -> Result<PlanUpdatePayload> {
        let fields = PlanFields {
            name: input.name,
            description: input.description,
            cpu_millis: input.cpu_millis,
            memory_bytes: input.memory_bytes.map(|value| value.0),
            storage_bytes: input.storage_bytes.map(|value| value.0),
            max_instances: input.max_instances,
            price_hourly: input.price_hourly.map(|value| value.0),
            price_monthly: input.price_monthly.map(|value| value.0),
            runtimes: match input.runtimes {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(runtimes) => Some(Some(runtimes)),
            },
            active: input.active,
            sort_order: input.sort_order,
        };
        let outcome = async { plans::update(ctx.platform(), ctx.viewer()?, id("id", &input.id)?, input.expected_version, fields).await };
        answer(outcome.await, |plan| PlanUpdatePayload { plan: Some(Plan(plan)), ..Default::default() })
    }

    /// Deletes a plan that nothing uses. Deactivate one that is in use.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformWrite))]
    async fn plan_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which plan goes.")] input: PlanDeleteInput,
    ) -> Result<PlanDeletePayload> {
        let outcome = async { plans::delete(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |id| PlanDeletePayload { deleted_id: Some(ID(id.to_string())), ..Default::default() })
    }

    /// Offers a runtime, or no longer. What runs on it goes on.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformWrite))]
    async fn runtime_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What shall be different.")] input: RuntimeUpdateInput,
    ) -> Result<RuntimeUpdatePayload> {
        let outcome = async { runtimes::set_active(ctx.platform(), ctx.viewer()?, id("id", &input.id)?, input.active).await };
        answer(outcome.await, |runtime| RuntimeUpdatePayload { runtime: Some(Runtime(runtime)), ..Default::default() })
    }

    /// Makes a region.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformWrite))]
    async fn region_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A region to offer.")] input: RegionCreateInput,
    ) -> Result<RegionCreatePayload> {
        let new = NewRegion { slug: input.slug, name: input.name, country: input.country };
        let outcome = regions::create(ctx.platform(), ctx.viewer()?, new).await;
        answer(outcome, |region| RegionCreatePayload { region: Some(Region(region)), ..Default::default() })
    }

    /// Changes a region.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformWrite))]
    async fn region_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What shall be different.")] input: RegionUpdateInput,
    ) -> Result<RegionUpdatePayload> {
        let outcome = async { regions::update(ctx.platform(), ctx.viewer()?, id("id", &input.id)?, input.name, input.active).await };
        answer(outcome.await, |region| RegionUpdatePayload { region: Some(Region(region)), ..Default::default() })
    }
}
