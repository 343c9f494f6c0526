//! Operations: durable work.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use slipway_store as store;

use super::{
    Application, Deployment,
    state::{OperationKind, OperationStatus},
};
use crate::graphql::{context::Request, error::Result};

/// Work that was promised and will end, done or failed, whatever happens to the control plane meanwhile.
pub struct Operation(pub(crate) store::operations::Operation);

/// Work that was promised and will end, done or failed, whatever happens to the control plane meanwhile.
#[Object]
impl Operation {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// What it does.
    async fn kind(&self) -> OperationKind {
        self.0.kind.into()
    }

    /// How far it is.
    async fn status(&self) -> OperationStatus {
        self.0.status.into()
    }

    /// The application it is about, while that exists.
    async fn application(&self, ctx: &Context<'_>) -> Result<Option<Application>> {
        Ok(match self.0.application_id {
            Some(id) => ctx.rows().load(id).await?.map(Application),
            None => None,
        })
    }

    /// The deployment it brings live.
    async fn deployment(&self, ctx: &Context<'_>) -> Result<Option<Deployment>> {
        Ok(match self.0.deployment_id {
            Some(id) => ctx.rows().load(id).await?.map(Deployment),
            None => None,
        })
    }

    /// What it waits for at the moment.
    async fn step(&self) -> Option<&str> {
        self.0.step.as_deref()
    }

    /// How often it was begun.
    async fn attempt(&self) -> i64 {
        self.0.attempt
    }

    /// How often it is begun at most.
    async fn max_attempts(&self) -> i64 {
        self.0.max_attempts
    }

    /// Why it failed.
    async fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it began.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.0.started_at
    }

    /// When it ended.
    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.0.finished_at
    }
}
