//! What a buildpack is written with: a [`Source`] to read, the plan's types to answer with, and [`export_buildpack!`],
//! which makes a component of it.
//!
//! ```
//! use slipway_buildpack_sdk::{Buildpack, Context, Detected, Detection, Fragment, Refusal, Source, export_buildpack};
//!
//! struct Elm;
//!
//! impl Buildpack for Elm {
//!     fn detect(&self, source: &Source, context: &Context) -> Detected {
//!         if source.is_file("elm.json") { detection(context).score(40).because("elm.json", "an Elm project").into() } else { Detected::No(vec![]) }
//!     }
//!
//!     fn plan(&self, _source: &Source, _context: &Context, _detection: &Detection) -> Result<Fragment, Refusal> {
//!         Err(refuse("ELM_NO_PLAN", "Elm is recognised but not built yet").fix("Add a Dockerfile."))
//!     }
//! }
//!
//! use slipway_buildpack_sdk::{detection, refuse};
//! export_buildpack!(Elm);
//! ```
//!
//! The same code compiles natively, so that a buildpack is unit-tested without a sandbox: open any directory with
//! [`Source::open`] and call the trait's functions.

mod answers;
mod command;
mod document;
#[cfg(target_family = "wasm")]
mod guest;
mod source;
mod start;

pub use answers::{DetectionBuilder, argv, detection, info, reason, refuse, shell, warning};
pub use command::{first_word, split_words};
pub use document::{parse_json, parse_toml};
pub use slipway_buildpack_wit::*;
pub use source::{Entry, Source};
pub use start::{StatedStart, has_other_processes, stated_start};

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub use guest::{bindings, detect, plan};

/// A language or a way to build. Both functions are pure: the same tree and arguments give the same answer.
pub trait Buildpack {
    /// Whether the tree is of this buildpack's kind, and why.
    fn detect(&self, source: &Source, context: &Context) -> Detected;

    /// How to build and run it.
    ///
    /// # Errors
    /// A refusal says, to the person who wrote the application, why it cannot work and what to change.
    fn plan(&self, source: &Source, context: &Context, detection: &Detection) -> Result<Fragment, Refusal>;
}

/// Makes the crate's component answer with this buildpack. Does nothing when compiled natively.
#[macro_export]
macro_rules! export_buildpack {
    ($buildpack:expr) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Component;

            impl $crate::bindings::Guest for Component {
                fn detect(context: $crate::bindings::Context) -> $crate::bindings::Detected {
                    $crate::detect(&$buildpack, context)
                }

                fn plan(
                    context: $crate::bindings::Context,
                    detection: $crate::bindings::Detection,
                ) -> Result<$crate::bindings::Fragment, $crate::bindings::Refusal> {
                    $crate::plan(&$buildpack, context, detection)
                }
            }

    $crate::bindings::export!(Component with_types_in $crate::bindings);
        };
    };
}
