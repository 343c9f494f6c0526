//! The buildpack for Ruby on Debian's packages: gems by Bundler, what is served by Rack.
//!
//! [`gemfile`] reads Gemfile and Gemfile.lock, [`aptfile`] the Debian packages that an application wants, [`start`] finds what to
//! start, [`version`] which Ruby is wanted, and [`plan`] writes it all down.

mod aptfile;
mod gemfile;
mod plan;
mod start;
mod version;

use slipway_buildpack_sdk::{
    Buildpack, Context, Detected, Detection, Fragment, Refusal, Source, WHOLE_APPLICATION, detection, export_buildpack, reason,
};

use gemfile::{Gems, LOCK, MANIFEST};
use start::Start;

/// Gems, and something to start.
const WHOLE: u8 = WHOLE_APPLICATION + 10;
/// Gems, and nothing that says what to start: a library, or tools beside another language's application.
const UNCLEAR: u8 = 50;
/// A program without gems.
const PROGRAM: u8 = 40;

#[derive(Debug, Clone, Copy)]
pub struct Ruby;

impl Buildpack for Ruby {
    fn detect(&self, source: &Source, context: &Context) -> Detected {
        let gems = match gemfile::read(source) {
            Ok(gems) => gems,
            Err(refusal) => return Detected::Refused(refusal),
        };
        let start = start::find(source, context, gems.as_ref());
        let found = detection(context).framework(gems.as_ref().and_then(framework));
        let found = match (&gems, &start) {
            (Some(_), Some(_)) => found.score(WHOLE),
            (Some(_), None) => found.score(UNCLEAR),
            (None, Some(Start::Program { file, .. })) => return found.score(PROGRAM).because(file, "a Ruby program").into(),
            (None, _) => return Detected::No([MANIFEST, "app.rb"].map(|file| reason(file, "there is no such file")).to_vec()),
        };
        let found = found.package_manager(Some("bundler")).because(MANIFEST, "gems");
        match start.as_ref().and_then(Start::file) {
            Some(file) => found.because(file, "what is started").into(),
            None => found.into(),
        }
    }

    fn plan(&self, source: &Source, context: &Context, _detection: &Detection) -> Result<Fragment, Refusal> {
        let gems = gemfile::read(source)?;
        plan::plan(source, context, gems.as_ref())
    }
}

fn framework(gems: &Gems) -> Option<&'static str> {
    ["rails", "hanami", "sinatra", "roda", "grape", "rack"].into_iter().find(|name| gems.has(name))
}

export_buildpack!(Ruby);

/// For messages that tell what to do about a lockfile.
pub(crate) const LOCK_FIX: &str = "Run `bundle lock --add-platform x86_64-linux`, and commit Gemfile.lock.";

/// Shown where there is no lockfile.
pub(crate) fn lock_missing() -> Refusal {
    let message = format!("`{MANIFEST}` names gems, and there is no {LOCK} that says which versions of them.");
    slipway_buildpack_sdk::refuse("RUBY_LOCK_MISSING", message).at(MANIFEST).fix(LOCK_FIX)
}
