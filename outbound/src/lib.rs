//! Connections to addresses that customers name: repositories, webhooks, registries, health checks.
//!
//! Whoever chooses a URL could have us speak to our own machine, to its neighbours or to a cloud's metadata service. So every such
//! connection begins here: [`resolve`] asks for the host's addresses once, judges all of them, and gives them to be dialled; [`Outbound`]
//! does that for each request and for each redirect of it.
//!
//! Invariant: no packet goes to an address that was not judged. A name is not asked about again, so that one that changes its mind leads
//! nowhere, and no proxy of the environment is used, because it would ask by itself.

mod address;
mod policy;
mod request;
mod resolve;

pub use address::is_public;
pub use policy::{ParsePolicyError, Policy};
pub use request::{Answer, Outbound, OutboundError, Sent};
pub use resolve::{Forbidden, Lookup, ResolveError, SystemLookup, Target, resolve};
