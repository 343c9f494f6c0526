//! One thing, watched.

use async_graphql::{Context, ID, Subscription};
use futures::{
    StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use slipway_model::{ApplicationId, DeploymentId, OperationId, OrganizationId, Viewer};
use slipway_store as store;
use tokio::sync::broadcast::{
    Receiver,
    error::{RecvError, TryRecvError},
};

use crate::{
    Platform,
    auth::Caller,
    billing::accounts,
    changes::{Change, Changed},
    error::Error,
    graphql::{
        access::{Permission, Role, permitted},
        context::{Request, id},
        error::{Result, event_error},
        types::{Application, BillingAccount, Deployment, Operation},
    },
};

#[derive(Default)]
pub(super) struct EntitySubscription;

#[Subscription]
impl EntitySubscription {
    /// An application, whenever it or one of its instances changes.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppRead))]
    async fn application_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The application.")] id: ID,
    ) -> Result<BoxStream<'static, async_graphql::Result<Application>>> {
        let id: ApplicationId = self::id("id", &id).map_err(|_| Error::NotFound)?;
        Ok(watch(
            ctx,
            move |what| matches!(what, Changed::Application(changed) if *changed == id),
            move |platform, viewer| {
                Box::pin(async move {
                    Ok(store::applications::find(&mut platform.db.read_as(viewer).await?, viewer, id).await?.map(Application))
                })
            },
        ))
    }

    /// A deployment, whenever it or one of its steps changes.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppRead))]
    async fn deployment_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The deployment.")] id: ID,
    ) -> Result<BoxStream<'static, async_graphql::Result<Deployment>>> {
        let id: DeploymentId = self::id("id", &id).map_err(|_| Error::NotFound)?;
        Ok(watch(
            ctx,
            move |what| matches!(what, Changed::Deployment(changed) if *changed == id),
            move |platform, viewer| {
                Box::pin(
                    async move { Ok(store::deployments::find(&mut platform.db.read_as(viewer).await?, viewer, id).await?.map(Deployment)) },
                )
            },
        ))
    }

    /// An organization's account, whenever it, its ledger, its invoices or its alerts change.
    #[graphql(directive = permitted::apply(Role::OrgAdmin, Permission::BillingRead))]
    async fn billing_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose.")] organization_id: ID,
    ) -> Result<BoxStream<'static, async_graphql::Result<BillingAccount>>> {
        let id: OrganizationId = self::id("organizationId", &organization_id).map_err(|_| Error::NotFound)?;
        Ok(watch(
            ctx,
            move |what| matches!(what, Changed::Billing(changed) if *changed == id),
            move |platform, viewer| Box::pin(async move { Ok(Some(BillingAccount(accounts::find(platform, viewer, id).await?))) }),
        ))
    }

    /// An operation, whenever it changes.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppRead))]
    async fn operation_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The operation.")] id: ID,
    ) -> Result<BoxStream<'static, async_graphql::Result<Operation>>> {
        let id: OperationId = self::id("id", &id).map_err(|_| Error::NotFound)?;
        Ok(watch(
            ctx,
            move |what| matches!(what, Changed::Operation(changed) if *changed == id),
            move |platform, viewer| {
                Box::pin(
                    async move { Ok(store::operations::find(&mut platform.db.read_as(viewer).await?, viewer, id).await?.map(Operation)) },
                )
            },
        ))
    }
}

type Load<T> = Box<dyn for<'a> Fn(&'a Platform, &'a Viewer) -> BoxFuture<'a, crate::error::Result<Option<T>>> + Send>;

struct Watch<T> {
    platform: Platform,
    caller: Caller,
    changes: Receiver<Change>,
    is_it: Box<dyn Fn(&Changed) -> bool + Send>,
    load: Load<T>,
    shown: bool,
}

/// The thing as it is, then again after each change. The stream ends when the thing is gone, or the caller may no longer see it.
fn watch<T: Send + 'static>(
    ctx: &Context<'_>,
    is_it: impl Fn(&Changed) -> bool + Send + 'static,
    load: impl for<'a> Fn(&'a Platform, &'a Viewer) -> BoxFuture<'a, crate::error::Result<Option<T>>> + Send + 'static,
) -> BoxStream<'static, async_graphql::Result<T>> {
    let platform = ctx.platform().clone();
    // Listening begins before the first look: what changes in between is news.
    let changes = platform.changes.subscribe();
    let watch = Watch { platform, caller: ctx.caller().clone(), changes, is_it: Box::new(is_it), load: Box::new(load), shown: false };
    stream::unfold(Some(watch), |watch| async move {
        let mut watch = watch?;
        match watch.next().await {
            Ok(Some(value)) => Some((Ok(value), Some(watch))),
            Ok(None) => None,
            Err(error) => Some((Err(event_error(error)), None)),
        }
    })
    .boxed()
}

impl<T> Watch<T> {
    async fn next(&mut self) -> crate::error::Result<Option<T>> {
        if self.shown && !self.changed().await {
            return Ok(None);
        }
        self.caller = self.caller.clone().refreshed(&self.platform).await?;
        let viewer = self.caller.viewer.as_ref().ok_or(Error::Unauthenticated)?;
        let value = (self.load)(&self.platform, viewer).await?;
        if value.is_none() && !self.shown {
            return Err(Error::NotFound);
        }
        self.shown = true;
        Ok(value)
    }

    /// Waits for a change. Those that piled up while the client was slow become one.
    async fn changed(&mut self) -> bool {
        loop {
            match self.changes.recv().await {
                Ok(change) if (self.is_it)(&change.what) => break,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return false,
            }
        }
        while !matches!(self.changes.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
        true
    }
}
