//! Watching: the current value first, then each change. Who may see it is asked again for every event.

mod entity;
mod log;

use async_graphql::MergedSubscription;

/// What can be watched.
#[derive(MergedSubscription, Default)]
pub struct Subscription(entity::EntitySubscription, log::LogSubscription);
