//! Runs buildpacks in a sandbox, chooses between them, checks what they plan, and lowers a plan to a Dockerfile.
//!
//! **Invariants.** A buildpack sees the source tree, read-only, and nothing else: no network, environment, clock or
//! randomness. What it may use of memory, time and output is bounded, and every way to go wrong is a typed
//! [`HostError`] that names nothing but the buildpack's own doing. Nothing outside this crate sees wasmtime.

mod app_config;
mod below;
mod bindings;
mod check;
mod choose;
mod compiled;
mod compiler;
mod compose;
mod epoch;
mod error;
mod host;
pub mod lowering;
mod output;
mod planning;
mod report;
mod responder;
mod sandbox;
mod startable;
mod stated_buildpacks;

pub use check::{PlanViolation, check_plan};
pub use choose::{Candidate, Choice, LookedFor, select};
pub use error::HostError;
pub use host::{Ambient, Buildpack, Host, Limits};
pub use planning::{PlanFailure, PlanRequest, plan_directory, real_directory};
pub use report::{ResolvedTools, report, report_failure, report_unresolved, report_with_tools};
pub use responder::{Responder, ResponderLimits, Responders, Session};
pub use slipway_buildpack_wit as contract;
pub use startable::nothing_to_start;
