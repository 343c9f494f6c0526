//! Worker nodes, watched.

use std::collections::VecDeque;

use async_graphql::{Context, ID, Subscription};
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use slipway_model::NodeId;
use slipway_store::nodes::{self, Node};
use tokio::sync::broadcast::{
    Receiver,
    error::{RecvError, TryRecvError},
};

use super::still_administrates;
use crate::{
    Platform,
    auth::Caller,
    changes::{Change, Changed},
    error::Error,
    graphql::{
        access::{Permission, Role, permitted},
        context::{Request, id},
        error::{Result, event_error},
        types::WorkerNode,
    },
};

#[derive(Default)]
pub(super) struct FleetSubscription;

#[Subscription]
impl FleetSubscription {
    /// A worker node, or each of them, whenever it changes.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::NodeRead))]
    async fn worker_node_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The node; left out: all nodes.")] id: Option<ID>,
    ) -> Result<BoxStream<'static, async_graphql::Result<WorkerNode>>> {
        let only: Option<NodeId> = id.map(|id| self::id("id", &id)).transpose().map_err(|_| Error::NotFound)?;
        let platform = ctx.platform().clone();
        // Listening begins before the first look: what changes in between is news.
        let changes = platform.changes.subscribe();
        let mut watch = Watch { platform, caller: ctx.caller().clone(), changes, only, waiting: VecDeque::new() };
        watch.look_at_all().await?;
        if only.is_some() && watch.find().await?.is_none() {
            return Err(Error::NotFound.into());
        }
        let nodes = stream::unfold(Some(watch), |watch| async move {
            let mut watch = watch?;
            match watch.next().await {
                Ok(Some(node)) => Some((Ok(WorkerNode(node)), Some(watch))),
                Ok(None) => None,
                Err(error) => Some((Err(event_error(error)), None)),
            }
        });
        Ok(nodes.boxed())
    }
}

struct Watch {
    platform: Platform,
    caller: Caller,
    changes: Receiver<Change>,
    only: Option<NodeId>,
    /// To be told, each once: what changes again while the client is slow is told as it is then.
    waiting: VecDeque<NodeId>,
}

impl Watch {
    async fn look_at_all(&mut self) -> Result<(), Error> {
        self.waiting = match self.only {
            Some(id) => VecDeque::from([id]),
            None => nodes::all(&mut self.platform.db.read_once().await?).await?.into_iter().map(|node| node.id).collect(),
        };
        Ok(())
    }

    async fn find(&self) -> Result<Option<Node>, Error> {
        let Some(id) = self.waiting.front() else { return Ok(None) };
        Ok(nodes::find(&mut self.platform.db.read_once().await?, *id).await?)
    }

    async fn next(&mut self) -> Result<Option<Node>, Error> {
        loop {
            if !self.hear().await? {
                return Ok(None);
            }
            self.caller = still_administrates(self.caller.clone(), &self.platform).await?;
            let found = self.find().await?;
            self.waiting.pop_front();
            match found {
                Some(node) => return Ok(Some(node)),
                // It was deleted: of one that is watched alone nothing more is to come.
                None if self.only.is_some() => return Ok(None),
                None => {}
            }
        }
    }

    /// Takes up what changed, and waits until something has. `false`: nothing more comes.
    async fn hear(&mut self) -> Result<bool, Error> {
        loop {
            match self.changes.try_recv() {
                Ok(change) => self.take(change),
                Err(TryRecvError::Lagged(_)) => self.look_at_all().await?,
                Err(TryRecvError::Empty) if !self.waiting.is_empty() => return Ok(true),
                Err(TryRecvError::Empty) => match self.changes.recv().await {
                    Ok(change) => self.take(change),
                    Err(RecvError::Lagged(_)) => self.look_at_all().await?,
                    Err(RecvError::Closed) => return Ok(false),
                },
                Err(TryRecvError::Closed) => return Ok(!self.waiting.is_empty()),
            }
        }
    }

    fn take(&mut self, change: Change) {
        if let Changed::Node(id) = change.what
            && self.only.is_none_or(|only| only == id)
            && !self.waiting.contains(&id)
        {
            self.waiting.push_back(id);
        }
    }
}
