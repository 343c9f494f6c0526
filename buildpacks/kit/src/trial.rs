//! Whether a buildpack is fit for strangers' code: its fixtures are answered as expected, the same tree gives the same answer
//! whatever is around it, and no tree, however odd, makes it fail.

mod answer;
mod fixture;
mod hostile;
mod imports;
mod report;
mod same;
mod tree;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use slipway_buildpack_host::{Ambient, Buildpack, Host, HostError, Limits};

pub use self::{
    fixture::FixtureError,
    report::{About, Candidate, Check, Report, Status},
};

/// Another time and other random numbers, for the question whether they matter.
const ELSEWHEN: Ambient = Ambient { clock: Duration::from_secs(1_000_000_007), random: 0xa5 };

/// What is tried.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The runtime's name.
    pub id: String,
    /// The component's bytes.
    pub wasm: Vec<u8>,
    /// A directory of fixtures; `None`: the buildpack is tried on trees that are nobody's.
    pub fixtures: Option<PathBuf>,
}

/// Why there was no trial. What the buildpack does wrong is in the report instead.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The fixtures cannot be used.
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    /// Trees cannot be made here.
    #[error("a tree to try the buildpack on could not be made: {0}")]
    Tree(#[from] io::Error),
    /// The host does not start.
    #[error(transparent)]
    Host(HostError),
}

/// The buildpack under usual circumstances, and elsewhen.
struct Subjects {
    usual: Buildpack,
    elsewhen: Buildpack,
}

/// Tries a buildpack. With `update`, what it answers now becomes what its fixtures expect.
///
/// Compiled components are kept in `cache`.
///
/// # Errors
/// See [`TrialError`].
pub async fn run(subject: &Subject, cache: &Path, update: bool) -> Result<Report, TrialError> {
    let mut report = Report::of(Candidate { buildpack: subject.id.clone(), component_bytes: subject.wasm.len() });
    let subjects = match load(subject, cache) {
        Ok(subjects) => subjects,
        Err(error @ (HostError::InvalidComponent { .. } | HostError::WrongWorld { .. })) => {
            report.checks.push(Check::failed(About::Component, "loads", error.to_string(), Vec::new()));
            return Ok(report);
        }
        Err(error) => return Err(TrialError::Host(error)),
    };
    report.checks.push(Check::passed(About::Component, "loads", "exports detect and plan"));
    report.checks.push(imports::check(&subjects.usual.imports().map_err(TrialError::Host)?));
    let fixtures = subject.fixtures.as_deref().map(fixture::read_all).transpose()?.unwrap_or_default();
    if let (Some(directory), true) = (&subject.fixtures, fixtures.is_empty()) {
        let problem = format!("there are none in {}", directory.display());
        report.checks.push(Check::failed(About::Fixtures, "fixtures", problem, vec!["a fixture is a folder with an `app/`".into()]));
    }
    for fixture in &fixtures {
        report.checks.push(fixture::check(&subjects.usual, fixture, update).await?);
    }
    if !fixtures.is_empty() {
        report.checks.extend(same::check(&subjects.usual, &subjects.elsewhen, &fixtures).await?);
    }
    report.checks.extend(hostile::check(&subjects.usual, &fixtures).await?);
    Ok(report)
}

fn load(subject: &Subject, cache: &Path) -> Result<Subjects, HostError> {
    let usual = Host::new(cache)?.load(&subject.id, &subject.wasm)?;
    let elsewhen = Host::with_ambient(cache, Limits::default(), ELSEWHEN)?.load(&subject.id, &subject.wasm)?;
    Ok(Subjects { usual, elsewhen })
}
