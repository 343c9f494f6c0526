//! Every function of the store, on both engines: what holds on one holds on the other.

mod applications;
mod audit;
mod coverage;
mod deployments;
mod events;
mod fleet;
mod idempotency;
mod invitations;
mod metrics;
mod money;
mod operations;
mod organizations;
mod paging;
mod people;
mod platform;
mod quotas;
mod row_security;
mod schema;
mod statistics;
mod tenancy;
mod transactions;
mod transfers;
mod two_factor;
mod uploads;
mod variables;
mod world;
