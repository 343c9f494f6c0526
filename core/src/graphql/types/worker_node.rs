//! Worker nodes, and the tokens that new ones join with.

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use slipway_store as store;

use super::{
    Region, User,
    metrics::{Asked, MetricName, MetricSeries},
    region::Capacity,
    state::NodeStatus,
};
use crate::graphql::{
    connection::ApplicationInstanceConnection, context::Request, cost::cost, error::Result, lists, load, page::page, scalar::Secret,
};

/// A machine that runs applications.
pub struct WorkerNode(pub(crate) store::nodes::Node);

/// A machine that runs applications.
#[Object]
impl WorkerNode {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// What people call it.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What is known of it.
    async fn status(&self) -> NodeStatus {
        self.0.status.into()
    }

    /// Where it stands.
    async fn region(&self, ctx: &Context<'_>) -> Result<Region> {
        Ok(Region(ctx.rows().need(self.0.region_id).await?))
    }

    /// Where visitors reach its ingress.
    async fn public_address(&self) -> Option<&str> {
        self.0.public_address.as_deref()
    }

    /// Version of its agent.
    async fn agent_version(&self) -> Option<&str> {
        self.0.agent_version.as_deref()
    }

    /// Version of its container engine.
    async fn docker_version(&self) -> Option<&str> {
        self.0.docker_version.as_deref()
    }

    /// Version of its kernel.
    async fn kernel_version(&self) -> Option<&str> {
        self.0.kernel_version.as_deref()
    }

    /// Its labels: names and values.
    async fn labels(&self) -> serde_json::Value {
        self.0.labels.clone()
    }

    /// Whether it takes no new deployments.
    async fn cordoned(&self) -> bool {
        self.0.cordoned
    }

    /// What it has, and what of it is promised.
    async fn capacity(&self, ctx: &Context<'_>) -> Result<Capacity> {
        let promised = ctx.rows().need_of(load::PromisedOn(self.0.id)).await?;
        Ok(Capacity::of(&self.0.resources(), &promised))
    }

    /// How much of it is used, by its last heartbeat.
    async fn utilization(&self) -> Utilization {
        Utilization {
            cpu_percent: self.0.cpu_percent,
            memory_percent: percent(self.0.memory_used_bytes, self.0.memory_bytes),
            storage_percent: percent(self.0.storage_used_bytes, self.0.storage_bytes),
            containers: self.0.containers,
        }
    }

    /// Whether its container engine answers.
    async fn docker_healthy(&self) -> bool {
        self.0.docker_healthy
    }

    /// Why no visitor can come in there: its proxy is not on the machine, or cannot be run. `null`: they can, as far as is known.
    async fn ingress_problem(&self) -> Option<&str> {
        self.0.ingress_problem.as_deref()
    }

    /// When it was last heard of.
    async fn last_heartbeat_at(&self) -> Option<DateTime<Utc>> {
        self.0.last_heartbeat_at
    }

    /// By how much its clock is ahead of the control plane's.
    async fn clock_skew_ms(&self) -> Option<i64> {
        self.0.clock_skew_ms
    }

    /// When it joined.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// The instances on it, newest first.
    #[graphql(directive = cost::apply(1, cost::page()))]
    async fn instances(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<ApplicationInstanceConnection> {
        let page = page(first, after, last, before)?;
        Ok(ctx.rows().list(lists::InstancesOn {}, self.0.id, page).await?.into())
    }

    /// What it uses, over time: of its processors, its memory and its disk.
    #[graphql(directive = cost::apply(20, Some(vec!["names".to_owned()])))]
    async fn metrics(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What shall be told; none named: everything.")] names: Vec<MetricName>,
        #[graphql(desc = "Where it begins.")] from: DateTime<Utc>,
        #[graphql(desc = "Before where it ends; left out: now.")] to: Option<DateTime<Utc>>,
        #[graphql(desc = "How long each step is: 10 to 86,400 seconds.", default_with = "Some(60)")] step_seconds: Option<i64>,
    ) -> Result<Vec<MetricSeries>> {
        Asked { names, from, to, step_seconds: step_seconds.unwrap_or(60) }.of_node(ctx, self.0.id).await
    }
}

fn percent(used: i64, of: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a percentage to look at")]
    if of > 0 { used as f64 * 100.0 / of as f64 } else { 0.0 }
}

/// How much of a node is used.
#[derive(Debug, Clone, SimpleObject)]
pub struct Utilization {
    /// Of all its CPUs.
    pub cpu_percent: f64,
    /// Of its memory.
    pub memory_percent: f64,
    /// Of its disk.
    pub storage_percent: f64,
    /// Containers that run on it.
    pub containers: i64,
}

/// An invitation for one new node: used once, and not for long.
pub struct NodeEnrollmentToken(pub(crate) store::enrollment_tokens::EnrollmentToken);

/// An invitation for one new node: used once, and not for long.
#[Object]
impl NodeEnrollmentToken {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Where the node will stand.
    async fn region(&self, ctx: &Context<'_>) -> Result<Region> {
        Ok(Region(ctx.rows().need(self.0.region_id).await?))
    }

    /// How the token begins, to tell it from others.
    async fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// What the node will be called, if that is not left to the node.
    async fn node_name(&self) -> Option<&str> {
        self.0.node_name.as_deref()
    }

    /// When it ends by itself.
    async fn expires_at(&self) -> DateTime<Utc> {
        self.0.expires_at
    }

    /// When it was used.
    async fn used_at(&self) -> Option<DateTime<Utc>> {
        self.0.used_at
    }

    /// The node that used it.
    async fn used_by(&self, ctx: &Context<'_>) -> Result<Option<WorkerNode>> {
        Ok(match self.0.used_by {
            Some(id) => ctx.rows().load(id).await?.map(WorkerNode),
            None => None,
        })
    }

    /// When it was revoked.
    async fn revoked_at(&self) -> Option<DateTime<Utc>> {
        self.0.revoked_at
    }

    /// Who made it.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(match self.0.created_by {
            Some(id) => ctx.rows().load(id).await?.map(User),
            None => None,
        })
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

/// How a new machine is made to join. Shown once.
#[derive(Debug, Clone, SimpleObject)]
pub struct NodeInstallInstructions {
    /// The token itself.
    pub token: Secret,
    /// SHA-256 of the control plane's CA: the agent talks to nobody else.
    pub ca_fingerprint: String,
    /// What to run on the machine, as root, once the `slipway` binary is there.
    pub command: String,
    /// What to run on a bare machine, as root: it sets up Docker, fetches the agent, checks it and joins.
    pub script: String,
    /// When the token ends by itself.
    pub expires_at: DateTime<Utc>,
}
