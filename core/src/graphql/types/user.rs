//! People, and what they sign in with.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use slipway_store as store;

use crate::graphql::{
    access::Permission,
    context::Request,
    error::Result,
    load,
    types::{Application, Organization},
};

/// A person.
pub struct User(pub(crate) store::users::User);

/// A person.
#[Object]
impl User {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// What they sign in with; lower case.
    async fn email(&self) -> &str {
        &self.0.email
    }

    /// What they call themselves.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// Whether they run this platform.
    async fn is_platform_admin(&self) -> bool {
        self.0.platform_admin
    }

    /// Whether they are asked for a code when they sign in. `null` unless it is you, or you run this platform.
    async fn two_factor_enabled(&self, ctx: &Context<'_>) -> Result<Option<bool>> {
        if !self.is_viewer(ctx)? && !ctx.viewer()?.is_platform_admin() {
            return Ok(None);
        }
        Ok(Some(ctx.rows().need_of(load::AskedForCodes(self.0.id)).await?))
    }

    /// Since when they are let in no longer.
    async fn disabled_at(&self) -> Option<DateTime<Utc>> {
        self.0.disabled_at
    }

    /// When they were added.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// The organizations that they belong to and you may see.
    async fn memberships(&self, ctx: &Context<'_>) -> Result<Vec<super::Membership>> {
        let (rows, viewer) = (ctx.rows().need_of(load::MembershipsOf(self.0.id)).await?, ctx.viewer()?);
        let rows = rows.into_iter().filter(|membership| viewer.role_in(membership.organization_id).is_some());
        Ok(rows.map(super::Membership).collect())
    }

    /// Where they are signed in. Only they themselves see this.
    async fn sessions(&self, ctx: &Context<'_>) -> Result<Vec<Session>> {
        if !self.is_viewer(ctx)? {
            return Ok(Vec::new());
        }
        let rows = ctx.rows().need_of(load::SessionsOf(self.0.id)).await?;
        Ok(rows.into_iter().map(Session).collect())
    }

    /// Their API tokens. Only they themselves see these.
    async fn api_tokens(&self, ctx: &Context<'_>) -> Result<Vec<ApiToken>> {
        if !self.is_viewer(ctx)? {
            return Ok(Vec::new());
        }
        let rows = ctx.rows().need_of(load::ApiTokensOf(self.0.id)).await?;
        Ok(rows.into_iter().map(ApiToken).collect())
    }
}

impl User {
    fn is_viewer(&self, ctx: &Context<'_>) -> Result<bool> {
        Ok(ctx.viewer()?.user_id() == Some(self.0.id))
    }
}

/// One sign-in.
pub struct Session(pub(crate) store::sessions::Session);

/// One sign-in.
#[Object]
impl Session {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// What the program that signed in called itself.
    async fn user_agent(&self) -> Option<&str> {
        self.0.user_agent.as_deref()
    }

    /// The address that it was seen at.
    async fn ip(&self) -> Option<&str> {
        self.0.ip.as_deref()
    }

    /// When it began.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it was last used, to the minute.
    async fn last_seen_at(&self) -> DateTime<Utc> {
        self.0.last_seen_at
    }

    /// When it ends by itself.
    async fn expires_at(&self) -> DateTime<Utc> {
        self.0.expires_at
    }

    /// Whether it is the one that this request came with.
    async fn current(&self, ctx: &Context<'_>) -> bool {
        ctx.caller().is_session(self.0.id)
    }
}

/// A token for programs. The token itself is shown once, when it is made.
pub struct ApiToken(pub(crate) store::api_tokens::ApiToken);

/// A token for programs. The token itself is shown once, when it is made.
#[Object]
impl ApiToken {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// What it is for.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// How the token begins, to tell it from others.
    async fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// The one organization that it opens; `null` for all that its owner belongs to.
    pub async fn organization(&self, ctx: &Context<'_>) -> Result<Option<Organization>> {
        Ok(match self.0.organization_id {
            Some(id) => ctx.rows().load(id).await?.map(Organization),
            None => None,
        })
    }

    /// The one application that it opens; `null` for all of its organization.
    async fn application(&self, ctx: &Context<'_>) -> Result<Option<Application>> {
        Ok(match self.0.application_id {
            Some(id) => ctx.rows().load(id).await?.map(Application),
            None => None,
        })
    }

    /// What it is for. One that is for everything names everything.
    async fn permissions(&self) -> Vec<Permission> {
        let all = self.0.permissions.as_deref().unwrap_or(slipway_model::Permission::ALL);
        all.iter().copied().map(Into::into).collect()
    }

    /// When it ends by itself.
    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.0.expires_at
    }

    /// When it was last used, to the minute.
    async fn last_used_at(&self) -> Option<DateTime<Utc>> {
        self.0.last_used_at
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}
