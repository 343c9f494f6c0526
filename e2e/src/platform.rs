//! A platform under test.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::containers;

/// `slipway up` in a folder of its own, on ports of its own. What it made goes when it is dropped.
pub struct Platform {
    data: TempDir,
    process: Option<Child>,
    listen: SocketAddr,
    agent_listen: SocketAddr,
    internal: SocketAddr,
    pub ingress: SocketAddr,
    /// Arguments and environment added to `slipway up`.
    extra: Vec<(String, String)>,
    plugins: Option<PathBuf>,
}

/// What `slipway deploy --json` ended with.
#[derive(Debug)]
pub struct Deployed {
    pub success: bool,
    /// The deployment, or `{"error": ...}`.
    pub report: Value,
    /// Progress, as a person would have seen it.
    pub progress: String,
}

impl Deployed {
    /// # Panics
    /// With everything that was said, when the deployment did not go live.
    pub fn expect_live(self) -> Value {
        assert!(self.success, "the deployment failed:\n{}\n{:#}", self.progress, self.report);
        self.report
    }

    /// # Panics
    /// When it went live after all.
    pub fn expect_failure(self) -> Value {
        assert!(!self.success, "the deployment should have failed:\n{}\n{:#}", self.progress, self.report);
        self.report
    }
}

impl Platform {
    /// # Errors
    /// When it is not ready within a minute; with the end of its log.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[], None).await
    }

    /// With environment variables added, and a folder of plugins in place of the shipped ones.
    ///
    /// # Errors
    /// As [`Platform::start`].
    pub async fn start_with(environment: &[(&str, &str)], plugins: Option<PathBuf>) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let [listen, agent_listen, ingress, internal] = free_addresses()?;
        let mut platform = Self {
            data: tempfile::Builder::new().prefix("slipway-e2e-").tempdir()?,
            process: None,
            listen,
            agent_listen,
            internal,
            ingress,
            extra: environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            plugins,
        };
        platform.launch().await?;
        Ok(platform)
    }

    /// Of the running process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Of the API.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listen)
    }

    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// Starts the process on the data it has, as after a crash.
    ///
    /// # Errors
    /// As [`Platform::start`].
    pub async fn launch(&mut self) -> Result<()> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_path())?;
        let mut command = Command::new(binary()?);
        command
            .args(["up", "--development", "--data"])
            .arg(self.data.path())
            .args(["--listen", &self.listen.to_string(), "--agent-listen", &self.agent_listen.to_string()])
            .args(["--ingress", &self.ingress.to_string(), "--ingress-internal", &self.internal.to_string()])
            .envs(self.extra.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        if let Some(plugins) = &self.plugins {
            command.arg("--plugins").arg(plugins);
        }
        self.process = Some(command.spawn()?);
        self.ready(Duration::from_secs(60)).await
    }

    async fn ready(&mut self, limit: Duration) -> Result<()> {
        let begin = Instant::now();
        let url = format!("http://{}/readyz", self.listen);
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
        loop {
            if client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) && self.online().await {
                return Ok(());
            }
            let ended = self.process.as_mut().map(Child::try_wait).transpose()?.flatten();
            if ended.is_some() || begin.elapsed() > limit {
                bail!("slipway up is not ready ({ended:?}):\n{}", self.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Whether the machine's own node has joined.
    async fn online(&self) -> bool {
        match self.query("{ workerNodes(first: 1) { nodes { status } } }", json!({})).await {
            Ok(data) => data["workerNodes"]["nodes"][0]["status"] == "ONLINE",
            Err(_) => false,
        }
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When there is no process.
    pub fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("it runs")?;
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    /// Waits until the process has ended by itself, as at a crash point.
    ///
    /// # Errors
    /// When it still runs after `limit`.
    pub async fn wait_for_end(&mut self, limit: Duration) -> Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < limit {
            if self.process.as_mut().context("it runs")?.try_wait()?.is_some() {
                self.process = None;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("slipway up still runs after {limit:?}");
    }

    /// Changes the environment of the next [`Platform::launch`].
    pub fn set_environment(&mut self, environment: &[(&str, &str)]) {
        self.extra = environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    }

    /// # Errors
    /// When there is none yet.
    pub fn token(&self) -> Result<String> {
        let path = self.data.path().join("admin.token");
        Ok(fs::read_to_string(&path).with_context(|| path.display().to_string())?.trim().to_owned())
    }

    /// Runs a command of the client.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn slipway(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(binary()?);
        command
            .args(arguments)
            .env("SLIPWAY_URL", format!("http://{}", self.listen))
            .env("SLIPWAY_TOKEN", self.token()?)
            .stdin(Stdio::null());
        Ok(command.output()?)
    }

    /// Runs a command of the client with `--json` and reads what it printed.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub fn slipway_json(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.slipway(&[arguments, &["--json"]].concat())?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "slipway {arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(&text).with_context(|| format!("slipway {arguments:?} printed {text}"))
    }

    /// # Errors
    /// When the command cannot be started or prints no JSON.
    pub async fn deploy(&self, directory: &Path, name: &str) -> Result<Deployed> {
        self.deploy_with(directory, name, &[]).await
    }

    /// The same for an application of a plan, by its slug, if it is a new one.
    ///
    /// # Errors
    /// As [`Platform::deploy`].
    pub async fn deploy_on_plan(&self, directory: &Path, name: &str, plan: &str) -> Result<Deployed> {
        self.deploy_with(directory, name, &["--plan", plan]).await
    }

    async fn deploy_with(&self, directory: &Path, name: &str, options: &[&str]) -> Result<Deployed> {
        let mut command = tokio::process::Command::new(binary()?);
        command.arg("deploy").arg(directory).args(["--name", name, "--json"]).args(options).kill_on_drop(true);
        command.env("SLIPWAY_URL", format!("http://{}", self.listen)).env("SLIPWAY_TOKEN", self.token()?).stdin(Stdio::null());
        let output =
            tokio::time::timeout(Duration::from_secs(600), command.output()).await.context("slipway deploy took ten minutes")??;
        let text = String::from_utf8_lossy(&output.stdout);
        let progress = String::from_utf8_lossy(&output.stderr).into_owned();
        let report =
            serde_json::from_str(&text).with_context(|| format!("slipway deploy printed {text}\n{progress}\n{}", self.log_tail()))?;
        Ok(Deployed { success: output.status.success(), report, progress })
    }

    /// Begins a deployment whose end nobody waits for; the client is killed with the value.
    ///
    /// # Errors
    /// When the command cannot be started.
    pub fn deploy_unattended(&self, directory: &Path, name: &str) -> Result<tokio::process::Child> {
        let mut command = tokio::process::Command::new(binary()?);
        command.arg("deploy").arg(directory).args(["--name", name, "--json"]).kill_on_drop(true);
        command.env("SLIPWAY_URL", format!("http://{}", self.listen)).env("SLIPWAY_TOKEN", self.token()?);
        Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
    }

    /// # Errors
    /// Transport errors and top-level GraphQL errors.
    pub async fn query(&self, document: &str, variables: Value) -> Result<Value> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build()?;
        let request = client.post(format!("http://{}/graphql", self.listen)).bearer_auth(self.token()?);
        let body: Value = request.json(&json!({ "query": document, "variables": variables })).send().await?.json().await?;
        ensure!(body.get("errors").is_none(), "{:#}", body["errors"]);
        Ok(body["data"].clone())
    }

    /// What time it is, by the platform's clock.
    ///
    /// # Errors
    /// When the API does not answer.
    pub async fn now(&self) -> Result<chrono::DateTime<chrono::Utc>> {
        let data = self.query("{ serverInfo { time } }", json!({})).await?;
        Ok(data["serverInfo"]["time"].as_str().context("a time")?.parse()?)
    }

    /// The id of the machine's own node.
    ///
    /// # Errors
    /// When the API does not answer.
    pub async fn node(&self) -> Result<String> {
        let data = self.query("{ workerNodes(first: 1) { nodes { id } } }", json!({})).await?;
        Ok(data["workerNodes"]["nodes"][0]["id"].as_str().context("a node")?.to_owned())
    }

    /// The host name of an application.
    #[must_use]
    pub fn host(&self, slug: &str) -> String {
        format!("{slug}.localhost")
    }

    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.data.path().join("e2e.log")
    }

    /// Everything the server has said.
    ///
    /// # Panics
    /// When there is no log.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).expect("the log was opened at the start")
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(60).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// What must hold whenever nothing is in motion: the node's containers are the instances of the database, each
    /// application has at most one live deployment, no operation is past its deadline.
    ///
    /// # Errors
    /// With what does not hold.
    pub async fn check_invariants(&self) -> Result<()> {
        let document = "{ applications(first: 10) { nodes { slug
            instances(first: 20) { nodes { id status } }
            deployments(first: 20) { nodes { number status } } } } }";
        let data = self.query(document, json!({})).await?;
        let mut expected = Vec::new();
        for app in data["applications"]["nodes"].as_array().into_iter().flatten() {
            let live = app["deployments"]["nodes"].as_array().into_iter().flatten().filter(|deployment| deployment["status"] == "LIVE");
            ensure!(live.count() <= 1, "{} has more than one live deployment: {app:#}", app["slug"]);
            let running = app["instances"]["nodes"].as_array().into_iter().flatten();
            expected.extend(running.filter(|i| i["status"] == "HEALTHY").filter_map(|i| i["id"].as_str().map(str::to_owned)));
        }
        let mut found: Vec<String> =
            containers(&self.node().await?)?.iter().filter(|container| container.running).map(|c| c.label("slipway.instance")).collect();
        expected.sort();
        found.sort();
        ensure!(expected == found, "the database says {expected:?}, the engine has {found:?}");
        Ok(())
    }

    async fn check_at_rest(&self) -> Result<()> {
        self.check_invariants().await?;
        let data = self.query("{ platformOperations(first: 20, status: [QUEUED, RUNNING]) { nodes { id kind step } } }", json!({})).await?;
        ensure!(data["platformOperations"]["nodes"] == json!([]), "there is work left: {data:#}");
        Ok(())
    }

    /// Waits until [`Platform::check_invariants`] holds and all work is done: what drains or stops is given its time.
    ///
    /// # Errors
    /// With what does not hold after `limit`.
    pub async fn settle(&self, limit: Duration) -> Result<()> {
        let begin = Instant::now();
        loop {
            match self.check_at_rest().await {
                Ok(()) => return Ok(()),
                Err(error) if begin.elapsed() > limit => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
        let agent = self.data.path().join("agent");
        if let Ok(binary) = binary() {
            let mut command = Command::new(binary);
            command.args(["agent", "purge", "--data"]).arg(agent).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let _ = command.status();
        }
        if std::thread::panicking() {
            eprintln!("--- the end of the platform's log ---\n{}", self.log_tail());
        }
    }
}

/// The binary of `dist/`, or that of SLIPWAY_DIST.
///
/// # Errors
/// When it has not been built, or not since its sources were last changed.
pub fn binary() -> Result<PathBuf> {
    let binary = dist().join("slipway");
    ensure!(binary.is_file(), "{} is missing: run `cargo xtask dist`", binary.display());
    // An installation from elsewhere is what it is.
    if std::env::var_os("SLIPWAY_DIST").is_none() {
        // Written anew each time, unlike the binary, which is left as it is where nothing changed.
        let built = dist().join("plugins/SHA256SUMS").metadata()?.modified()?;
        if let Some(source) = newer_source(&workspace(), built)? {
            bail!("{} is older than {}: run `cargo xtask dist`", binary.display(), source.display());
        }
    }
    Ok(binary)
}

/// A source of what is installed that was changed after this moment.
fn newer_source(directory: &Path, moment: SystemTime) -> Result<Option<PathBuf>> {
    const NOT_INSTALLED: [&str; 8] = ["benches", "dist", "e2e", "examples", "target", "testing", "tests", "xtask"];
    for entry in fs::read_dir(directory)? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let name = name.to_string_lossy();
        if path.is_symlink() || name.starts_with('.') || NOT_INSTALLED.contains(&&*name) {
            continue;
        }
        if path.is_dir() {
            if let Some(newer) = newer_source(&path, moment)? {
                return Ok(Some(newer));
            }
        } else if path.extension().is_some_and(|ending| ending == "rs" || ending == "sql") && path.metadata()?.modified()? > moment {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The installation under test.
#[must_use]
pub fn dist() -> PathBuf {
    std::env::var_os("SLIPWAY_DIST").map_or_else(|| workspace().join("dist"), PathBuf::from)
}

/// Of the checkout that cargo runs this for: checkouts may share a target directory, and with it this program.
#[must_use]
pub fn workspace() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().expect("this crate lies in the workspace").to_owned()
}

/// A copy of one of `examples/`, to be edited.
///
/// # Errors
/// When it cannot be copied.
pub fn example(name: &str) -> Result<TempDir> {
    fresh_copy(&workspace().join("examples").join(name))
}

/// # Errors
/// When it cannot be copied.
pub fn fresh_copy(from: &Path) -> Result<TempDir> {
    let to = tempfile::tempdir()?;
    let status = Command::new("cp").arg("-a").arg(format!("{}/.", from.display())).arg(to.path()).status()?;
    ensure!(status.success(), "{} could not be copied", from.display());
    Ok(to)
}

/// A folder with these files.
///
/// # Errors
/// When it cannot be written.
pub fn write_app(files: &[(&str, &str)]) -> Result<TempDir> {
    let directory = tempfile::tempdir()?;
    for (path, text) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().context("a file lies in a folder")?)?;
        fs::write(path, text)?;
    }
    Ok(directory)
}

pub(crate) fn free_addresses<const N: usize>() -> Result<[SocketAddr; N]> {
    // All are held until all are known, so that no two are the same.
    let listeners = (0..N).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>()?;
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?;
    addresses.try_into().map_err(|_| anyhow::anyhow!("as many addresses as listeners"))
}
