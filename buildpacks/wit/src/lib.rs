//! The buildpack contract: the WIT package (`since_v0_1_0/`) and the same shapes as a document, which is what travels to
//! the core, is hashed into the plan id and is printed by `slipway plan --format json`.
//!
//! Field names in the document are those of the WIT with `_` for `-`.

#![deny(missing_docs)]

mod bindings;
mod plan;
pub mod procfile;
pub mod shell_line;
mod writing;

pub use plan::*;

/// The newest WIT package, for tools that generate bindings from text.
pub const WIT: &str = include_str!("../since_v0_1_0/buildpack.wit");
