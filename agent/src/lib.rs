//! The node agent: makes one machine match what the control plane wants of it, and reports what it sees.

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
pub mod ingress;
pub mod reconcile;
pub mod record;
mod steady;
pub mod task;
mod tls;

pub use config::{Config, IngressConfig, Timing};
pub use enroll::{EnrollError, enroll};
pub use identity::{Identity, IdentityError};
