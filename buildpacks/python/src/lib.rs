//! The buildpack for Python applications: pip, Poetry, Pipenv, uv and PDM; Django, Flask, FastAPI and plain programs.
//!
//! [`project`] and [`requirements`] read the manifests, [`installer`] and [`lockfile`] decide who installs, [`version`] which
//! Python is wanted, [`framework`] and [`start`] what runs, and [`steps`] writes it all down. Dependencies live in a virtual
//! environment that the image copies whole.

mod app_object;
mod code;
mod detect;
mod django;
mod framework;
mod installer;
mod lockfile;
mod program;
mod project;
mod requirements;
mod server;
mod start;
mod steps;
mod subdirectories;
mod system_packages;
mod text;
mod version;

use slipway_buildpack_sdk::{Buildpack, Context, Detected, Detection, Fragment, Refusal, Source, export_buildpack};

#[derive(Debug, Clone, Copy)]
pub struct Python;

impl Buildpack for Python {
    fn detect(&self, source: &Source, context: &Context) -> Detected {
        detect::detect(source, context)
    }

    fn plan(&self, source: &Source, context: &Context, _detection: &Detection) -> Result<Fragment, Refusal> {
        steps::plan(source, context, &project::load(source)?)
    }
}

export_buildpack!(Python);
