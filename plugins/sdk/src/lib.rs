//! What a plugin author needs: a trait for each kind of plugin, the messages they speak, and [`export_plugin!`].
//!
//! ```
//! use slipway_plugin_sdk::{BillingPlugin, Charge, PluginError, RateRequest, export_plugin};
//!
//! /// Everything is free here.
//! #[derive(Default)]
//! struct Free;
//!
//! impl BillingPlugin for Free {
//!     fn rate(&self, request: RateRequest) -> Result<Vec<Charge>, PluginError> {
//!         let free = |key| Charge { key, amount: Default::default(), description: "free of charge".into() };
//!         Ok(request.usage.into_iter().map(|period| free(period.key)).collect())
//!     }
//! }
//!
//! export_plugin!(billing: Free);
//! ```
//!
//! The crate is built as a `cdylib` (and as an `rlib` besides, so that its own tests can use it), with panics that unwind:
//! under `panic = "abort"` the first panic would end the process that it runs in.
//!
//! Built for `wasm32-wasip2`, the same crate is a WebAssembly component: with `form = "wasm"` in its manifest it runs in a sandbox, and
//! nobody has to trust it.

#![allow(unsafe_code)] // `boundary` alone: the host on the other side speaks C

mod billing;
#[doc(hidden)]
pub mod boundary;
#[doc(hidden)]
pub mod dispatch;
mod export;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;
mod ingress;
mod instance_size;
mod runtime;
pub mod version_line;

pub use billing::BillingPlugin;
pub use ingress::IngressPlugin;
pub use instance_size::memory_mib;
pub use runtime::RuntimePlugin;
pub use rust_decimal::Decimal;
pub use serde_json::Value;
pub use slipway_plugin_abi as abi;
pub use slipway_plugin_abi::messages::{
    self, ApplicationRoute, Backend, Charge, InvoiceItem, InvoiceLayout, InvoiceLine, InvoiceRequest, LaunchRequest, LaunchSettings,
    PluginError, Quote, QuoteRequest, RateRequest, RenderedRoutes, Resolution, ResolveRequest, RouteFile, RouteTable, RuntimeDescription,
    RuntimeVersion, Standing, StandingRequest, UsageKind, UsagePeriod,
};

/// The default answer to settings: a plugin that reads none refuses them, rather than letting an administrator believe that
/// they had an effect.
fn refuse_unread(settings: &Value) -> Result<(), PluginError> {
    let empty = settings.is_null() || settings.as_object().is_some_and(serde_json::Map::is_empty);
    if empty {
        return Ok(());
    }
    Err(PluginError::new("NO_SETTINGS", "this plugin has no settings").with_fix("remove the plugin's settings"))
}
