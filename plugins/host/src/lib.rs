//! Finds, loads and calls plugins, and outlives what they do.
//!
//! [`PluginHost::open`] reads a directory of plugin directories. Each one becomes a [`Plugin`], or an [`Incompatible`] with the
//! reason; neither a broken manifest nor a broken library stops the host. A call runs on a thread of its own under a deadline,
//! a panic or an overrun costs that call and is a strike, and three strikes quarantine the plugin until an administrator
//! releases it.
//!
//! What is *not* survived in one process: a plugin that corrupts memory, overflows its stack or calls `abort`. That is why only
//! [`Options::trusted`] libraries, those that came with the platform, run in the host's own process. Any other native one runs in
//! a child process without rights (`child`), and a component in a WebAssembly sandbox (`component`): there, all of that costs a
//! call. The messages, the SDK and what a caller sees are the same.

mod answer;
mod billing;
mod call_error;
#[allow(unsafe_code)] // system calls by which a process gives up its rights
mod child;
mod component;
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
mod raw;
mod registry;
mod reply;
mod resolver;
mod runner;
mod settings;
mod shipped;

pub use call_error::{CallError, Misconduct, SettingsProblem};
pub use child::{Limits as ProcessLimits, inside::serve};
pub use conduct::{STRIKES, Stats};
pub use load_error::LoadError;
pub use manifest::read as read_manifest;
pub use plugin::{Buildpack, Plugin};
pub use raw::{Raw, Said};
pub use registry::{Incompatible, OpenError, Options, PluginHost, Trusted};
pub use resolver::Resolver;
pub use runner::Isolation;
pub use shipped::{SUMS, shipped};
pub use slipway_plugin_abi::{
    Manifest,
    manifest::{Form, Kind},
    messages,
};
