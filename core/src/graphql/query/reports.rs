//! How the platform is doing, and what it has room for.

use async_graphql::{Context, ID, Object};

use crate::{
    capacity,
    graphql::{
        access::{Permission, Role, permitted},
        context::{Request, id},
        cost::cost,
        error::Result,
        types::{
            WorkerNode,
            money::Money,
            report::{CapacityReport, PlatformStats, RegionCapacity},
        },
    },
    statistics,
};

#[derive(Default)]
pub(super) struct ReportQuery;

#[Object]
impl ReportQuery {
    /// How the platform is doing, in a few figures.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformRead), directive = cost::apply(100, None))]
    async fn platform_stats(&self, ctx: &Context<'_>) -> Result<PlatformStats> {
        let figures = statistics::of_platform(ctx.platform(), ctx.viewer()?).await?;
        Ok(PlatformStats {
            applications: figures.applications,
            applications_running: figures.applications_running,
            nodes: figures.nodes,
            nodes_online: figures.nodes_online,
            deployments_last_24h: figures.deployments_last_24h,
            deployment_failure_rate: figures.deployment_failure_rate,
            builds_queued: figures.builds_queued,
            jobs_queued: figures.jobs_queued,
            oldest_job_seconds: figures.oldest_job_seconds,
            monthly_recurring_revenue: Money::new(figures.monthly_recurring_revenue, ctx.platform().config.currency),
        })
    }

    /// What each region has room for, and for how long.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::NodeRead), directive = cost::apply(100, None))]
    async fn capacity(&self, ctx: &Context<'_>) -> Result<CapacityReport> {
        let regions = capacity::report(ctx.platform(), ctx.viewer()?).await?;
        Ok(CapacityReport { regions: regions.into_iter().map(RegionCapacity).collect() })
    }

    /// The nodes that would take so many instances of a plan now, that which would be chosen first. None of them: there is no room.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::NodeRead), directive = cost::apply(20, None))]
    async fn placement_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The plan.")] plan_id: ID,
        #[graphql(desc = "The region.")] region_id: ID,
        #[graphql(desc = "How many instances, all on one node: 1 to 1000.", default = 1)] instances: i32,
    ) -> Result<Vec<WorkerNode>> {
        let (plan, region) = (id("planId", &plan_id)?, id("regionId", &region_id)?);
        let nodes = capacity::placement_preview(ctx.platform(), ctx.viewer()?, plan, region, instances).await?;
        Ok(nodes.into_iter().map(WorkerNode).collect())
    }
}
