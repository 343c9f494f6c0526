//! A deployment beside the same `docker build` and `docker run` by hand, cold and with one source line changed.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use slipway_e2e::{Platform, example};

use crate::sample::{Sample, ratio};

const RUNS: usize = 7;

/// What a careful person would write for the example.
const BY_HAND: &str = "\
FROM node:22-slim AS install
WORKDIR /app
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev

FROM node:22-slim
WORKDIR /app
COPY --from=install --chown=1000:1000 /app/node_modules ./node_modules
COPY --chown=1000:1000 . .
USER 1000:1000
ENV NODE_ENV=production
CMD [\"node\", \"server.js\"]
";

pub async fn measure() -> Result<()> {
    println!("\n## A deployment and the same by hand (node-express)");
    let platform = Platform::start().await?;
    let ours = example("node-express")?;
    let theirs = example("node-express")?;
    fs::write(theirs.path().join("Dockerfile"), BY_HAND)?;

    let mut cold = (Vec::new(), Vec::new());
    let mut edit = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        // A changed manifest makes the install step run again; the packages come from the cache mount or the network alike.
        change(ours.path(), "package.json", "\"private\"", &format!("\"description\": \"ours {} {run}\",\n  \"private\"", nonce()))?;
        change(theirs.path(), "package.json", "\"private\"", &format!("\"description\": \"theirs {} {run}\",\n  \"private\"", nonce()))?;
        cold.0.push(deploy(&platform, ours.path()).await?);
        cold.1.push(by_hand(theirs.path()).await?);
        change(ours.path(), "server.js", "Hello ", &format!("Hello {run} "))?;
        change(theirs.path(), "server.js", "Hello ", &format!("Hello {run} "))?;
        edit.0.push(deploy(&platform, ours.path()).await?);
        edit.1.push(by_hand(theirs.path()).await?);
    }
    for (what, (ours, theirs)) in [("manifest changed, dependencies installed again", cold), ("one source line changed", edit)] {
        let (ours, theirs) = (Sample::new(ours), Sample::new(theirs));
        println!("{what}: slipway deploy {}", ours.describe());
        println!("{what}: docker build + run + first answer {}", theirs.describe());
        println!("{what}: ratio of medians {:.2}", ratio(ours.median(), theirs.median()));
    }
    Ok(())
}

/// From the command to its end: upload, build, start, probe, switch.
async fn deploy(platform: &Platform, directory: &Path) -> Result<Duration> {
    let begin = Instant::now();
    let deployed = platform.deploy(directory, "measured").await?;
    ensure!(deployed.success, "{}\n{:#}", deployed.progress, deployed.report);
    Ok(begin.elapsed())
}

/// Builds, starts and waits for the first answer; the old container is stopped after that, off the clock.
async fn by_hand(directory: &Path) -> Result<Duration> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let begin = Instant::now();
    docker(&["build", "--quiet", "--tag", "slipway-measure", &directory.display().to_string()])?;
    let publish = format!("127.0.0.1:{port}:{port}");
    let container = docker(&["run", "--detach", "--env", &format!("PORT={port}"), "--publish", &publish, "slipway-measure"])?;
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(1)).build()?;
    while !client.get(format!("http://127.0.0.1:{port}/")).send().await.is_ok_and(|answer| answer.status().is_success()) {
        ensure!(begin.elapsed() < Duration::from_secs(120), "the container does not answer");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = begin.elapsed();
    docker(&["rm", "--force", container.trim()])?;
    Ok(took)
}

fn docker(arguments: &[&str]) -> Result<String> {
    let output = Command::new("docker").args(arguments).env("DOCKER_BUILDKIT", "1").stdin(Stdio::null()).output().context("docker")?;
    ensure!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn change(directory: &Path, file: &str, from: &str, to: &str) -> Result<()> {
    let path = directory.join(file);
    let text = fs::read_to_string(&path)?;
    ensure!(text.contains(from), "{file} contains {from:?}");
    fs::write(path, text.replacen(from, to, 1))?;
    Ok(())
}

/// Differs between runs of the program, so that no layer of an earlier one fits.
fn nonce() -> u32 {
    std::process::id()
}
