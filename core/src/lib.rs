//! The control plane: rules, durable operations, the fleet of agents, and the API in front of them.

// ---- rules of deploying and running -----------------------------------------------------------------------------------
pub mod application_logs;
pub mod changes;
pub mod crash;
pub mod deployments;
pub mod fleet;
mod instances;
pub mod lifecycle;
pub mod log_history;
pub mod metering;
pub mod metrics;
pub mod nodes;
pub mod operations;
pub mod placement;
pub mod plan_changes;
mod platform;
mod releases;
pub mod rollout;
mod routes;
mod start;
mod tls;

// ---- the other rules, and the API -------------------------------------------------------------------------------------
pub mod applications;
pub mod audit;
pub mod auth;
pub mod billing;
pub mod capacity;
pub mod error;
mod events;
pub mod graphql;
mod housekeeping;
pub mod http;
pub mod install;
pub mod invitations;
pub mod memberships;
pub mod organizations;
pub mod people;
pub mod plans;
pub mod plugins;
pub mod quotas;
pub mod regions;
pub mod runtimes;
pub mod seed;
pub mod statistics;
pub mod transfer;
pub mod two_factor;
pub mod uploads;
pub mod variables;

pub use error::{Error, Result, UserError, UserErrorCode};
pub use platform::{Config, Parts, Platform};
pub use start::{Core, Setting, StartError, start, start_in};
