//! Organizations, and who belongs to them.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use slipway_store as store;

use crate::{
    graphql::{
        access::Role,
        connection::ApplicationConnection,
        context::Request,
        cost::cost,
        error::Result,
        lists,
        page::page,
        types::{User, state::ApplicationStatus},
    },
    organizations,
};

/// Who owns applications and pays for them.
pub struct Organization(pub(crate) store::organizations::Organization);

/// Who owns applications and pays for them.
#[Object]
impl Organization {
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
        self.0.name.as_ref()
    }

    /// When it was founded.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// What you may do in it.
    async fn viewer_role(&self, ctx: &Context<'_>) -> Result<Role> {
        Ok(ctx.viewer()?.role_in(self.0.id).map_or(Role::Anyone, Role::from))
    }

    /// Its members.
    async fn memberships(&self, ctx: &Context<'_>) -> Result<Vec<Membership>> {
        let rows = organizations::members(ctx.platform(), ctx.viewer()?, self.0.id).await?;
        Ok(rows.into_iter().map(Membership).collect())
    }

    /// Its applications, newest first.
    #[graphql(directive = cost::apply(1, cost::page()))]
    #[allow(clippy::too_many_arguments, reason = "they are the arguments of a Relay connection and its filters")]
    async fn applications(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only those in one of these states.")] status: Option<Vec<ApplicationStatus>>,
        #[graphql(desc = "Only those with this in their name or slug.")] search: Option<String>,
    ) -> Result<ApplicationConnection> {
        let list = lists::Applications { status: status.map(|status| status.into_iter().map(Into::into).collect()), search };
        Ok(ctx.rows().list(list, self.0.id, page(first, after, last, before)?).await?.into())
    }
}

/// A person's place in an organization.
pub struct Membership(pub(crate) store::memberships::Membership);

/// A person's place in an organization.
#[Object]
impl Membership {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Where they belong.
    pub async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        Ok(Organization(ctx.rows().need(self.0.organization_id).await?))
    }

    /// Who belongs there.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        Ok(User(ctx.rows().need(self.0.user_id).await?))
    }

    /// What they may do there.
    async fn role(&self) -> Role {
        self.0.role.into()
    }

    /// Since when.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}
