//! The buildpack for Node applications: servers, sites that a build makes, and bare `index.html` sites.
//!
//! `detect` looks for a `package.json`; [`serve`] decides how the application answers requests, [`package_manager`] how its
//! dependencies are installed, [`version`] which Node it wants, and [`steps`] writes it all down.

mod detect;
mod framework;
mod manifest;
mod package_manager;
mod serve;
mod static_site;
mod steps;
mod system_packages;
mod version;
mod workspaces;

use slipway_buildpack_sdk::{Buildpack, Context, Detected, Detection, Fragment, Refusal, Source, export_buildpack};

#[derive(Debug, Clone, Copy)]
pub struct Node;

impl Buildpack for Node {
    fn detect(&self, source: &Source, context: &Context) -> Detected {
        detect::detect(source, context)
    }

    fn plan(&self, source: &Source, context: &Context, _detection: &Detection) -> Result<Fragment, Refusal> {
        match manifest::load(source)? {
            Some(manifest) => steps::plan(source, context, &manifest),
            None => static_site::plan_bare(source, context),
        }
    }
}

export_buildpack!(Node);
