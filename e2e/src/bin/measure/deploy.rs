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

/// The default plan's, with which a quarter of a processor has to start the application.
const LIMITS: &[&str] = &["--cpus", "0.25", "--memory", "256m", "--memory-swap", "256m", "--pids-limit", "512"];

/// What a careful person would write for the example.
pub(super) const BY_HAND: &str = "\
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

    let mut cold = Times::default();
    let mut edit = Times::default();
    for run in 0..RUNS {
        // A changed manifest makes the install step run again; the packages come from the cache mount or the network alike.
        change(ours.path(), "package.json", "\"private\"", &format!("\"description\": \"ours {} {run}\",\n  \"private\"", nonce()))?;
        change(theirs.path(), "package.json", "\"private\"", &format!("\"description\": \"theirs {} {run}\",\n  \"private\"", nonce()))?;
        cold.take(&platform, ours.path(), theirs.path()).await?;
        change(ours.path(), "server.js", "Hello ", &format!("Hello {run} "))?;
        change(theirs.path(), "server.js", "Hello ", &format!("Hello {run} "))?;
        edit.take(&platform, ours.path(), theirs.path()).await?;
    }
    cold.report("manifest changed, dependencies installed again");
    edit.report("one source line changed");
    Ok(())
}

#[derive(Default)]
struct Times {
    ours: Vec<Duration>,
    by_hand: Vec<Duration>,
    unlimited: Vec<Duration>,
}

impl Times {
    /// The by-hand builds share the engine's cache, so that the second of them only starts another container.
    async fn take(&mut self, platform: &Platform, ours: &Path, theirs: &Path) -> Result<()> {
        self.ours.push(deploy(platform, ours).await?);
        let build = build_by_hand(theirs)?;
        self.by_hand.push(build + run_by_hand(LIMITS).await?);
        self.unlimited.push(build + run_by_hand(&[]).await?);
        Ok(())
    }

    fn report(self, what: &str) {
        let [ours, by_hand, unlimited] = [self.ours, self.by_hand, self.unlimited].map(Sample::new);
        println!("{what}: slipway deploy {}", ours.describe());
        println!("{what}: docker build + run + first answer {}, without the plan's limits {}", by_hand.describe(), unlimited.describe());
        let to = |other: &Sample| ratio(ours.median(), other.median());
        println!("{what}: ratio of medians {:.2}, without the plan's limits {:.2}", to(&by_hand), to(&unlimited));
    }
}

/// From the command to its end: upload, build, start, probe, switch. The old instance is gone before the clock starts.
async fn deploy(platform: &Platform, directory: &Path) -> Result<Duration> {
    platform.settle(Duration::from_secs(60)).await?;
    let begin = Instant::now();
    let deployed = platform.deploy(directory, "measured").await?;
    ensure!(deployed.success, "{}\n{:#}", deployed.progress, deployed.report);
    Ok(begin.elapsed())
}

fn build_by_hand(directory: &Path) -> Result<Duration> {
    let begin = Instant::now();
    docker(&["build", "--quiet", "--tag", "slipway-measure", &directory.display().to_string()])?;
    Ok(begin.elapsed())
}

/// Starts the image and waits for the first answer; the container is removed after that, off the clock.
async fn run_by_hand(limits: &[&str]) -> Result<Duration> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let begin = Instant::now();
    let (environment, publish) = (format!("PORT={port}"), format!("127.0.0.1:{port}:{port}"));
    let start = ["run", "--detach", "--init", "--env", &environment, "--publish", &publish];
    let container = docker(&[&start, limits, &["slipway-measure"]].concat())?;
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(1)).build()?;
    while !client.get(format!("http://127.0.0.1:{port}/")).send().await.is_ok_and(|answer| answer.status().is_success()) {
        ensure!(begin.elapsed() < Duration::from_secs(120), "the container does not answer");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = begin.elapsed();
    docker(&["rm", "--force", container.trim()])?;
    Ok(took)
}

/// With BuildKit, which a client without its plugin `buildx` refuses: the environment may name another.
pub(super) fn docker(arguments: &[&str]) -> Result<String> {
    let program = std::env::var_os("SLIPWAY_MEASURE_DOCKER").unwrap_or_else(|| "docker".into());
    let output = Command::new(program).args(arguments).env("DOCKER_BUILDKIT", "1").stdin(Stdio::null()).output().context("docker")?;
    ensure!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

pub(super) fn change(directory: &Path, file: &str, from: &str, to: &str) -> Result<()> {
    let path = directory.join(file);
    let text = fs::read_to_string(&path)?;
    ensure!(text.contains(from), "{file} contains {from:?}");
    fs::write(path, text.replacen(from, to, 1))?;
    Ok(())
}

/// Differs between runs of the program, so that no layer of an earlier one fits.
pub(super) fn nonce() -> u32 {
    std::process::id()
}
