//! What is left of the caller's minute.

use async_graphql::{Context, Object, SimpleObject};
use chrono::{DateTime, Utc};

use crate::{
    error::Error,
    graphql::{
        access::{Role, auth},
        context::Request,
        error::Result,
    },
};

/// Points of a token, or of an address without any. There are as many again every minute.
#[derive(SimpleObject)]
struct RateLimit {
    /// Points per minute.
    limit: u32,
    /// What this document takes: its complexity, as `@cost` says it, divided by 100 and rounded up.
    cost: u32,
    /// Points that are left, this document paid.
    remaining: u32,
    /// When there are all of them again.
    reset_at: DateTime<Utc>,
}

#[derive(Default)]
pub(super) struct RateLimitQuery;

#[Object]
impl RateLimitQuery {
    /// How much you may still ask in this minute.
    #[graphql(directive = auth::apply(Role::Viewer))]
    async fn rate_limit(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Only tell what the document would cost: nothing else in it is answered, and it is charged one point.",
            default_with = "Some(false)"
        )]
        #[allow(unused_variables, reason = "the document is looked at before it is executed")]
        dry_run: Option<bool>,
    ) -> Result<RateLimit> {
        let charged = ctx.charged().ok_or_else(|| Error::internal(anyhow::anyhow!("a document was executed that was not paid for")))?;
        Ok(RateLimit {
            limit: charged.allowance.limit,
            cost: charged.points,
            remaining: charged.allowance.remaining,
            reset_at: charged.allowance.reset_at,
        })
    }
}
