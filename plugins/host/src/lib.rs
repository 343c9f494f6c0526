//! Finds, loads and calls plugins, and outlives what they do.
//!
//! [`PluginHost::open`] reads a directory of plugin directories. Each one becomes a [`Plugin`], or an [`Incompatible`] with the
//! reason; neither a broken manifest nor a broken library stops the host. A call runs on a thread of its own under a deadline,
//! a panic or an overrun costs that call and is a strike, and three strikes quarantine the plugin until an administrator
//! releases it.
//!
//! What is *not* survived in one process: a plugin that corrupts memory, overflows its stack or calls `abort`. That is why
//! [`Options::approved`] pins digests, and why the library is looked at before any of its code runs.

mod billing;
mod call_error;
mod conduct;
mod deadline;
mod discovery;
mod elf;
#[allow(unsafe_code)] // the other side of the C interface; nothing else in this crate is unsafe
mod library;
mod load_error;
mod manifest;
mod plugin;
mod questions;
mod registry;
mod reply;
mod resolver;
mod settings;

pub use call_error::{CallError, Misconduct};
pub use conduct::{STRIKES, Stats};
pub use load_error::LoadError;
pub use plugin::{Buildpack, Plugin};
pub use registry::{Incompatible, OpenError, Options, PluginHost};
pub use resolver::Resolver;
pub use slipway_plugin_abi::{Manifest, manifest::Kind, messages};
