//! Invitations into an organization.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use slipway_store as store;

use super::{Organization, User, organization::organization_told};
use crate::graphql::{access::Role, context::Request, error::Result};

/// Somebody who is asked to join an organization.
pub struct Invitation(pub(crate) store::invitations::Invitation);

/// Somebody who is asked to join an organization.
#[Object]
impl Invitation {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Where they are asked to join.
    pub async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        Ok(Organization(organization_told(ctx, self.0.organization_id).await?))
    }

    /// The one address that it is for; lower case.
    async fn email(&self) -> &str {
        self.0.email.as_str()
    }

    /// What they shall be there.
    async fn role(&self) -> Role {
        self.0.role.into()
    }

    /// Who invited them.
    async fn invited_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(match self.0.invited_by {
            Some(id) => ctx.rows().load(id).await?.map(User),
            None => None,
        })
    }

    /// When it ends by itself.
    async fn expires_at(&self) -> DateTime<Utc> {
        self.0.expires_at
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}
