//! What is on offer: plans, runtimes, regions.

use async_graphql::{Context, ID, Object};
use slipway_model::Money as Amount;

use crate::{
    error::UserError,
    graphql::{
        access::{Role, auth},
        connection::{PlanConnection, RegionConnection, RuntimeConnection},
        context::{Request, id, id_if},
        cost::cost,
        error::Result,
        page::page,
        scalar::Slug,
        types::{Plan, Region, Runtime, money::Money},
    },
    plans, regions, runtimes,
};

#[derive(Default)]
pub(super) struct CatalogQuery;

#[Object]
#[allow(clippy::too_many_arguments, reason = "they are the arguments of a Relay connection and its filters")]
impl CatalogQuery {
    /// A plan by its id or its slug.
    #[graphql(directive = auth::apply(Role::Anyone))]
    async fn plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Option<ID>,
        #[graphql(desc = "Its short name.")] slug: Option<String>,
    ) -> Result<Option<Plan>> {
        let found = match (id_if("id", id.as_ref()), slug) {
            (Ok(Some(id)), _) => plans::find(ctx.platform(), id).await?,
            (Ok(None), Some(slug)) => plans::by_slug(ctx.platform(), &slug).await?,
            (Ok(None) | Err(_), _) => None,
        };
        Ok(found.map(Plan))
    }

    /// The plans, oldest first.
    #[graphql(directive = auth::apply(Role::Anyone), directive = cost::apply(1, cost::page()))]
    async fn plans(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only those on offer.", default_with = "Some(true)")] active_only: Option<bool>,
    ) -> Result<PlanConnection> {
        let page = page(first, after, last, before)?;
        Ok(plans::list(ctx.platform(), active_only.unwrap_or(true), &page).await?.into())
    }

    /// A runtime by its id or its slug.
    #[graphql(directive = auth::apply(Role::Anyone))]
    async fn runtime(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Option<ID>,
        #[graphql(desc = "Its short name, such as `node-22`.")] slug: Option<String>,
    ) -> Result<Option<Runtime>> {
        let found = match (id_if("id", id.as_ref()), slug) {
            (Ok(Some(id)), _) => runtimes::find(ctx.platform(), id).await?,
            (Ok(None), Some(slug)) => runtimes::by_slug(ctx.platform(), &slug).await?,
            (Ok(None) | Err(_), _) => None,
        };
        Ok(found.map(Runtime))
    }

    /// The runtimes that the enabled plugins bring, oldest first.
    #[graphql(directive = auth::apply(Role::Anyone), directive = cost::apply(1, cost::page()))]
    async fn runtimes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only versions of this, such as `node`.")] kind: Option<Slug>,
        #[graphql(desc = "Only those on offer.", default_with = "Some(true)")] active_only: Option<bool>,
    ) -> Result<RuntimeConnection> {
        let page = page(first, after, last, before)?;
        let kind = kind.as_ref().map(|kind| kind.0.as_str());
        Ok(runtimes::list(ctx.platform(), kind, active_only.unwrap_or(true), &page).await?.into())
    }

    /// A region by its id or its slug.
    #[graphql(directive = auth::apply(Role::Anyone))]
    async fn region(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Option<ID>,
        #[graphql(desc = "Its short name.")] slug: Option<String>,
    ) -> Result<Option<Region>> {
        let found = match (id_if("id", id.as_ref()), slug) {
            (Ok(Some(id)), _) => regions::find(ctx.platform(), id).await?,
            (Ok(None), Some(slug)) => regions::by_slug(ctx.platform(), &slug).await?,
            (Ok(None) | Err(_), _) => None,
        };
        Ok(found.map(Region))
    }

    /// The regions, oldest first.
    #[graphql(directive = auth::apply(Role::Anyone), directive = cost::apply(1, cost::page()))]
    async fn regions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only those on offer that have a node which takes applications.", default_with = "Some(true)")]
        available_only: Option<bool>,
    ) -> Result<RegionConnection> {
        let page = page(first, after, last, before)?;
        Ok(regions::list(ctx.platform(), available_only.unwrap_or(true), &page).await?.into())
    }

    /// What instances of a plan cost per hour.
    #[graphql(directive = auth::apply(Role::Anyone))]
    async fn cost_estimate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The plan.")] plan_id: ID,
        #[graphql(desc = "How many instances.", default_with = "Some(1)")] instances: Option<i32>,
    ) -> Result<Money> {
        let plan = plans::find(ctx.platform(), id("planId", &plan_id)?).await?;
        let plan = plan.ok_or_else(|| UserError::not_found("planId", "plan"))?;
        let nanos = plan.price_hourly.nanos().saturating_mul(i64::from(instances.unwrap_or(1).max(0)));
        Ok(Money::new(Amount::from_nanos(nanos), ctx.platform().config.currency))
    }
}
