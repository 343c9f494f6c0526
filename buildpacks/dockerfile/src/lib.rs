//! The buildpack for applications that bring a Dockerfile: it reads what the file says about running, and changes as little of
//! it as possible.

mod parse;
mod plan;
mod stages;

use slipway_buildpack_sdk::{
    Buildpack, Context, Detected, Detection, Fragment, Refusal, STATED_BUILD, Source, detection, export_buildpack, reason,
};

#[derive(Debug, Clone, Copy)]
pub struct Dockerfiles;

const USUAL: [&str; 2] = ["Dockerfile", "dockerfile"];

impl Buildpack for Dockerfiles {
    fn detect(&self, source: &Source, context: &Context) -> Detected {
        match find(source, context) {
            Some(path) => detection(context).score(STATED_BUILD).because(path, "a Dockerfile says how to build").into(),
            None => Detected::No(vec![reason(context.dockerfile_path.as_deref().unwrap_or(USUAL[0]), "there is no such file")]),
        }
    }

    fn plan(&self, source: &Source, context: &Context, _detection: &Detection) -> Result<Fragment, Refusal> {
        plan::plan(source, context, find(source, context))
    }
}

/// The file that the settings name, else the usual one.
fn find<'a>(source: &Source, context: &'a Context) -> Option<&'a str> {
    match context.dockerfile_path.as_deref().map(|path| path.trim_start_matches("./")) {
        Some(path) => source.is_file(path).then_some(path),
        None => source.first_file(&USUAL),
    }
}

export_buildpack!(Dockerfiles);
