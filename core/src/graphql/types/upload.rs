//! Uploads of source archives.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use slipway_model::Secret;
use slipway_store as store;

use super::{Application, Organization};
use crate::graphql::{context::Request, error::Result, scalar::BigInt};

/// An archive that is announced, or has arrived.
pub struct SourceUpload {
    pub(crate) row: store::uploads::Upload,
    /// Known only to the answer of the mutation that made it.
    pub(crate) ticket: Option<Secret>,
}

/// An archive that is announced, or has arrived.
#[Object]
impl SourceUpload {
    /// Opaque and stable; for `applicationDeploy`.
    pub async fn id(&self) -> ID {
        ID(self.row.id.to_string())
    }

    /// Whose it is.
    pub async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        Ok(Organization(ctx.rows().need(self.row.organization_id).await?))
    }

    /// What it is a source of.
    async fn application(&self, ctx: &Context<'_>) -> Result<Application> {
        Ok(Application(ctx.rows().need(self.row.application_id).await?))
    }

    /// How long it is, in bytes.
    async fn size_bytes(&self) -> Option<BigInt> {
        self.row.size_bytes.map(BigInt)
    }

    /// SHA-256 of the archive, in hexadecimal.
    async fn sha256(&self) -> Option<String> {
        self.row.sha256.map(|sha256| sha256.to_string())
    }

    /// Where the archive is sent to, by `PUT` with its exact length, once. Only the answer of `sourceUploadCreate` has it.
    async fn upload_url(&self, ctx: &Context<'_>) -> Option<String> {
        let ticket = self.ticket.as_ref()?;
        let base = ctx.platform().config.public_url.as_str().trim_end_matches('/');
        Some(format!("{base}/uploads/{}", ticket.expose()))
    }

    /// The HTTP method that it is sent with.
    async fn method(&self) -> &str {
        "PUT"
    }

    /// Until when it may be sent.
    async fn expires_at(&self) -> DateTime<Utc> {
        self.row.expires_at
    }

    /// When it arrived.
    async fn received_at(&self) -> Option<DateTime<Utc>> {
        self.row.received_at
    }

    /// When it was deployed.
    async fn consumed_at(&self) -> Option<DateTime<Utc>> {
        self.row.consumed_at
    }

    /// When it was announced.
    async fn created_at(&self) -> DateTime<Utc> {
        self.row.created_at
    }
}
