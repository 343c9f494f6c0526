//! Applications and what happens to them.

use async_graphql::{Context, ID, Object};
use slipway_model::{BuildId, DeploymentId};
use slipway_store as store;

use crate::{
    applications,
    graphql::{
        access::{Permission, Role, permitted},
        connection::ApplicationConnection,
        context::{Request, id_if},
        cost::cost,
        error::Result,
        page::page,
        types::{Application, Build, Deployment, Operation, state::ApplicationStatus},
    },
};

#[derive(Default)]
pub(super) struct ApplicationQuery;

#[Object]
impl ApplicationQuery {
    /// An application by its id or its slug.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppRead))]
    async fn application(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Option<ID>,
        #[graphql(desc = "Its short name.")] slug: Option<String>,
    ) -> Result<Option<Application>> {
        let (platform, viewer) = (ctx.platform(), ctx.viewer()?);
        let found = match (id_if("id", id.as_ref()), slug) {
            (Ok(Some(id)), _) => applications::find(platform, viewer, id).await?,
            (Ok(None), Some(slug)) => applications::by_slug(platform, viewer, &slug).await?,
            (Ok(None) | Err(_), _) => None,
        };
        Ok(found.map(Application))
    }

    /// The applications of your organizations, newest first.
    #[graphql(directive = permitted::apply(Role::Viewer, Permission::AppRead), directive = cost::apply(1, cost::page()))]
    #[allow(clippy::too_many_arguments, reason = "they are the arguments of a Relay connection and its filters")]
    async fn applications(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only those of this organization.")] organization_id: Option<ID>,
        #[graphql(desc = "Only those in one of these states.")] status: Option<Vec<ApplicationStatus>>,
        #[graphql(desc = "Only those with this in their name or slug.")] search: Option<String>,
    ) -> Result<ApplicationConnection> {
        let filter = applications::Filter {
            organization: id_if("organizationId", organization_id.as_ref())?,
            status: status.map(|status| status.into_iter().map(Into::into).collect()),
            search,
        };
        let page = page(first, after, last, before)?;
        Ok(applications::list(ctx.platform(), ctx.viewer()?, filter, &page).await?.into())
    }

    /// Whether an application may be given this short name.
    #[graphql(directive = permitted::apply(Role::Viewer, Permission::AppRead))]
    async fn application_slug_available(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Lower-case letters, digits and hyphens.")] slug: String,
    ) -> Result<bool> {
        Ok(applications::slug_is_available(ctx.platform(), &slug).await?)
    }

    /// A deployment by its id.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppRead))]
    async fn deployment(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: ID) -> Result<Option<Deployment>> {
        let Ok(id) = id.as_str().parse::<DeploymentId>() else { return Ok(None) };
        Ok(store::deployments::find(&mut ctx.platform().db.read_as(ctx.viewer()?).await?, ctx.viewer()?, id).await?.map(Deployment))
    }

    /// A build by its id.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppRead))]
    async fn build(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: ID) -> Result<Option<Build>> {
        let Ok(id) = id.as_str().parse::<BuildId>() else { return Ok(None) };
        let id = DeploymentId::from_uuid(id.uuid());
        Ok(store::deployments::find(&mut ctx.platform().db.read_as(ctx.viewer()?).await?, ctx.viewer()?, id).await?.map(Build))
    }

    /// An operation by its id.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppRead))]
    async fn operation(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: ID) -> Result<Option<Operation>> {
        let Ok(id) = id.as_str().parse() else { return Ok(None) };
        Ok(store::operations::find(&mut ctx.platform().db.read_as(ctx.viewer()?).await?, ctx.viewer()?, id).await?.map(Operation))
    }
}
