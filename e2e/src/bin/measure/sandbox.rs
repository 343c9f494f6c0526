//! Planning as the agent does it, in a process that has the buildpacks loaded; and the same logic without a sandbox.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use slipway_buildpack_dockerfile::Dockerfiles;
use slipway_buildpack_host::{Buildpack, Host, PlanFailure, PlanRequest, plan_directory};
use slipway_buildpack_node::Node;
use slipway_buildpack_php::Php;
use slipway_buildpack_python::Python;
use slipway_buildpack_sdk::{Buildpack as Native, Context, Detected, Source};
use slipway_e2e::dist;

use crate::apps::apps;
use crate::sample::{Sample, millis, ratio};

const RUNS: usize = 21;
const NATIVE: [&dyn Native; 4] = [&Dockerfiles, &Node, &Php, &Python];

pub async fn measure() -> Result<()> {
    println!("\n## Detection by four buildpacks and the plan, in one process");
    let cache = tempfile::tempdir()?;
    let begin = Instant::now();
    load(cache.path())?;
    println!("loading the buildpacks, compiled now: {:.1} ms", millis(begin.elapsed()));
    let begin = Instant::now();
    let buildpacks = load(cache.path())?;
    println!("loading the buildpacks, compiled before: {:.2} ms", millis(begin.elapsed()));

    let (mut sandboxed, mut native) = (Vec::new(), Vec::new());
    let apps = apps()?;
    for app in &apps {
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            ours.push(in_sandbox(&buildpacks, &app.path).await?);
            bare.push(without(&app.path));
        }
        sandboxed.push(Sample::new(ours).median());
        native.push(Sample::new(bare).median());
    }
    let (sandboxed, native) = (Sample::new(sandboxed), Sample::new(native));
    println!("{} applications, the median of {RUNS} each: in the sandbox {}", apps.len(), sandboxed.describe());
    println!("the same logic natively, without choosing and checking: {}", native.describe());
    println!("ratio of medians {:.1}", ratio(sandboxed.median(), native.median()));
    Ok(())
}

/// Those of the plugins in `dist/`.
fn load(cache: &Path) -> Result<Vec<Buildpack>> {
    let host = Host::new(cache)?;
    let mut buildpacks = Vec::new();
    for entry in fs::read_dir(dist().join("plugins"))? {
        for file in fs::read_dir(entry?.path())? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "wasm") {
                let id = path.file_stem().and_then(|stem| stem.to_str()).context("a component's file has a name")?;
                buildpacks.push(host.load(id, &fs::read(&path)?)?);
            }
        }
    }
    buildpacks.sort_by(|one, other| one.id().cmp(other.id()));
    Ok(buildpacks)
}

async fn in_sandbox(buildpacks: &[Buildpack], tree: &Path) -> Result<Duration> {
    let begin = Instant::now();
    match plan_directory(buildpacks, tree, &PlanRequest::default()).await {
        Ok(_) | Err(PlanFailure::Refused(_) | PlanFailure::NoMatch { .. }) => Ok(begin.elapsed()),
        Err(failure) => Err(failure).with_context(|| tree.display().to_string()),
    }
}

fn without(tree: &Path) -> Duration {
    let begin = Instant::now();
    let context = Context::default();
    if let Ok(source) = Source::open(tree, &context.app_root) {
        let detections = NATIVE.iter().filter_map(|buildpack| match buildpack.detect(&source, &context) {
            Detected::Yes(detection) => Some((buildpack, detection)),
            _ => None,
        });
        if let Some((buildpack, detection)) = detections.max_by_key(|(_, detection)| detection.score) {
            drop(std::hint::black_box(buildpack.plan(&source, &context, &detection)));
        }
    }
    begin.elapsed()
}
