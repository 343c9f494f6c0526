//! Environment variables.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use slipway_store as store;

use super::{Application, Organization, User, state::VariableScope};
use crate::{
    graphql::{context::Request, error::Result},
    variables,
};

/// An environment variable of an application.
pub struct EnvironmentVariable(pub(crate) store::variables::Variable);

/// An environment variable of an application.
#[Object]
impl EnvironmentVariable {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Whose it is.
    pub async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        Ok(Organization(ctx.rows().need(self.0.organization_id).await?))
    }

    /// What sees it.
    async fn application(&self, ctx: &Context<'_>) -> Result<Application> {
        Ok(Application(ctx.rows().need(self.0.application_id).await?))
    }

    /// Its name.
    async fn key(&self) -> &str {
        self.0.key.as_ref()
    }

    /// Where it is seen.
    async fn scope(&self) -> VariableScope {
        self.0.scope.into()
    }

    /// Whether its value is left out of listings.
    async fn sensitive(&self) -> bool {
        self.0.sensitive
    }

    /// Its value, unless it is sensitive: then `variableReveal` gives it.
    async fn value(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        if self.0.sensitive {
            return Ok(None);
        }
        Ok(Some(variables::open(ctx.platform(), &self.0)?.expose().to_owned()))
    }

    /// Equal for equal values of this application: shows that a value changed, without showing it.
    async fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    /// Grows with every change.
    async fn version(&self) -> i64 {
        self.0.version
    }

    /// Who changed it last.
    async fn updated_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(match self.0.updated_by {
            Some(id) => ctx.rows().load(id).await?.map(User),
            None => None,
        })
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}
