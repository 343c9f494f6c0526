//! The buildpack for Python applications: pip, Poetry, Pipenv, uv and PDM; Django, Flask, FastAPI and plain programs.
//!
//! [`project`] reads the manifests, [`installer`] decides who installs, [`version`] which Python is wanted, [`start`] what
//! runs, and [`steps`] writes it all down. Dependencies live in a virtual environment that the image copies whole.

mod app_object;
mod detect;
mod installer;
mod project;
mod start;
mod steps;
mod system_packages;
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
