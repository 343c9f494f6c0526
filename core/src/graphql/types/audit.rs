//! What was done, by whom.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use slipway_model::ApiTokenId;
use slipway_store as store;

use super::{Node, Organization, User};
use crate::graphql::{context::Request, error::Result, query::find_node, scalar::BigInt};

/// What came of a mutation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "slipway_model::state::AuditOutcome")]
pub enum AuditOutcome {
    /// It was done.
    Allowed,
    /// The one who asked may not.
    Denied,
    /// It was refused for what was asked, or went wrong.
    Failed,
}

/// A mutation that somebody asked for, and what came of it. It is written down with what it changes, and never changed itself.
pub struct AuditEvent(pub(crate) store::audit::AuditEvent);

/// A mutation that somebody asked for, and what came of it. It is written down with what it changes, and never changed itself.
#[Object]
impl AuditEvent {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Its place among all events, from 1 without gaps.
    async fn sequence(&self) -> BigInt {
        BigInt(self.0.sequence)
    }

    /// Whose it was done to, where the one who acted belonged there.
    async fn organization(&self, ctx: &Context<'_>) -> Result<Option<Organization>> {
        Ok(match self.0.organization_id {
            Some(id) => ctx.rows().load(id).await?.map(Organization),
            None => None,
        })
    }

    /// Who acted; `null`: nobody who was signed in.
    async fn actor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(match self.0.actor_id {
            Some(id) => ctx.rows().load(id).await?.map(User),
            None => None,
        })
    }

    /// The session or API token that it came with.
    async fn credential_id(&self) -> Option<ID> {
        self.0.credential.clone().map(ID)
    }

    /// How the API token began that it came with.
    async fn actor_token_prefix(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        let Some(Ok(id)) = self.0.credential.as_ref().map(|id| id.parse::<ApiTokenId>()) else { return Ok(None) };
        let token: Option<store::api_tokens::ApiToken> = ctx.rows().load(id).await?;
        Ok(token.map(|token| token.prefix))
    }

    /// The address that it came from.
    async fn actor_ip(&self) -> Option<&str> {
        self.0.ip.as_deref()
    }

    /// What the program that asked called itself.
    async fn user_agent(&self) -> Option<&str> {
        self.0.user_agent.as_deref()
    }

    /// The mutation.
    async fn action(&self) -> &str {
        &self.0.action
    }

    /// What it was done to, if you may see that.
    async fn resource(&self, ctx: &Context<'_>) -> Result<Option<Node>> {
        match &self.0.subject {
            Some(id) => find_node(ctx, &ID(id.clone())).await,
            None => Ok(None),
        }
    }

    /// The id of what it was done to.
    async fn resource_id(&self) -> Option<ID> {
        self.0.subject.clone().map(ID)
    }

    /// What came of it.
    async fn outcome(&self) -> AuditOutcome {
        self.0.outcome.into()
    }

    /// What was asked: ids, numbers, switches and members of enums. Of text and secrets it says only that they were given.
    async fn data(&self) -> Option<serde_json::Value> {
        self.0.data.as_ref().and_then(|data| serde_json::from_str(data).ok())
    }

    /// Over this event and the hash before it.
    async fn hash(&self) -> String {
        self.0.hash.to_string()
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

/// What came of following the audit log from its beginning.
#[derive(SimpleObject)]
pub struct AuditChain {
    /// Whether nothing was changed, removed or moved.
    intact: bool,
    /// How many events were found as they were written.
    events: BigInt,
    /// The first place where one is not as it was written.
    broken_at: Option<BigInt>,
    /// The last hash, when it is intact. Keep it somewhere else, to see later that this much was there.
    head_hash: Option<String>,
}

impl From<store::audit::Chain> for AuditChain {
    fn from(chain: store::audit::Chain) -> Self {
        match chain {
            store::audit::Chain::Whole { events, head } => {
                Self { intact: true, events: BigInt(events), broken_at: None, head_hash: Some(head.to_string()) }
            }
            store::audit::Chain::Broken { sequence } => {
                Self { intact: false, events: BigInt(sequence - 1), broken_at: Some(BigInt(sequence)), head_hash: None }
            }
        }
    }
}
