//! The buildpack for PHP applications: Composer, and Apache without root on `$PORT`.
//!
//! [`composer`] reads the manifest, [`site`] finds the document root and the framework, [`apache`] writes the server's
//! configuration, and [`steps`] writes it all down. What a `package.json` beside it builds, another buildpack makes.

mod apache;
mod composer;
mod detect;
mod extensions;
mod laravel;
mod launcher;
mod lock;
mod site;
mod steps;
mod version;

use slipway_buildpack_sdk::{Buildpack, Context, Detected, Detection, Fragment, Refusal, Source, export_buildpack};

#[derive(Debug, Clone, Copy)]
pub struct Php;

impl Buildpack for Php {
    fn detect(&self, source: &Source, context: &Context) -> Detected {
        detect::detect(source, context)
    }

    fn plan(&self, source: &Source, context: &Context, _detection: &Detection) -> Result<Fragment, Refusal> {
        steps::plan(source, context, composer::load(source)?.as_ref())
    }
}

export_buildpack!(Php);
