//! Watching: the current value first, then each change. Who may see it is asked again for every event.

mod entity;
mod event;
mod fleet;
mod log;
mod metrics;

use async_graphql::MergedSubscription;

use crate::{
    Platform,
    auth::Caller,
    error::{Error, Result},
};

/// What can be watched.
#[derive(MergedSubscription, Default)]
pub struct Subscription(
    entity::EntitySubscription,
    log::LogSubscription,
    metrics::MetricSubscription,
    event::EventSubscription,
    fleet::FleetSubscription,
);

/// The caller as they are now, if they are still an administrator of the platform.
async fn still_administrates(caller: Caller, platform: &Platform) -> Result<Caller> {
    let caller = caller.refreshed(platform).await?;
    match &caller.viewer {
        None => Err(Error::Unauthenticated),
        Some(viewer) if viewer.is_platform_admin() => Ok(caller),
        Some(_) => Err(Error::Forbidden),
    }
}
