//! `slipway plan` beside `nixpacks plan`, on the same folders in the same run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use slipway_e2e::{binary, example};

use crate::sample::{Sample, ratio};

const RUNS: usize = 30;
const EXAMPLES: &[&str] = &["node-express", "python-flask", "php-plain"];

pub fn measure() -> Result<()> {
    println!("\n## slipway plan, whole process");
    let slipway = binary()?;
    let cache = tempfile::tempdir()?;
    let nixpacks = nixpacks();
    if nixpacks.is_none() {
        println!("(nixpacks is not installed: `cargo install nixpacks` to compare)");
    }
    for name in EXAMPLES {
        let source = example(name)?;
        let plan = |directory: &Path| {
            let mut command = Command::new(&slipway);
            command.args(["plan", "--format", "json"]).arg(directory).env("XDG_CACHE_HOME", cache.path());
            command
        };
        std::fs::remove_dir_all(cache.path().join("slipway")).ok();
        let cold = time(&mut plan(source.path()))?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            ours.push(time(&mut plan(source.path()))?);
            if let Some(nixpacks) = &nixpacks {
                theirs.push(time(Command::new(nixpacks).arg("plan").arg(source.path()))?);
            }
        }
        let ours = Sample::new(ours);
        println!("{name}: cold {:.0} ms, warm {}", cold.as_secs_f64() * 1000.0, ours.describe());
        if !theirs.is_empty() {
            let theirs = Sample::new(theirs);
            println!("{name}: nixpacks {}; ratio of medians {:.2}", theirs.describe(), ratio(ours.median(), theirs.median()));
        }
    }
    let bare = Sample::new((0..RUNS).map(|_| time(Command::new(&slipway).arg("--version"))).collect::<Result<_>>()?);
    println!("bare start of the binary: {}", bare.describe());
    Ok(())
}

fn time(command: &mut Command) -> Result<Duration> {
    let begin = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().context("a planner")?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(begin.elapsed())
}

fn nixpacks() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("NIXPACKS") {
        return Some(path.into());
    }
    std::env::split_paths(&std::env::var_os("PATH")?).map(|directory| directory.join("nixpacks")).find(|path| path.is_file())
}
