//! Signing in, tokens for programs, organizations.

use async_graphql::{Context, ID, InputObject, Object};
use chrono::{DateTime, Utc};

use crate::{
    auth::{self, NewApiToken, SignIn},
    graphql::{
        access::{Permission, Role, auth as access},
        context::{Request, id, id_if},
        cost::cost,
        error::{Result, answer, payloads},
        scalar::Secret,
        types::{ApiToken, Organization, User},
    },
    organizations::{self, NewOrganization},
};

/// Who signs in.
#[derive(InputObject)]
struct SessionCreateInput {
    /// Their e-mail address.
    email: String,
    /// Their password.
    password: Secret,
    /// What their authenticator shows, or a recovery code, where they are asked for one.
    otp: Option<Secret>,
}

/// Which sign-in ends.
#[derive(InputObject)]
struct SessionRevokeInput {
    /// One of your own.
    id: ID,
}

/// A token for a program.
#[derive(InputObject)]
struct ApiTokenCreateInput {
    /// What it is for.
    name: String,
    /// The one organization that it opens; left out: all that you belong to, and the platform if you run it.
    organization_id: Option<ID>,
    /// The one application that it opens, and nothing else of its organization.
    application_id: Option<ID>,
    /// What it is for; left out: everything that you may do yourself, or for an application, everything that can be done with one.
    permissions: Option<Vec<Permission>>,
    /// When it ends by itself; left out: never.
    expires_at: Option<DateTime<Utc>>,
}

/// Which token ends.
#[derive(InputObject)]
struct ApiTokenRevokeInput {
    /// One of your own.
    id: ID,
}

/// An organization to found.
#[derive(InputObject)]
struct OrganizationCreateInput {
    /// What people call it.
    name: String,
    /// Short name, unique on the platform; left out: the nearest to the name.
    slug: Option<String>,
}

payloads! {
    /// What `sessionCreate` answers.
    SessionCreatePayload {
        /// Who signed in.
        user: User,
        /// Send it as `Authorization: Bearer <token>`. It is shown once.
        token: Secret,
    }
    /// What `sessionRevoke` answers.
    SessionRevokePayload {
        /// The sign-in that ended.
        revoked_id: ID,
    }
    /// What `apiTokenCreate` answers.
    ApiTokenCreatePayload {
        /// The new token.
        api_token: ApiToken,
        /// Send it as `Authorization: Bearer <token>`. It is shown once.
        secret: Secret,
    }
    /// What `apiTokenRevoke` answers.
    ApiTokenRevokePayload {
        /// The token that ended.
        revoked_id: ID,
    }
    /// What `organizationCreate` answers.
    OrganizationCreatePayload {
        /// The new organization.
        organization: Organization,
    }
}

#[derive(Default)]
pub(super) struct AccountMutation;

#[Object]
impl AccountMutation {
    /// Signs in with e-mail address and password.
    #[graphql(directive = access::apply(Role::Anyone), directive = cost::apply(500, None))]
    async fn session_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who signs in.")] input: SessionCreateInput,
    ) -> Result<SessionCreatePayload> {
        let with = SignIn { email: input.email, password: input.password.0, otp: input.otp.map(|otp| otp.0) };
        let outcome = auth::sign_in(ctx.platform(), ctx.login_attempts(), ctx.caller(), with).await;
        answer(outcome, |(user, token)| SessionCreatePayload {
            user: Some(User(user)),
            token: Some(Secret(token)),
            ..SessionCreatePayload::default()
        })
    }

    /// Ends a sign-in, and closes what it opened.
    #[graphql(directive = access::apply(Role::Viewer))]
    async fn session_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which sign-in ends.")] input: SessionRevokeInput,
    ) -> Result<SessionRevokePayload> {
        let outcome = async { auth::revoke_session(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |id| SessionRevokePayload { revoked_id: Some(ID(id.to_string())), ..Default::default() })
    }

    /// Makes a token for programs.
    #[graphql(directive = access::apply(Role::Viewer))]
    async fn api_token_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A token for a program.")] input: ApiTokenCreateInput,
    ) -> Result<ApiTokenCreatePayload> {
        let outcome = async {
            let organization = id_if("organizationId", input.organization_id.as_ref())?;
            let application = id_if("applicationId", input.application_id.as_ref())?;
            let permissions = input.permissions.map(|all| all.into_iter().map(Into::into).collect());
            let new = NewApiToken { name: input.name, organization, application, permissions, expires_at: input.expires_at };
            auth::create_api_token(ctx.platform(), ctx.viewer()?, new).await
        };
        answer(outcome.await, |(token, secret)| ApiTokenCreatePayload {
            api_token: Some(ApiToken(token)),
            secret: Some(Secret(secret)),
            ..Default::default()
        })
    }

    /// Ends a token, and closes what it opened.
    #[graphql(directive = access::apply(Role::Viewer))]
    async fn api_token_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which token ends.")] input: ApiTokenRevokeInput,
    ) -> Result<ApiTokenRevokePayload> {
        let outcome = async { auth::revoke_api_token(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |id| ApiTokenRevokePayload { revoked_id: Some(ID(id.to_string())), ..Default::default() })
    }

    /// Founds an organization. You are its first owner.
    #[graphql(directive = access::apply(Role::Viewer))]
    async fn organization_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An organization to found.")] input: OrganizationCreateInput,
    ) -> Result<OrganizationCreatePayload> {
        let new = NewOrganization { name: input.name, slug: input.slug };
        let outcome = organizations::create(ctx.platform(), ctx.viewer()?, new).await;
        answer(outcome, |row| OrganizationCreatePayload { organization: Some(Organization(row)), ..Default::default() })
    }
}
