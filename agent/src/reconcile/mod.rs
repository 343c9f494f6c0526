//! Makes the machine match what is desired: look, remember, plan, act, report, again.
//!
//! The decisions are pure functions ([`plan`], [`report`], and the ingress's plan); this folder's `actor` alone does things.

mod actor;
pub mod memory;
pub mod plan;
pub mod report;
mod routes;
#[cfg(test)]
mod tests;

pub use actor::{Reconciler, Signals};
pub use memory::Memory;
