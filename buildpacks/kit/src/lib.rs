//! What the author of a buildpack uses beside the SDK: [`starter`] writes a project to begin with, [`project`] builds one, and
//! [`trial`] shows whether a buildpack is fit to be let loose on strangers' code.
//!
//! **Invariant.** A trial asks a buildpack through the same host that agents plan with; it has no rules of its own about plans.

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

pub mod project;
pub mod starter;
pub mod trial;
