//! The same tree and the same settings give the same answer, byte for byte: again, in another place, at another time.

use std::path::Path;

use serde_json::Value;
use slipway_buildpack_host::Buildpack;

use super::{
    TrialError,
    answer::{ask, difference, document},
    fixture::Fixture,
    report::{About, Check},
    tree,
};

/// How often each fixture is asked about.
const RUNS: usize = 5;

pub async fn check(usual: &Buildpack, elsewhen: &Buildpack, fixtures: &[Fixture]) -> Result<Vec<Check>, TrialError> {
    let (mut again, mut elsewhere, mut at_another_time) = (Vec::new(), Vec::new(), Vec::new());
    for fixture in fixtures {
        let first = told(usual, &fixture.app(), fixture).await;
        for _ in 1..RUNS {
            let other = told(usual, &fixture.app(), fixture).await;
            if again.is_empty() {
                again.extend(differing(fixture, &first, &other, "again"));
            }
        }
        let copy = tempfile::tempdir()?;
        let place = copy.path().join("elsewhere/with other names above it");
        tree::copy_backwards(&fixture.app(), &place)?;
        elsewhere.extend(differing(fixture, &first, &told(usual, &place, fixture).await, "elsewhere"));
        at_another_time.extend(differing(fixture, &first, &told(elsewhen, &fixture.app(), fixture).await, "elsewhen"));
    }
    let check = |name: &str, differences: Vec<String>, good: String, bad: &str| {
        if differences.is_empty() { Check::passed(About::Purity, name, good) } else { Check::failed(About::Purity, name, bad, differences) }
    };
    let count = fixtures.len();
    Ok(vec![
        check(
            "again",
            again,
            format!("{count} fixtures, {RUNS} times each: the same bytes"),
            "the answer changes from one run to the next",
        ),
        check(
            "elsewhere",
            elsewhere,
            "another directory, other file times, files written in another order: the same bytes".into(),
            "the answer depends on where the tree is, on file times or on the order of a directory",
        ),
        check(
            "elsewhen",
            at_another_time,
            "another clock, other random numbers: the same bytes".into(),
            "the answer depends on the clock or on randomness",
        ),
    ])
}

async fn told(buildpack: &Buildpack, tree: &Path, fixture: &Fixture) -> Value {
    document(&ask(buildpack, tree, &fixture.context).await)
}

/// The order of what a buildpack lists counts too.
fn differing(fixture: &Fixture, first: &Value, other: &Value, how: &str) -> Vec<String> {
    if first == other { Vec::new() } else { difference(first, &fixture.name, other, how) }
}
