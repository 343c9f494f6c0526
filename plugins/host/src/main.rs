//! The process of one plugin alone, without the rest of `slipway`, whose `plugin-host` does the same: for trying plugins, and for the
//! tests of this crate.

fn main() -> std::process::ExitCode {
    slipway_plugin_host::serve()
}
