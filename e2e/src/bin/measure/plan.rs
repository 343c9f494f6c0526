//! `slipway plan` beside `nixpacks plan`, on the same folders in the same run.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use slipway_e2e::binary;

use crate::apps::{App, apps};
use crate::sample::{Sample, millis, ratio};

const RUNS: usize = 15;

pub fn measure() -> Result<()> {
    println!("\n## slipway plan, whole process");
    let apps = apps()?;
    let cache = tempfile::tempdir()?;
    let nixpacks = nixpacks();
    let ours = |app: Option<&App>| {
        let mut command = Command::new(binary()?);
        command.env("XDG_CACHE_HOME", cache.path());
        anyhow::Ok(ask(command, app))
    };
    let first = time(&mut ours(apps.first())?)?.0;
    println!("first plan of all, buildpacks compiled: {:.0} ms", millis(first));

    // One after the other on each folder, so that both meet the same machine and the same page cache.
    let (mut slipway, mut rival, mut both) = (Vec::new(), Vec::new(), 0);
    for app in &apps {
        let (mut mine, mut theirs) = (Vec::new(), Vec::new());
        let (mut planned, mut planned_theirs) = (false, false);
        for _ in 0..RUNS {
            let (took, success) = time(&mut ours(Some(app))?)?;
            mine.push(took);
            planned = success;
            if let Some(nixpacks) = &nixpacks {
                let (took, success) = time(&mut ask(Command::new(nixpacks), Some(app)))?;
                theirs.push(took);
                planned_theirs = success;
            }
        }
        both += usize::from(planned && planned_theirs);
        slipway.push(Sample::new(mine).median());
        if !theirs.is_empty() {
            rival.push(Sample::new(theirs).median());
        }
    }
    let count = apps.len();
    let slipway = Sample::new(slipway);
    println!("{count} applications, the median of {RUNS} each: slipway {}", slipway.describe());
    let bare = bare_start(&mut ours(None)?)?;
    println!("bare start of slipway {}", bare.describe());
    let Some(nixpacks) = nixpacks else {
        println!("(nixpacks is not installed: `cargo install nixpacks` to compare)");
        return Ok(());
    };
    let rival = Sample::new(rival);
    println!("{count} applications, the median of {RUNS} each: nixpacks {}; both plan {both} of them", rival.describe());
    let p95 = ratio(slipway.quantile(0.95), rival.quantile(0.95));
    println!("ratio of medians {:.2}, of 95th percentiles {p95:.2}", ratio(slipway.median(), rival.median()));
    let theirs = bare_start(&mut ask(Command::new(nixpacks), None))?;
    println!("bare start of nixpacks {}", theirs.describe());
    let beyond = |whole: &Sample, start: &Sample| whole.median().saturating_sub(start.median());
    println!("beyond the bare start: ratio of medians {:.2}", ratio(beyond(&slipway, &bare), beyond(&rival, &theirs)));
    Ok(())
}

/// For a plan of the application, or for nothing but its version.
fn ask(mut command: Command, app: Option<&App>) -> Command {
    match app {
        Some(app) => command.arg("plan").arg(&app.path).args(["--format", "json"]),
        None => command.arg("--version"),
    };
    command
}

fn bare_start(command: &mut Command) -> Result<Sample> {
    Ok(Sample::new((0..RUNS * 2).map(|_| Ok(time(command)?.0)).collect::<Result<_>>()?))
}

/// How long it took, and whether it was successful: a refusal is an answer too.
fn time(command: &mut Command) -> Result<(Duration, bool)> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begin = Instant::now();
    let status = command.status().with_context(|| format!("{command:?}"))?;
    Ok((begin.elapsed(), status.success()))
}

fn nixpacks() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("NIXPACKS") {
        return Some(path.into());
    }
    std::env::split_paths(&std::env::var_os("PATH")?).map(|directory| directory.join("nixpacks")).find(|path| path.is_file())
}
