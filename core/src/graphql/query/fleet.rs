//! What administrators of the platform look after: worker nodes, operations, plugins.

use async_graphql::{Context, ID, Object};
use slipway_model::NodeId;
use slipway_store as store;

use crate::{
    graphql::{
        access::{Permission, Role, permitted},
        connection::{NodeEnrollmentTokenConnection, OperationConnection, PluginConnection, WorkerNodeConnection},
        context::{Request, id_if},
        cost::cost,
        error::Result,
        page::page,
        types::{
            Plugin, WorkerNode,
            state::{NodeStatus, OperationStatus},
        },
    },
    nodes, plugins,
};

#[derive(Default)]
pub(super) struct FleetQuery;

#[Object]
#[allow(clippy::too_many_arguments, reason = "they are the arguments of a Relay connection and its filters")]
impl FleetQuery {
    /// A worker node by its id.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::NodeRead))]
    async fn worker_node(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: ID) -> Result<Option<WorkerNode>> {
        let Ok(id) = id.as_str().parse::<NodeId>() else { return Ok(None) };
        Ok(nodes::find(ctx.platform(), ctx.viewer()?, id).await?.map(WorkerNode))
    }

    /// The worker nodes, oldest first.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::NodeRead), directive = cost::apply(1, cost::page()))]
    async fn worker_nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only those of this region.")] region_id: Option<ID>,
        #[graphql(desc = "Only those in one of these states.")] status: Option<Vec<NodeStatus>>,
    ) -> Result<WorkerNodeConnection> {
        let region = id_if("regionId", region_id.as_ref())?;
        let status = status.map(|status| status.into_iter().map(Into::into).collect());
        let page = page(first, after, last, before)?;
        Ok(nodes::list(ctx.platform(), ctx.viewer()?, region, status, &page).await?.into())
    }

    /// Invitations for new nodes, newest first; used, expired and revoked ones too.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::NodeRead), directive = cost::apply(1, cost::page()))]
    async fn node_enrollment_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<NodeEnrollmentTokenConnection> {
        let page = page(first, after, last, before)?;
        Ok(nodes::enrollment_tokens(ctx.platform(), ctx.viewer()?, &page).await?.into())
    }

    /// All operations of the platform, newest first.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformRead), directive = cost::apply(1, cost::page()))]
    async fn platform_operations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only those in one of these states.")] status: Option<Vec<OperationStatus>>,
    ) -> Result<OperationConnection> {
        let status: Option<Vec<_>> = status.map(|status| status.into_iter().map(Into::into).collect());
        let page = page(first, after, last, before)?;
        Ok(store::operations::list(&mut ctx.platform().db.read_as(ctx.viewer()?).await?, ctx.viewer()?, status.as_deref(), &page)
            .await?
            .into())
    }

    /// The plugins that were found, oldest first.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformRead), directive = cost::apply(1, cost::page()))]
    async fn plugins(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<PluginConnection> {
        let page = page(first, after, last, before)?;
        Ok(plugins::list(ctx.platform(), ctx.viewer()?, &page).await?.into())
    }

    /// A plugin by its id or its short name.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformRead))]
    async fn plugin(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Option<ID>,
        #[graphql(desc = "Its short name, such as `runtime-node`.")] name: Option<String>,
    ) -> Result<Option<Plugin>> {
        let (platform, viewer) = (ctx.platform(), ctx.viewer()?);
        let found = match (id_if("id", id.as_ref()), name) {
            (Ok(Some(id)), _) => plugins::find(platform, viewer, id).await?,
            (Ok(None), Some(name)) => plugins::by_name(platform, viewer, &name).await?,
            (Ok(None) | Err(_), _) => None,
        };
        Ok(found.map(Plugin))
    }
}
