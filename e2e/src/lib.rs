//! What the tests of the whole system share: a platform as `slipway up` runs it, driven by the same binary that people use.
//!
//! Nothing is replaced here: the binary, the plugins and the buildpacks are those of `dist/`, Docker and Traefik are real.
#![allow(clippy::print_stderr, reason = "a test run tells what it is at")]

mod docker;
mod load;
mod platform;
mod visitor;

pub use docker::{Container, containers};
pub use load::{Load, LoadReport};
pub use platform::{Deployed, Platform, binary, dist, example, fresh_copy, write_app};
pub use visitor::{Answer, visit, visit_until};
