//! The buildpack for applications that bring a Dockerfile: it reads what the file says about running, and changes as little of
//! it as possible.

mod check;
mod locate;
mod parse;
mod plan;
mod ports;
mod stages;

use slipway_buildpack_sdk::{Buildpack, Context, Detected, Detection, Fragment, Refusal, Source, detection, export_buildpack, reason};

use locate::{Found, ONLY_A_HINT};

#[derive(Debug, Clone, Copy)]
pub struct Dockerfiles;

impl Buildpack for Dockerfiles {
    fn detect(&self, source: &Source, context: &Context) -> Detected {
        match locate::find(source, context) {
            // What cannot be built states nothing: a language that knows the tree goes before it.
            Some(found) if context.dockerfile_path.is_none() && found.score > ONLY_A_HINT => match plan::absent(source, &found.path) {
                Some(absent) => {
                    let why = format!("a Dockerfile, which copies `{absent}`, and that is not in the source");
                    detection(context).score(ONLY_A_HINT).because(&found.path, why).into()
                }
                None => stated(context, &found),
            },
            Some(found) => stated(context, &found),
            None => Detected::No(vec![reason(context.dockerfile_path.as_deref().unwrap_or("Dockerfile"), "there is no such file")]),
        }
    }

    fn plan(&self, source: &Source, context: &Context, _detection: &Detection) -> Result<Fragment, Refusal> {
        plan::plan(source, context, locate::find(source, context).map(|found| found.path).as_deref())
    }
}

fn stated(context: &Context, found: &Found) -> Detected {
    detection(context).score(found.score).because(&found.path, "a Dockerfile says how to build").into()
}

export_buildpack!(Dockerfiles);
