//! The host's side of the contract, generated from the WIT text.

wasmtime::component::bindgen!({
    path: "../wit/since_v0_1_0",
    world: "buildpack",
    exports: { default: async },
});

slipway_buildpack_wit::convert_bindings!(crate::bindings::slipway::buildpack::types);
