//! Reading: one file per noun.

mod account;
mod application;
mod billing;
mod catalog;
mod fleet;
mod people;
mod rate_limit;
mod reports;

use async_graphql::MergedObject;

pub(super) use self::account::find as find_node;

/// What can be asked.
#[derive(MergedObject, Default)]
pub struct Query(
    account::AccountQuery,
    catalog::CatalogQuery,
    application::ApplicationQuery,
    fleet::FleetQuery,
    people::PeopleQuery,
    rate_limit::RateLimitQuery,
    reports::ReportQuery,
    billing::BillingQuery,
);
