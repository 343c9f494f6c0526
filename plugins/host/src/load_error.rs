//! Why a plugin directory did not become a plugin.

use std::{io, path::PathBuf, time::Duration};

use slipway_plugin_abi::{ABI_VERSION, MESSAGE_VERSIONS, manifest::Kind};

/// For the administrator who put the directory there.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("{} cannot be read: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    #[error("plugin.toml is not a manifest: {0}")]
    NotAManifest(String),
    #[error("plugin.toml: {field}: {problem}")]
    BadField { field: &'static str, problem: String },
    #[error("{file} leads out of the plugin's directory")]
    LeadsOutside { file: String },
    #[error("{file} is not a library for this machine: {problem}")]
    NotALibrary { file: String, problem: String },
    #[error("{file} is not a WebAssembly component; modules are made into one with `wasm32-wasip2` as the target")]
    NotAComponent { file: String },
    #[error("{file} is not a WebAssembly file")]
    NotABuildpack { file: String },
    #[error("the library's SHA-256 is {found}, but {approved} was approved; approve the new one if the change is meant")]
    Unapproved { approved: String, found: String },
    #[error("the library cannot be loaded: {0}")]
    NotLoadable(String),
    #[error("the library does not export `{0}`; is `export_plugin!` missing?")]
    MissingSymbol(String),
    #[error("the library speaks version {0} of the C interface, this host version {ABI_VERSION}; build it with a matching SDK")]
    WrongAbi(u32),
    #[error("the library's table is unusable: {0}")]
    BadTable(String),
    #[error("the plugin speaks message versions {0} to {1}, this host {first} to {last}", first = MESSAGE_VERSIONS.start(), last = MESSAGE_VERSIONS.end())]
    NoCommonMessageVersion(u32, u32),
    #[error("the id {id} is taken by the plugin in {}", by.display())]
    IdTaken { id: String, by: PathBuf },
    #[error("only runtime plugins bring a buildpack; this one is of kind {0}")]
    BuildpackOfWrongKind(Kind),
    #[error("it does not start: {0}")]
    NotStarted(String),
    #[error("it cannot run here: the host was given no {0}")]
    NoPlaceToRun(&'static str),
    #[error("loading took longer than {} s", .0.as_secs_f32())]
    Overran(Duration),
    #[error("loading stopped: {0}")]
    Stopped(String),
}
