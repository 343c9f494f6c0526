//! The dockerfile buildpack.

use slipway_buildpack_sdk::{Buildpack, Context, Detected, Detection, Fragment, Refusal, Source, export_buildpack, refuse};

#[derive(Debug, Clone, Copy)]
pub struct Dockerfiles;

impl Buildpack for Dockerfiles {
    fn detect(&self, _source: &Source, _context: &Context) -> Detected {
        Detected::No(Vec::new())
    }

    fn plan(&self, _source: &Source, _context: &Context, _detection: &Detection) -> Result<Fragment, Refusal> {
        Err(refuse("NOT_MINE", "not mine"))
    }
}

export_buildpack!(Dockerfiles);
