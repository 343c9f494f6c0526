//! The component's side of a plugin in its WebAssembly form: generated bindings.

#[allow(unsafe_code, missing_docs, clippy::all, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../abi/wit",
        world: "plugin",
        pub_export_macro: true,
        default_bindings_module: "slipway_plugin_sdk::guest::bindings",
    });
}

pub use bindings::{Guest, Reply};
