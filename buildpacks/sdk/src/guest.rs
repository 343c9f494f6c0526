//! The component's side: generated bindings, and the one place where they become the document's types.

use slipway_buildpack_wit as document;

use crate::{Buildpack, Source};

/// Where the host mounts the tree.
const TREE: &str = "/app";

#[allow(unsafe_code, missing_docs, clippy::all, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/since_v0_1_0",
        world: "buildpack",
        pub_export_macro: true,
        default_bindings_module: "slipway_buildpack_sdk::bindings",
    });
}

slipway_buildpack_wit::convert_bindings!(crate::guest::bindings::slipway::buildpack::types);

/// Answers for the component.
pub fn detect(buildpack: &dyn Buildpack, context: bindings::Context) -> bindings::Detected {
    let context: document::Context = context.into();
    match Source::open(TREE, &context.app_root) {
        Ok(source) => buildpack.detect(&source, &context),
        Err(refusal) => document::Detected::Refused(refusal),
    }
    .into()
}

/// Answers for the component.
pub fn plan(
    buildpack: &dyn Buildpack,
    context: bindings::Context,
    detection: bindings::Detection,
) -> Result<bindings::Fragment, bindings::Refusal> {
    let context: document::Context = context.into();
    let source = Source::open(TREE, &context.app_root)?;
    Ok(buildpack.plan(&source, &context, &detection.into()).map(Into::into)?)
}
