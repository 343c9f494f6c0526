use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Value, json};
use tokio_util::io::ReaderStream;

use super::apps::{self, NewApplication};
use super::find_application;
use crate::archive;
use crate::client::Client;
use crate::exit::Failure;
use crate::subscription::{Event, Socket};
use crate::{Global, output};

#[derive(Args)]
pub struct Deploy {
    /// Folder to deploy.
    #[arg(default_value = ".")]
    directory: PathBuf,
    /// Application; created if it does not exist [default: the folder's name].
    #[arg(long, short)]
    name: Option<String>,
    /// Plan of a new application, by its slug.
    #[arg(long)]
    plan: Option<String>,
    /// Region of a new application, by its slug.
    #[arg(long)]
    region: Option<String>,
    /// Build the application's own Git repository or image in place of uploading a folder.
    #[arg(long)]
    no_upload: bool,
    /// Build without what earlier builds have left, and begin the application's caches anew.
    #[arg(long)]
    clear_cache: bool,
}

/// What is asked of a deployment, once and with every change.
const SELECTION: &str = "id number status statusReason durationMs \
    steps { kind status message startedAt finishedAt } \
    failure { code message fix file line exitCode lastLines } \
    build { runtime { slug } detected { evidence version } } \
    application { slug url }";

impl Deploy {
    pub async fn run(self, global: &Global) -> Result<ExitCode> {
        let client = Client::new(global)?;
        let app = self.application(&client).await?;
        let slug = output::text(&app, "/slug");
        let progress = Progress::new(global.json);

        let source = if self.no_upload { Value::Null } else { self.upload(&client, &app, &progress).await? };
        let key = idempotency_key();
        let input = json!({ "id": app["id"], "idempotencyKey": key, "source": source, "clearCache": self.clear_cache });
        let payload = client.mutate("applicationDeploy", "ApplicationDeployInput", input, "deployment { id number }").await?;
        let deployment = payload["deployment"].clone();
        progress.say(&format!("Deploying {slug}, deployment {}", output::text(&deployment, "/number")));

        let end = follow(&client, &output::text(&deployment, "/id"), progress).await?;
        conclude(&end, global.json)
    }

    async fn application(&self, client: &Client) -> Result<Value> {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => {
                let directory = self.directory.canonicalize().with_context(|| self.directory.display().to_string())?;
                directory.file_name().and_then(|name| name.to_str()).context("the folder has no name: give --name")?.to_owned()
            }
        };
        let slug = slipway_model::Slug::nearest(&name)
            .ok_or_else(|| Failure::new("INVALID", format!("{name:?} cannot be an application's name: begin with a letter")))?;
        if let Some(app) = find_application(client, slug.as_str(), "slug").await? {
            return Ok(app);
        }
        let source = json!({ "upload": true });
        apps::create(client, NewApplication { name: &name, plan: self.plan.as_deref(), region: self.region.as_deref(), source }).await
    }

    async fn upload(&self, client: &Client, app: &Value, progress: &Progress) -> Result<Value> {
        let directory = self.directory.clone();
        let archive = tokio::task::spawn_blocking(move || archive::pack(&directory)).await??;
        progress.say(&format!("Uploading {} files, {:.1} MiB", archive.files, archive.size_bytes as f64 / f64::from(1 << 20)));
        let input = json!({ "applicationId": app["id"], "sizeBytes": archive.size_bytes.to_string(), "sha256": archive.sha256 });
        let payload = client.mutate("sourceUploadCreate", "SourceUploadCreateInput", input, "upload { id uploadUrl }").await?;
        let file = tokio::fs::File::open(archive.file.path()).await?;
        let body = reqwest::Body::wrap_stream(ReaderStream::new(file));
        client.upload(&output::text(&payload, "/upload/uploadUrl"), body, archive.size_bytes).await?;
        Ok(json!({ "uploadId": payload["upload"]["id"] }))
    }
}

/// Unique for this run of the command: a repeated request of it is answered with the same deployment.
fn idempotency_key() -> String {
    slipway_model::system_clock().uuid().to_string()
}

/// Follows a deployment to its end, through lost connections, and returns its last state.
pub async fn follow(client: &Client, id: &str, mut progress: Progress) -> Result<Value> {
    let mut failures = 0;
    loop {
        match watch(client, id, &mut progress).await {
            Ok(end) => return Ok(end),
            Err(error) if error.downcast_ref::<Failure>().is_some() => return Err(error),
            Err(error) => {
                failures += 1;
                if failures > 60 {
                    return Err(error.context("the deployment goes on, but the control plane could not be followed for a minute"));
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn watch(client: &Client, id: &str, progress: &mut Progress) -> Result<Value> {
    let mut socket = Socket::open(client).await?;
    let changed = format!("subscription($id: ID!) {{ deploymentChanged(id: $id) {{ {SELECTION} }} }}");
    socket.subscribe("deployment", &changed, json!({ "id": id })).await?;
    let logs = "subscription($id: ID!, $after: String) { buildLogs(deploymentId: $id, after: $after, tail: 10000) { lines { message } endCursor } }";
    socket.subscribe("log", logs, json!({ "id": id, "after": progress.log_cursor })).await?;
    let mut end = None;
    loop {
        // Once the deployment has ended, the rest of its log is on its way but need not be.
        let event = match end {
            None => socket.next().await?,
            Some(_) => match tokio::time::timeout(Duration::from_millis(400), socket.next()).await {
                Ok(event) => event?,
                Err(_) => break,
            },
        };
        match event {
            Event::Next { id, data } if id == "log" => progress.log(&data["buildLogs"]),
            Event::Next { data, .. } => {
                let deployment = &data["deploymentChanged"];
                progress.steps(deployment);
                if matches!(deployment["status"].as_str(), Some("LIVE" | "FAILED" | "CANCELED" | "SUPERSEDED")) {
                    end = Some(deployment.clone());
                }
            }
            Event::Complete { id } if id == "log" && end.is_some() => break,
            Event::Complete { .. } => {}
        }
    }
    end.context("the control plane ended the stream before the deployment ended")
}

/// What has been shown so far.
#[derive(Default)]
pub struct Progress {
    json: bool,
    log_cursor: Option<String>,
    shown: BTreeMap<String, String>,
    since: BTreeMap<String, Instant>,
}

impl Progress {
    pub fn new(json: bool) -> Self {
        Self { json, ..Self::default() }
    }

    fn say(&self, line: &str) {
        if self.json {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
    }

    fn log(&mut self, batch: &Value) {
        for line in batch["lines"].as_array().into_iter().flatten() {
            let message = output::text(line, "/message");
            self.say(&format!("  │ {message}"));
        }
        if let Some(cursor) = batch["endCursor"].as_str() {
            self.log_cursor = Some(cursor.to_owned());
        }
    }

    /// Says each step when it begins and when it ends, once.
    fn steps(&mut self, deployment: &Value) {
        for step in deployment["steps"].as_array().into_iter().flatten() {
            let (kind, status) = (output::text(step, "/kind"), output::text(step, "/status"));
            if self.shown.get(&kind) == Some(&status) || status == "PENDING" {
                continue;
            }
            self.shown.insert(kind.clone(), status.clone());
            let name = output::words(&kind);
            let message = output::text(step, "/message");
            let message = if message.is_empty() { message } else { format!(": {message}") };
            match status.as_str() {
                "RUNNING" => {
                    self.since.insert(kind, Instant::now());
                    self.say(&format!("→ {name}{message}"));
                }
                "SUCCEEDED" => {
                    let took = self.since.get(&kind).map(|since| format!(" ({:.1} s)", since.elapsed().as_secs_f32())).unwrap_or_default();
                    self.say(&format!("✓ {name}{message}{took}"));
                }
                "SKIPPED" => {}
                _ => self.say(&format!("✗ {name}{message}")),
            }
        }
    }
}

/// Prints the end and gives the exit status: 0 only for a live deployment.
pub fn conclude(deployment: &Value, json_output: bool) -> Result<ExitCode> {
    let live = deployment["status"] == "LIVE";
    if json_output {
        output::json(deployment)?;
    } else if live {
        let seconds = output::text(deployment, "/durationMs").parse::<f64>().unwrap_or_default() / 1000.0;
        println!("\nLive after {seconds:.1} s: {}", output::text(deployment, "/application/url"));
    } else {
        explain(deployment);
    }
    Ok(if live { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn explain(deployment: &Value) {
    let status = output::words(&output::text(deployment, "/status"));
    eprintln!("\nDeployment {} {status}: {}", output::text(deployment, "/number"), output::text(deployment, "/statusReason"));
    let failure = &deployment["failure"];
    let place = match (output::text(failure, "/file"), output::text(failure, "/line")) {
        (file, _) if file.is_empty() => String::new(),
        (file, line) if line.is_empty() => file,
        (file, line) => format!("{file}:{line}"),
    };
    let details = [
        ("id", output::text(failure, "/code")),
        ("what", output::text(failure, "/message")),
        ("where", place),
        ("exit code", output::text(failure, "/exitCode")),
        ("what to do", output::text(failure, "/fix")),
    ];
    for (name, value) in details.iter().filter(|(_, value)| !value.is_empty()) {
        eprintln!("  {name:<10}  {value}");
    }
    let lines: Vec<&str> = failure["lastLines"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !lines.is_empty() {
        eprintln!("  its last {} lines:", lines.len());
        for line in lines {
            eprintln!("  │ {line}");
        }
    }
}
