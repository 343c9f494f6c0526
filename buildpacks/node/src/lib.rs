//! The buildpack for Node applications: servers, sites that a build makes, and bare `index.html` sites.
//!
//! `detect` looks for a `package.json`; [`application`] decides which package of it answers requests and how, [`manager_choice`] how
//! its dependencies are installed, [`version`] which Node it wants, and [`steps`] writes it all down.

mod application;
mod assets;
mod detect;
mod framework;
mod glob;
mod lockfile;
mod manager_choice;
mod manager_version;
mod manifest;
mod members;
mod package_manager;
mod range;
mod serve;
mod start_script;
mod static_site;
mod steps;
mod system_packages;
mod version;
mod version_files;
mod withdrawn;
mod workspaces;

use slipway_buildpack_sdk::{Buildpack, Context, Detected, Detection, Fragment, Refusal, Source, export_buildpack};

#[derive(Debug, Clone, Copy)]
pub struct Node;

impl Buildpack for Node {
    fn detect(&self, source: &Source, context: &Context) -> Detected {
        detect::detect(source, context)
    }

    fn plan(&self, source: &Source, context: &Context, detection: &Detection) -> Result<Fragment, Refusal> {
        match manifest::load(source)? {
            Some(manifest) => match assets::script(&manifest).filter(|_| !detection.provides.is_empty()) {
                Some(script) => assets::plan(source, &manifest, script),
                None => steps::plan(source, context, &manifest),
            },
            None => plan_bare(source, context),
        }
    }
}

fn plan_bare(source: &Source, context: &Context) -> Result<Fragment, Refusal> {
    match (serve::find_bare(source, context), members::find(source)) {
        (Some(serve::Serve::Process { .. }), _) => steps::plan(source, context, &manifest::Manifest::default()),
        (Some(site), _) if site.is_bare_site() => static_site::plan_bare(source, context),
        (_, Some(members)) => Ok(members::plan(&members)),
        _ => static_site::plan_bare(source, context),
    }
}

export_buildpack!(Node);
