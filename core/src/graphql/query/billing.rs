//! What things cost and did.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use slipway_model::InvoiceId;

use crate::{
    billing::{invoices, quotes, reports},
    graphql::{
        access::{Permission, Role, auth, permitted},
        context::{Request, id, id_if},
        cost::cost,
        error::Result,
        types::{
            Invoice,
            billing::{CostEstimate, UsageReport},
            money::Money,
        },
    },
};

#[derive(Default)]
pub(super) struct BillingQuery;

#[Object]
impl BillingQuery {
    /// What so many instances of a plan would cost if they ran all the time.
    #[graphql(directive = auth::apply(Role::Anyone), directive = cost::apply(5, None))]
    async fn cost_estimate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The plan.")] plan_id: ID,
        #[graphql(desc = "How many: 1 to 1000.", default = 1)] instances: i64,
    ) -> Result<CostEstimate> {
        let estimate = quotes::of_plan(ctx.platform(), id("planId", &plan_id)?, instances).await?;
        let currency = ctx.platform().config.currency;
        Ok(CostEstimate { hourly: Money::new(estimate.hourly, currency), monthly: Money::new(estimate.monthly, currency) })
    }

    /// What was used in hours that begin in a span of time, by application. Of every organization together for administrators of the
    /// platform who name none.
    #[graphql(directive = permitted::apply(Role::OrgAdmin, Permission::BillingRead), directive = cost::apply(50, None))]
    async fn usage_report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose.")] organization_id: Option<ID>,
        #[graphql(desc = "From then on.")] from: DateTime<Utc>,
        #[graphql(desc = "Until then; at most three years later.")] to: DateTime<Utc>,
    ) -> Result<UsageReport> {
        let organization = id_if("organizationId", organization_id.as_ref())?;
        let rows = reports::charged(ctx.platform(), ctx.viewer()?, organization, from, to).await?;
        Ok(UsageReport { from, to, rows })
    }

    /// An invoice of an organization whose administrator you are.
    #[graphql(directive = permitted::apply(Role::OrgAdmin, Permission::BillingRead))]
    async fn invoice(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: ID) -> Result<Option<Invoice>> {
        let Ok(id) = id.parse::<InvoiceId>() else { return Ok(None) };
        Ok(invoices::find(ctx.platform(), ctx.viewer()?, id).await?.map(Invoice))
    }
}
