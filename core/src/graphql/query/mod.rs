//! Reading: one file per noun.

mod account;
mod application;
mod catalog;
mod fleet;
mod rate_limit;

use async_graphql::MergedObject;

/// What can be asked.
#[derive(MergedObject, Default)]
pub struct Query(
    account::AccountQuery,
    catalog::CatalogQuery,
    application::ApplicationQuery,
    fleet::FleetQuery,
    rate_limit::RateLimitQuery,
);
