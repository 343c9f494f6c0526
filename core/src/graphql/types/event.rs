//! Events: what happened, in order.

use async_graphql::{ID, Object};
use chrono::{DateTime, Utc};
use slipway_store as store;

use crate::graphql::scalar::BigInt;

/// Something that happened.
pub struct Event(pub(crate) store::events::Event);

/// Something that happened.
#[Object]
impl Event {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// What it happened to, as that thing's id.
    async fn resource_id(&self) -> Option<ID> {
        self.0.resource.clone().map(ID)
    }

    /// What kind of thing happened, such as `deployment.live`.
    #[graphql(name = "type")]
    async fn kind(&self) -> &str {
        &self.0.kind
    }

    /// A sentence for people.
    async fn message(&self) -> &str {
        &self.0.message
    }

    /// For programs, where there is more to say.
    async fn data(&self) -> Option<serde_json::Value> {
        self.0.data.clone()
    }

    /// Grows with every event of the platform.
    async fn sequence(&self) -> BigInt {
        BigInt(self.0.sequence)
    }

    /// When it happened.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}
