//! Organizations, and who belongs to them.

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use slipway_model::{OrganizationId, Viewer};
use slipway_store as store;

use crate::{
    applications,
    error::Error,
    graphql::{
        access::Role,
        billed::AccountOf,
        connection::{ApplicationConnection, AuditEventConnection, InvitationConnection, MembershipConnection},
        context::Request,
        cost::cost,
        error::Result,
        lists, load,
        page::page,
        types::{BillingAccount, User, state::ApplicationStatus},
    },
    organizations, quotas,
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

    /// What it pays from. `null` unless you are one of its administrators.
    async fn billing(&self, ctx: &Context<'_>) -> Result<Option<BillingAccount>> {
        organizations::require(ctx.viewer()?, self.0.id, slipway_model::Role::Admin)?;
        Ok(Some(BillingAccount(ctx.rows().need_of(AccountOf(self.0.id)).await?)))
    }

    /// How much it may have, and has.
    async fn quota(&self, ctx: &Context<'_>) -> Result<OrganizationQuota> {
        Ok(ctx.rows().need_of(load::StandingOf(self.0.id)).await?.into())
    }

    /// Its members, those who have been there longest first.
    #[graphql(directive = cost::apply(1, cost::page()))]
    async fn memberships(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<MembershipConnection> {
        Ok(ctx.rows().list(lists::Memberships {}, self.0.id, page(first, after, last, before)?).await?.into())
    }

    /// Its invitations that can still be accepted, newest first. `null` unless you are one of its administrators.
    #[graphql(directive = cost::apply(1, cost::page()))]
    async fn invitations(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Option<InvitationConnection>> {
        organizations::require(ctx.viewer()?, self.0.id, slipway_model::Role::Admin)?;
        let list = lists::Invitations { now: ctx.platform().now() };
        Ok(Some(ctx.rows().list(list, self.0.id, page(first, after, last, before)?).await?.into()))
    }

    /// What its members asked for, newest first. `null` unless you are one of its administrators.
    #[graphql(directive = cost::apply(1, cost::page()))]
    async fn audit_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<Option<AuditEventConnection>> {
        organizations::require(ctx.viewer()?, self.0.id, slipway_model::Role::Admin)?;
        Ok(Some(ctx.rows().list(lists::AuditEvents {}, self.0.id, page(first, after, last, before)?).await?.into()))
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
        applications::check_search(search.as_deref())?;
        let list = lists::Applications { status: status.map(|status| status.into_iter().map(Into::into).collect()), search };
        Ok(ctx.rows().list(list, self.0.id, page(first, after, last, before)?).await?.into())
    }
}

/// How much an organization may have, and has. An administrator of the platform says how much.
#[derive(SimpleObject)]
pub struct OrganizationQuota {
    /// Applications that it may have.
    max_applications: i64,
    /// Instances that it may want, of all its applications together.
    max_instances: i64,
    /// Builds of it that go on at once. Others wait for their turn.
    max_builds_concurrent: i64,
    /// Applications that it has.
    used_applications: i64,
    /// Instances that it wants, of all its applications together, those that are stopped included.
    used_instances: i64,
}

impl From<quotas::Standing> for OrganizationQuota {
    fn from(standing: quotas::Standing) -> Self {
        let quotas::Standing { max_applications, max_instances, max_builds_concurrent, used_applications, used_instances } = standing;
        Self { max_applications, max_instances, max_builds_concurrent, used_applications, used_instances }
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
        Ok(Organization(organization_told(ctx, self.0.organization_id).await?))
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

/// The organization of a membership or an invitation. Whoever is shown one of these is told where it leads, also while they do not
/// belong there yet: what lies inside is still asked for as the caller.
pub(super) async fn organization_told(ctx: &Context<'_>, id: OrganizationId) -> Result<store::organizations::Organization> {
    if let Some(row) = ctx.rows().load(id).await? {
        return Ok(row);
    }
    let tx = &mut ctx.platform().db.read().await?;
    let row = store::organizations::find(tx, &Viewer::Platform, id).await?;
    Ok(row.ok_or(Error::NotFound)?)
}
