//! The words of the domain as types: ids, validated names, states with their transitions, money, secrets and the clock.
//!
//! No I/O happens here and no other room's crate is imported, so that everything above can agree on these words.

mod clock;
mod digest;
mod id;
mod money;
mod name;
mod permission;
mod resources;
mod secret;
mod severity;
mod source;
pub mod state;
mod viewer;

pub use clock::{Clock, ManualClock, Timestamp, system_clock};
pub use digest::{ParseDigestError, Sha256Digest};
pub use id::*;
pub use money::{Currency, Money, ParseMoneyError};
pub use name::*;
pub use permission::{Grant, Permission};
pub use resources::{HealthCheck, Resources};
pub use secret::Secret;
pub use source::{BuildConfig, GitSource, ImageSource, Source};
pub use viewer::{Role, Viewer};
