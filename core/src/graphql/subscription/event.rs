//! What happens, in order: a follower that comes back says where it was, and misses nothing.

use std::{collections::VecDeque, time::Duration};

use async_graphql::{Context, ID, Subscription};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use slipway_model::{OrganizationId, Viewer};
use slipway_store as store;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, sleep, timeout_at},
};

use crate::{
    Platform,
    auth::Caller,
    changes::Change,
    error::{Error, UserError},
    graphql::{
        access::{Permission, Role, permitted},
        context::{Request, id},
        error::{Result, event_error},
        scalar::BigInt,
        types::Event,
    },
    organizations,
};

/// Events that are read at a time.
const BATCH: i64 = 100;
/// Changes that come within this time are looked for together.
const GATHER: Duration = Duration::from_millis(100);
/// How often it is looked without news: another process may have written.
const LOOK: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct EventSubscription;

type Events = BoxStream<'static, async_graphql::Result<Event>>;

#[Subscription]
impl EventSubscription {
    /// What happens in an organization, one thing after the other.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppRead))]
    async fn organization_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The organization.")] id: ID,
        #[graphql(
            desc = "Only what came after the event of this sequence: resumes without losing or repeating one. Left out: what is to come."
        )]
        after_sequence: Option<BigInt>,
    ) -> Result<Events> {
        let id: OrganizationId = self::id("id", &id).map_err(|_| Error::NotFound)?;
        follow(ctx, Of::Organization(id), after_sequence).await
    }

    /// What happens to the platform itself, such as to its nodes, one thing after the other.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformRead))]
    async fn platform_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Only what came after the event of this sequence: resumes without losing or repeating one. Left out: what is to come."
        )]
        after_sequence: Option<BigInt>,
    ) -> Result<Events> {
        follow(ctx, Of::Platform, after_sequence).await
    }
}

/// Whose events.
#[derive(Debug, Clone, Copy)]
enum Of {
    Organization(OrganizationId),
    Platform,
}

struct Follow {
    platform: Platform,
    caller: Caller,
    changes: Receiver<Change>,
    of: Of,
    /// Of the last event that was read.
    sequence: i64,
    /// Read and not sent yet.
    waiting: VecDeque<store::events::Event>,
}

async fn follow(ctx: &Context<'_>, of: Of, after: Option<BigInt>) -> Result<Events> {
    let platform = ctx.platform().clone();
    // Listening begins before the first look: what happens in between is news.
    let changes = platform.changes.subscribe();
    let sequence = match after {
        Some(BigInt(sequence)) if sequence < 0 => return Err(UserError::invalid("afterSequence", "Use 0 or more.").into()),
        Some(BigInt(sequence)) => sequence,
        None => store::events::last_sequence(&mut platform.db.read_once().await?).await?,
    };
    let follow = Follow { platform, caller: ctx.caller().clone(), changes, of, sequence, waiting: VecDeque::new() };
    follow.may(ctx.viewer()?).await?;
    let events = stream::unfold(Some(follow), |follow| async move {
        let mut follow = follow?;
        match follow.next().await {
            Ok(Some(event)) => Some((Ok(Event(event)), Some(follow))),
            Ok(None) => None,
            Err(error) => Some((Err(event_error(error)), None)),
        }
    });
    Ok(events.boxed())
}

impl Follow {
    /// Whether a caller may follow this.
    async fn may(&self, viewer: &Viewer) -> Result<(), Error> {
        match self.of {
            Of::Platform if viewer.is_platform_admin() => Ok(()),
            Of::Platform => Err(Error::Forbidden),
            Of::Organization(id) => organizations::find(&self.platform, viewer, id).await?.map(drop).ok_or(Error::NotFound),
        }
    }

    async fn next(&mut self) -> Result<Option<store::events::Event>, Error> {
        loop {
            let is_waiting = !self.waiting.is_empty();
            if !is_waiting && !self.read().await? {
                if !self.changed().await {
                    return Ok(None);
                }
                continue;
            }
            // Asked again for each, however many were read together.
            self.caller = self.caller.clone().refreshed(&self.platform).await?;
            self.may(self.caller.viewer.as_ref().ok_or(Error::Unauthenticated)?).await?;
            if let Some(event) = self.waiting.pop_front() {
                return Ok(Some(event));
            }
        }
    }

    /// Reads what is new. Whether there was any.
    async fn read(&mut self) -> Result<bool, Error> {
        let viewer = self.caller.viewer.as_ref().ok_or(Error::Unauthenticated)?;
        let tx = &mut self.platform.db.read_as(viewer).await?;
        let read = match self.of {
            Of::Organization(id) => store::events::of_organization_after(tx, viewer, id, self.sequence, BATCH).await?,
            Of::Platform => store::events::of_platform_after(tx, self.sequence, BATCH).await?,
        };
        self.sequence = read.last().map_or(self.sequence, |event| event.sequence);
        self.waiting.extend(read);
        Ok(!self.waiting.is_empty())
    }

    /// Waits until there may be more. `false`: nothing more comes.
    async fn changed(&mut self) -> bool {
        let look_at = Instant::now() + LOOK;
        let organization = match self.of {
            Of::Organization(id) => Some(id),
            Of::Platform => None,
        };
        loop {
            match timeout_at(look_at, self.changes.recv()).await {
                Ok(Ok(change)) if change.organization == organization => break,
                Ok(Ok(_)) => {}
                Ok(Err(RecvError::Lagged(_))) | Err(_) => break,
                Ok(Err(RecvError::Closed)) => return false,
            }
        }
        sleep(GATHER).await;
        // Those that came meanwhile are looked for too.
        self.changes = self.changes.resubscribe();
        true
    }
}
