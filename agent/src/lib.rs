//! The node agent: makes one machine match what the control plane wants of it, and reports what it sees.
//!
//! [`enroll`] makes a machine a node, [`run`] is the agent, [`stop_ingress`] ends the Traefik that outlives it.

mod backoff;
pub mod blob;
pub mod build;
mod config;
pub mod docker;
mod durable;
pub mod engine;
mod enroll;
mod facts;
mod identity;
pub mod images;
pub mod ingress;
pub mod logs;
mod purge;
pub mod reconcile;
pub mod record;
mod run;
mod samples;
mod session;
pub mod sim;
mod steady;
pub mod task;
pub mod tasks;
mod tls;

pub use config::{Config, IngressConfig, Timing};
pub use enroll::{EnrollError, enroll};
pub use identity::{Identity, IdentityError};
pub use ingress::IngressError;
pub use purge::{Purged, purge};
pub use run::{AgentError, run, stop_ingress};
pub use slipway_outbound::Policy as SourcePolicy;
pub use steady::Steady;
