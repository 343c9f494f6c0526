//! People: who is invited, and what they did.

use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};

use crate::{
    audit,
    graphql::{
        access::{Permission, Role, auth, permitted},
        connection::{AuditEventConnection, UserConnection},
        context::Request,
        cost::cost,
        error::Result,
        page::page,
        scalar::Secret,
        types::{Invitation, audit::AuditChain},
    },
    invitations, people,
};

#[derive(Default)]
pub(super) struct PeopleQuery;

#[Object]
impl PeopleQuery {
    /// The invitation that a token is for, while it can be accepted. Whoever holds the token may ask, with or without an account.
    #[graphql(directive = auth::apply(Role::Anyone))]
    async fn invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As `invitationCreate` gave it.")] token: Secret,
    ) -> Result<Option<Invitation>> {
        Ok(invitations::by_token(ctx.platform(), &token.0).await?.map(Invitation))
    }

    /// Every mutation that somebody asked for, sign-ins among them, newest first.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::AuditRead), directive = cost::apply(1, cost::page()))]
    #[allow(clippy::too_many_arguments, reason = "they are the arguments of a Relay connection and its filters")]
    async fn audit_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only this mutation, such as `sessionCreate`.")] action: Option<String>,
        #[graphql(desc = "Only from this time on.")] since: Option<DateTime<Utc>>,
    ) -> Result<AuditEventConnection> {
        let page = page(first, after, last, before)?;
        Ok(audit::list(ctx.platform(), ctx.viewer()?, action, since, &page).await?.into())
    }

    /// Everybody who has an account, newest first.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformRead), directive = cost::apply(1, cost::page()))]
    #[allow(clippy::too_many_arguments, reason = "they are the arguments of a Relay connection and its filters")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the start: 1 to 100.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end: 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Only those with this in their address or name.")] search: Option<String>,
    ) -> Result<UserConnection> {
        let page = page(first, after, last, before)?;
        Ok(people::list(ctx.platform(), ctx.viewer()?, search, &page).await?.into())
    }

    /// Follows the audit log from its beginning: whether something was changed, removed or moved since it was written.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::AuditRead), complexity = 500)]
    async fn audit_chain(&self, ctx: &Context<'_>) -> Result<AuditChain> {
        Ok(audit::verify(ctx.platform(), ctx.viewer()?).await?.into())
    }
}
