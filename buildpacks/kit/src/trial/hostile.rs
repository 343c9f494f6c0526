//! Trees that nobody expects. Whatever is in one, a buildpack plans it by the rules, refuses it with words that help, or says
//! that it is none of its kind; it does not fail, and it does not take long.
//!
//! What a buildpack reads is best known by its own fixtures, so those are damaged file by file, and buried in odd company.

mod company;
mod damage;

use std::{
    io,
    path::Path,
    time::{Duration, Instant},
};

use slipway_buildpack_host::{Buildpack, contract::Context};

use self::damage::Damage;
use super::{
    TrialError,
    answer::{ask, fault},
    fixture::Fixture,
    report::{About, Check},
    tree,
};

/// Files of one fixture that are damaged.
const MOST_FILES: usize = 16;
/// Fixtures that are put into odd company.
const MOST_APPS: usize = 5;
/// Trees that are named when a buildpack fails on many.
const MOST_SHOWN: usize = 5;

pub async fn check(buildpack: &Buildpack, fixtures: &[Fixture]) -> Result<Vec<Check>, TrialError> {
    let mut checks = Vec::new();

    let mut empty = Tally::new("an empty tree");
    let nothing = tempfile::tempdir()?;
    empty.ask(buildpack, nothing.path(), &Context::default(), || "an empty directory".into()).await;
    checks.push(empty.check());

    for damage in Damage::ALL {
        let mut tally = Tally::new(damage.name());
        for fixture in fixtures {
            damaged(buildpack, fixture, damage, &mut tally).await?;
        }
        if tally.asked > 0 {
            checks.push(tally.check());
        }
    }
    let planned = planned(buildpack, fixtures).await;
    for (name, join) in company::ALL {
        let mut tally = Tally::new(name);
        for fixture in &planned {
            let copy = tempfile::tempdir()?;
            tree::copy(&fixture.app(), copy.path())?;
            join(copy.path())?;
            tally.ask(buildpack, copy.path(), &fixture.context, || fixture.name.clone()).await;
        }
        if planned.is_empty() {
            let alone = tempfile::tempdir()?;
            join(alone.path())?;
            tally.ask(buildpack, alone.path(), &Context::default(), || "nothing else".into()).await;
        }
        checks.push(tally.check());
    }
    Ok(checks)
}

/// Some of the fixtures that become a plan: those are looked at the longest.
async fn planned<'a>(buildpack: &Buildpack, fixtures: &'a [Fixture]) -> Vec<&'a Fixture> {
    let mut planned = Vec::new();
    for fixture in fixtures {
        if planned.len() < MOST_APPS && ask(buildpack, &fixture.app(), &fixture.context).await.is_ok() {
            planned.push(fixture);
        }
    }
    planned
}

async fn damaged(buildpack: &Buildpack, fixture: &Fixture, damage: Damage, tally: &mut Tally) -> Result<(), TrialError> {
    let copy = tempfile::tempdir()?;
    tree::copy(&fixture.app(), copy.path())?;
    for file in tree::files(copy.path())?.into_iter().take(MOST_FILES) {
        let path = copy.path().join(&file);
        damage.inflict(&path)?;
        tally.ask(buildpack, copy.path(), &fixture.context, || format!("{}, {}", fixture.name, file.display())).await;
        restore(&path, &fixture.app().join(&file))?;
    }
    Ok(())
}

fn restore(path: &Path, from: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(about) if about.is_dir() => std::fs::remove_dir_all(path)?,
        Ok(_) => std::fs::remove_file(path)?,
        Err(_) => {}
    }
    std::fs::copy(from, path).map(|_| ())
}

/// The answers to one kind of tree.
struct Tally {
    name: String,
    asked: usize,
    failures: usize,
    shown: Vec<String>,
    slowest: Duration,
}

impl Tally {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), asked: 0, failures: 0, shown: Vec::new(), slowest: Duration::ZERO }
    }

    async fn ask(&mut self, buildpack: &Buildpack, tree: &Path, context: &Context, describe: impl FnOnce() -> String) {
        let started = Instant::now();
        let answer = ask(buildpack, tree, context).await;
        self.slowest = self.slowest.max(started.elapsed());
        self.asked += 1;
        let Some(fault) = fault(&answer, tree) else { return };
        self.failures += 1;
        if self.failures <= MOST_SHOWN {
            self.shown.push(format!("{}: {}", describe(), fault[0]));
            self.shown.extend(fault[1..].iter().map(|line| format!("    {line}")));
        }
    }

    fn check(mut self) -> Check {
        if self.failures == 0 {
            let trees = if self.asked == 1 { "1 tree".to_owned() } else { format!("{} trees", self.asked) };
            return Check::passed(About::Hostile, self.name, format!("{trees}, the slowest in {} ms", self.slowest.as_millis()));
        }
        if self.failures > MOST_SHOWN {
            self.shown.push(format!("and {} more", self.failures - MOST_SHOWN));
        }
        let problem = format!("it fails on {} of {}", self.failures, self.asked);
        Check::failed(About::Hostile, self.name, problem, self.shown)
    }
}
