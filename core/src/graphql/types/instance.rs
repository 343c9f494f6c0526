//! Instances: one running container each.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use slipway_model::Permission;
use slipway_store as store;

use super::{
    Application, Deployment, Organization, WorkerNode,
    metrics::{Asked, MetricName, MetricSeries},
    state::InstanceStatus,
};
use crate::graphql::{context::Request, cost::cost, error::Result};

/// One running container of an application.
pub struct ApplicationInstance(pub(crate) store::instances::Instance);

/// One running container of an application.
#[Object]
impl ApplicationInstance {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Whose it is.
    pub async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        Ok(Organization(ctx.rows().need(self.0.organization_id).await?))
    }

    /// What it is an instance of.
    async fn application(&self, ctx: &Context<'_>) -> Result<Application> {
        Ok(Application(ctx.rows().need(self.0.application_id).await?))
    }

    /// The deployment that brought it.
    async fn deployment(&self, ctx: &Context<'_>) -> Result<Deployment> {
        Ok(Deployment(ctx.rows().need(self.0.deployment_id).await?))
    }

    /// The machine it is on. Only administrators of the platform see this.
    async fn node(&self, ctx: &Context<'_>) -> Result<Option<WorkerNode>> {
        if !ctx.viewer()?.is_platform_admin() {
            return Ok(None);
        }
        Ok(ctx.rows().load(self.0.node_id).await?.map(WorkerNode))
    }

    /// The container's id in the node's engine, once its node has said so. Only administrators of the platform see this.
    async fn container_id(&self, ctx: &Context<'_>) -> Result<Option<&str>> {
        Ok(self.0.container_id.as_deref().filter(|_| ctx.viewer().is_ok_and(|viewer| viewer.may_on_platform(Permission::NodeRead))))
    }

    /// `web`, `worker`, ... as the build plan names it.
    async fn process(&self) -> &str {
        &self.0.process
    }

    /// Its number among those of the same process, from 0.
    async fn index(&self) -> i64 {
        self.0.instance_index
    }

    /// What it is doing.
    async fn status(&self) -> InstanceStatus {
        self.0.status.into()
    }

    /// Why, where that is not plain.
    async fn status_reason(&self) -> Option<&str> {
        self.0.status_reason.as_deref()
    }

    /// What it ended with.
    async fn exit_code(&self) -> Option<i64> {
        self.0.exit_code
    }

    /// How often it was started again.
    async fn restart_count(&self) -> i64 {
        self.0.restart_count
    }

    /// The last lines that it wrote before it ended.
    async fn last_lines(&self) -> Vec<String> {
        self.0.last_lines.clone().unwrap_or_default()
    }

    /// When it started.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.0.started_at
    }

    /// When it stopped.
    async fn stopped_at(&self) -> Option<DateTime<Utc>> {
        self.0.stopped_at
    }

    /// What it uses, over time. What visitors ask is told of its application: they do not come to one instance.
    #[graphql(directive = cost::apply(20, Some(vec!["names".to_owned()])))]
    async fn metrics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What shall be told; none named: everything.")] names: Vec<MetricName>,
        #[graphql(desc = "Where it begins.")] from: DateTime<Utc>,
        #[graphql(desc = "Before where it ends; left out: now.")] to: Option<DateTime<Utc>>,
        #[graphql(desc = "How long each step is: 10 to 86,400 seconds.", default_with = "Some(60)")] step_seconds: Option<i64>,
    ) -> Result<Vec<MetricSeries>> {
        Asked { names, from, to, step_seconds: step_seconds.unwrap_or(60) }.of_instance(ctx, self.0.id).await
    }
}
