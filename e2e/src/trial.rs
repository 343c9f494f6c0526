//! One app through the whole platform: deployed, visited, looked into, edited, deployed again, and stopped.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use chrono::{DateTime, FixedOffset};
use futures::{StreamExt as _, stream};
use serde_json::Value;

use crate::docker::docker;
use crate::image::{ImageFacts, run_alone};
use crate::{App, Container, Endings, Platform, binary, build_log, containers, fresh_copy, visit, visit_until};

/// Apps that are deployed at one time: as many as a node builds at one time.
const AT_ONCE: usize = 2;
/// Steps of buildpacks that bring in what is not the app's own, and whose layers an edit leaves alone.
const INSTALLING: [&str; 5] = ["toolchain", "install", "production", "php", "composer"];
/// Where package managers keep what they downloaded, and where compilers are: neither belongs into an image.
const LEFTOVERS: [&str; 7] =
    ["/root/.npm", "/root/.cache", "/root/.yarn", "/root/.local", "/opt/tools", "/var/lib/apt/lists/*_*", "/app/.git"];
const PORT_OF_OUR_OWN: u16 = 4567;

/// What a trial showed.
#[derive(Debug, Clone)]
pub struct Row {
    pub app: String,
    pub buildpack: String,
    /// The framework, and the file that gave the app away.
    pub detected: String,
    pub manager: String,
    pub health: String,
    pub first_build: Duration,
    pub rebuild: Duration,
    pub image_bytes: u64,
    /// Layers of the image, and how many of them the edit left as they were.
    pub layers: usize,
    pub kept: usize,
    pub answer: String,
}

impl Row {
    pub const HEAD: [&str; 10] =
        ["app", "buildpack", "detected by", "installed with", "health", "build s", "rebuild s", "image MB", "layers kept", "answer"];

    #[must_use]
    pub fn cells(&self) -> Vec<String> {
        vec![
            self.app.clone(),
            self.buildpack.clone(),
            self.detected.clone(),
            self.manager.clone(),
            self.health.clone(),
            format!("{:.1}", self.first_build.as_secs_f32()),
            format!("{:.1}", self.rebuild.as_secs_f32()),
            format!("{:.1}", self.image_bytes as f64 / 1e6),
            format!("{} of {}", self.kept, self.layers),
            self.answer.clone(),
        ]
    }
}

/// Tries all of them, a few at a time, and goes on where one fails: the rows of those that work, and what was wrong with the others.
///
/// # Errors
/// When the platform itself cannot be asked.
pub async fn trials(platform: &Platform, apps: &[App]) -> Result<(Vec<Row>, Vec<String>)> {
    let endings = &Endings::of_node(&platform.node().await?)?;
    let tried: Vec<Result<Row, String>> = stream::iter(apps)
        .map(|app| async move {
            let tried = trial(platform, endings, app).await;
            if tried.is_err() {
                // Its instances would take the room of those that come after it. It may not have come to be an application at all.
                let _ = platform.slipway(&["apps", "delete", app.name(), "--confirm", app.name()]);
            }
            tried.map_err(|error| format!("{}: {error:#}", app.path))
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for result in tried {
        match result {
            Ok(row) => rows.push(row),
            Err(failure) => failures.push(failure),
        }
    }
    Ok((rows, failures))
}

async fn trial(platform: &Platform, endings: &Endings, app: &App) -> Result<Row> {
    let name = app.name();
    let source = fresh_copy(&app.directory())?;
    let plan = plan(source.path())?;
    let first = platform.deploy_on_plan(source.path(), name, app.plan).await?;
    ensure!(first.success, "it did not go live:\n{}\n{:#}", first.progress, first.report);
    let greeting = answers(platform, app).await?;
    let before = running(platform, &first.report).await?;
    let image = holds_what_it_should(app, &before).await?;

    edit(&source.path().join(app.edited))?;
    let second = platform.deploy(source.path(), name).await?;
    ensure!(second.success, "the edited app did not go live:\n{}\n{:#}", second.progress, second.report);
    let edited = app.greeting().replace("Hello from", "Greetings from");
    let limit = Duration::from_secs(10);
    visit_until(platform.ingress, &platform.host(name), limit, |answer| answer.body.contains(&edited)).await?;
    let repeated: Vec<_> = installs(app, &second.progress).into_iter().filter(|step| step.ran).collect();
    ensure!(repeated.is_empty(), "an edit of one line repeated {repeated:?}");

    let after = running(platform, &second.report).await?;
    let rebuilt = ImageFacts::of(&image_of(after.first().context("it runs")?))?;
    platform.slipway_json(&["apps", "delete", name, "--confirm", name])?;
    for container in before.iter().chain(&after) {
        ends_gracefully(endings, container).await?;
    }
    Ok(Row {
        app: app.path.to_owned(),
        buildpack: text(&plan["buildpack"]),
        detected: detected(&plan["detection"]),
        manager: text(&plan["detection"]["package_manager"]),
        health: health(&plan["health"]),
        first_build: build_time(&first.report)?,
        rebuild: build_time(&second.report)?,
        image_bytes: image.bytes,
        layers: image.layers.len(),
        kept: image.in_common(&rebuilt),
        answer: greeting,
    })
}

/// Visits all its pages; the line that greets.
async fn answers(platform: &Platform, app: &App) -> Result<String> {
    let host = platform.host(app.name());
    let answer = visit(platform.ingress, &host, "/").await?;
    ensure!(answer.status == 200 && answer.body.contains(&app.greeting()), "it answered {answer:?}");
    for (path, wanted) in app.pages {
        let page = visit(platform.ingress, &host, path).await?;
        ensure!(page.body.contains(wanted), "{path} answered {page:?}");
    }
    for path in app.hidden {
        let page = visit(platform.ingress, &host, path).await?;
        ensure!(matches!(page.status, 400 | 403 | 404), "{path} answered {page:?}");
    }
    Ok(answer.body.lines().find(|line| line.contains("Hello from")).unwrap_or_default().trim().chars().take(60).collect())
}

/// Looks into its containers, and runs its image by itself.
async fn holds_what_it_should(app: &App, containers: &[Container]) -> Result<ImageFacts> {
    ensure!(containers.len() == 1 + app.others, "it runs as {} containers", containers.len());
    for container in containers {
        no_root_and_no_shell(container)?;
    }
    let web = containers.iter().find(|container| !container.label("slipway.port").is_empty()).context("a web process")?;
    no_leftovers(web, app)?;
    let image = image_of(web);
    if app.honours_port {
        let networks = web.inspect["NetworkSettings"]["Networks"].as_object();
        let network = networks.and_then(|networks| networks.keys().next()).context("a network")?;
        run_alone(&image, &text(&web.inspect["Config"]["User"]), network, PORT_OF_OUR_OWN, &app.greeting()).await?;
    }
    ImageFacts::of(&image)
}

/// What the log says of the steps that install something.
fn installs(app: &App, log: &str) -> Vec<build_log::LoggedStep> {
    build_log::steps(log).into_iter().filter(|step| step.command.starts_with("RUN ") && is_install(app, step)).collect()
}

fn is_install(app: &App, step: &build_log::LoggedStep) -> bool {
    INSTALLING.contains(&step.step.as_str()) || app.installs.iter().any(|command| step.command.contains(command))
}

/// What `slipway plan` says.
fn plan(source: &Path) -> Result<Value> {
    let output = Command::new(binary()?).arg("plan").arg(source).args(["--format", "json"]).output()?;
    ensure!(output.status.success(), "slipway plan: {}", String::from_utf8_lossy(&output.stdout));
    let report: Value = serde_json::from_slice(&output.stdout)?;
    Ok(report["plan"].clone())
}

fn edit(file: &Path) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    ensure!(text.matches("Hello from").count() == 1, "{} greets once", file.display());
    Ok(fs::write(file, text.replace("Hello from", "Greetings from"))?)
}

/// The containers of a deployment.
async fn running(platform: &Platform, deployment: &Value) -> Result<Vec<Container>> {
    let id = text(&deployment["id"]);
    let begin = Instant::now();
    loop {
        let found: Vec<Container> = containers(&platform.node().await?)?
            .into_iter()
            .filter(|container| container.label("slipway.deployment") == id && !container.label("slipway.instance").is_empty())
            .collect();
        if !found.is_empty() && found.iter().all(|container| container.running) {
            return Ok(found);
        }
        ensure!(begin.elapsed() < Duration::from_secs(20), "the containers of {id} do not run");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn image_of(container: &Container) -> String {
    text(&container.inspect["Config"]["Image"])
}

/// Every process belongs to a user without rights, and none is a shell that waits for the app and keeps its signals.
fn no_root_and_no_shell(container: &Container) -> Result<()> {
    let processes = docker(&["top", &container.id, "-eo", "pid,uid,args"])?;
    for process in processes.lines().skip(1) {
        let mut columns = process.split_whitespace().skip(1);
        let (uid, program) = columns.next().zip(columns.next()).context("ps prints columns")?;
        ensure!(uid != "0", "a process runs as root: {process}");
        let is_shell = ["sh", "/bin/sh", "bash", "/bin/bash"].contains(&program);
        ensure!(!is_shell, "a shell stands before the app:\n{processes}");
    }
    Ok(())
}

/// Neither what only developing needs nor what package managers leave behind.
fn no_leftovers(web: &Container, app: &App) -> Result<()> {
    // What a Dockerfile of its own leaves is the app's own business.
    let leftovers = if app.path.starts_with("dockerfile/") { &[] } else { &LEFTOVERS[..] };
    let globs: Vec<&str> = leftovers.iter().chain(app.absent).copied().collect();
    let script = format!("for path in {}; do [ ! -e \"$path\" ] || echo \"$path\"; done", globs.join(" "));
    // An image without a shell has nothing else either.
    let Ok(found) = docker(&["exec", "--user", "0", &web.id, "sh", "-c", &script]) else { return Ok(()) };
    ensure!(found.trim().is_empty(), "the image holds {}", found.trim().replace('\n', ", "));
    Ok(())
}

async fn ends_gracefully(endings: &Endings, container: &Container) -> Result<()> {
    let begin = Instant::now();
    loop {
        let ending = endings.of(&container.id)?;
        if ending.exit_code.is_some() {
            ensure!(ending.is_graceful(), "it did not stop when it was asked to: {ending:?}");
            return Ok(());
        }
        if begin.elapsed() > Duration::from_secs(60) {
            bail!("a container was never stopped: {ending:?}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn build_time(deployment: &Value) -> Result<Duration> {
    let step = deployment["steps"].as_array().into_iter().flatten().find(|step| step["kind"] == "BUILD").context("a build")?;
    let at = |key: &str| -> Result<DateTime<FixedOffset>> { Ok(DateTime::parse_from_rfc3339(step[key].as_str().context("a time")?)?) };
    Ok((at("finishedAt")? - at("startedAt")?).to_std()?)
}

fn detected(detection: &Value) -> String {
    let framework = text(&detection["framework"]);
    let reason = &detection["reasons"][0];
    let place = [text(&reason["file"]), text(&reason["key"])].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("#");
    [framework, place].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
}

fn health(health: &Value) -> String {
    let probe = match &health["probe"] {
        Value::String(kind) => kind.clone(),
        Value::Object(kinds) => kinds.iter().map(|(kind, value)| format!("{kind} {}", value.as_str().unwrap_or("…"))).collect(),
        _ => return String::new(),
    };
    format!("{probe} ({})", text(&health["basis"]))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
