//! A builder with a folder of its own, a base image made on the spot, and tasks.
#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod apps;

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use futures::{StreamExt, future::BoxFuture};
use slipway_agent::{
    blob::{BlobError, BlobSource},
    build::{Builder, BuilderConfig},
    task::TaskRunner,
};
use slipway_buildpack_wit::{Detection, Dockerfile, Fragment, Plan};
use slipway_model::{
    ApplicationId, Clock, DeploymentId, OrganizationId, Secret, Sha256Digest, TaskId,
    state::{StepKind, StepStatus},
    system_clock,
};
use slipway_protocol::{BuildLimits, BuildTask, Outcome, SourceSpec, Task, TaskEventKind, TaskFailure, TaskSpec};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub const SOCKET: &str = "/var/run/docker.sock";
/// A static busybox and nothing else.
pub const BASE: &str = "slipway-build-test-base:1";

/// Blobs that the control plane would have. Fetching takes a moment, and writes beside the destination first, as it does there.
#[derive(Default)]
pub struct Blobs {
    known: Mutex<BTreeMap<Sha256Digest, Vec<u8>>>,
    fetched: Mutex<Vec<Sha256Digest>>,
}

impl Blobs {
    pub fn add(&self, bytes: Vec<u8>) -> Sha256Digest {
        let digest = Sha256Digest::of(&bytes);
        self.known.lock().unwrap().insert(digest, bytes);
        digest
    }

    pub fn times_fetched(&self, digest: Sha256Digest) -> usize {
        self.fetched.lock().unwrap().iter().filter(|fetched| **fetched == digest).count()
    }
}

impl BlobSource for Blobs {
    fn fetch<'a>(&'a self, digest: Sha256Digest, dest: &'a Path, max_bytes: u64) -> BoxFuture<'a, Result<(), BlobError>> {
        Box::pin(async move {
            self.fetched.lock().unwrap().push(digest);
            let bytes = self.known.lock().unwrap().get(&digest).cloned().ok_or(BlobError::NotFound(digest))?;
            if bytes.len() as u64 > max_bytes {
                return Err(BlobError::TooLarge { digest, max_bytes });
            }
            let part = dest.with_extension("part");
            std::fs::write(&part, bytes).map_err(|source| BlobError::Write { path: part.clone(), source })?;
            tokio::time::sleep(Duration::from_millis(50)).await;
            std::fs::rename(&part, dest).map_err(|source| BlobError::Write { path: dest.to_owned(), source })
        })
    }
}

pub struct Bench {
    pub data: tempfile::TempDir,
    pub blobs: Arc<Blobs>,
    pub builder: Builder,
    pub clock: Arc<dyn Clock>,
}

pub struct Ran {
    pub outcome: Outcome,
    pub lines: Vec<String>,
    pub steps: Vec<(StepKind, StepStatus)>,
}

impl Ran {
    pub fn log(&self) -> String {
        self.lines.join("\n")
    }

    pub fn failure(&self) -> &TaskFailure {
        match &self.outcome {
            Outcome::Failed(failure) => failure,
            other => panic!("should have failed: {other:?}\n{}", self.log()),
        }
    }
}

impl Bench {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut BuilderConfig)) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config = BuilderConfig::new(data.path(), Path::new(SOCKET));
        change(&mut config);
        let blobs = Arc::new(Blobs::default());
        let clock = system_clock();
        let builder = Builder::new(config, Arc::clone(&clock), Arc::clone(&blobs) as Arc<dyn BlobSource>).unwrap();
        Self { data, blobs, builder, clock }
    }

    pub fn task(&self, spec: TaskSpec) -> Task {
        Task {
            id: TaskId::new(&*self.clock),
            organization: OrganizationId::new(&*self.clock),
            application: ApplicationId::new(&*self.clock),
            deployment: DeploymentId::new(&*self.clock),
            deadline: self.clock.now() + chrono::TimeDelta::minutes(10),
            spec,
        }
    }

    pub fn upload(&self, files: &[(&str, &str)]) -> SourceSpec {
        let archive = archive(files);
        let size_bytes = archive.len() as u64;
        SourceSpec::Upload { sha256: self.blobs.add(archive), size_bytes }
    }

    pub async fn run(&self, task: &Task) -> Ran {
        self.run_until(task, CancellationToken::new(), "").await
    }

    /// Runs, and cancels as soon as a line contains `cue`.
    pub async fn run_until(&self, task: &Task, cancel: CancellationToken, cue: &str) -> Ran {
        let (sender, mut events) = mpsc::channel(16);
        let (mut lines, mut steps) = (Vec::new(), Vec::new());
        let running = self.builder.run(task, sender, cancel.clone());
        let telling = async {
            while let Some(event) = events.recv().await {
                match event {
                    TaskEventKind::Log { lines: batch } => {
                        if !cue.is_empty() && batch.iter().any(|line| line.contains(cue)) {
                            cancel.cancel();
                        }
                        lines.extend(batch);
                    }
                    TaskEventKind::Step { step, status, .. } => steps.push((step, status)),
                    TaskEventKind::Finished { .. } => panic!("a runner does not finish its own task"),
                }
            }
        };
        let (outcome, ()) = tokio::join!(running, telling);
        Ran { outcome, lines, steps }
    }

    /// A build of a Dockerfile with these files beside it.
    pub fn dockerfile(&self, name: &str, text: &str, files: &[(&str, &str)]) -> BuildTask {
        let mut all = vec![("Dockerfile", text)];
        all.extend_from_slice(files);
        BuildTask {
            source: self.upload(&all),
            root_directory: ".".into(),
            plan: plan(
                "dockerfile",
                Fragment {
                    dockerfile: Some(Dockerfile {
                        path: "Dockerfile".into(),
                        context: ".".into(),
                        target: None,
                        args: vec![],
                        text: text.into(),
                    }),
                    ..Fragment::default()
                },
            ),
            lock: BTreeMap::new(),
            image: format!("slipway-build-test/{name}:1"),
            labels: BTreeMap::from([("io.slipway.test".into(), name.into())]),
            secrets: BTreeMap::new(),
            limits: BuildLimits { time_seconds: 120, ..BuildLimits::default() },
            fresh: false,
            caches_since: None,
        }
    }
}

pub fn plan(buildpack: &str, fragment: Fragment) -> Plan {
    let detection = Detection {
        app_root: ".".into(),
        score: 100,
        framework: None,
        package_manager: None,
        reasons: vec![],
        provides: vec![],
        requires: vec![],
    };
    Plan { buildpack: buildpack.into(), detection, beside: vec![], fragment }
}

pub fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    let mut gzip = tar.into_inner().unwrap();
    gzip.flush().unwrap();
    gzip.finish().unwrap()
}

pub fn secret(text: &str) -> Secret {
    Secret::new(text)
}

pub fn docker() -> bollard::Docker {
    bollard::Docker::connect_with_unix(SOCKET, 120, bollard::API_DEFAULT_VERSION).expect("these tests need a Docker engine")
}

/// Makes the base image, once.
pub async fn base_image() {
    static MADE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    MADE.get_or_init(|| async {
        // Importing again would leave the one before without a name. What is in it changes with its tag.
        if image_exists(BASE).await {
            return;
        }
        let busybox: PathBuf = ["/bin/busybox", "/usr/bin/busybox"]
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
            .expect("these tests need busybox-static");
        let mut tar = tar::Builder::new(Vec::new());
        for directory in ["tmp/", "run/", "etc/", "proc/", "sys/"] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(0o1777);
            header.set_size(0);
            tar.append_data(&mut header, directory, std::io::empty()).unwrap();
        }
        tar.append_path_with_name(busybox, "bin/busybox").unwrap();
        for name in ["sh", "sleep", "cat", "echo", "ls", "yes", "head", "tail", "touch", "seq", "dd", "mkdir", "env"] {
            for folder in ["bin", "usr/bin"] {
                let mut header = tar::Header::new_gnu();
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                tar.append_link(&mut header, format!("{folder}/{name}"), "/bin/busybox").unwrap();
            }
        }
        let body = bollard::body_full(Bytes::from(tar.into_inner().unwrap()));
        let options =
            bollard::query_parameters::CreateImageOptionsBuilder::default().from_src("-").repo("slipway-build-test-base").tag("1").build();
        let engine = docker();
        let mut answers = std::pin::pin!(engine.create_image(Some(options), Some(body), None));
        while let Some(answer) = answers.next().await {
            answer.expect("the base image cannot be imported");
        }
    })
    .await;
}

pub async fn remove_image(image: &str) {
    let options = bollard::query_parameters::RemoveImageOptionsBuilder::default().force(true).build();
    let _ = docker().remove_image(image, Some(options), None).await;
}

pub async fn image_exists(image: &str) -> bool {
    docker().inspect_image(image).await.is_ok()
}

/// Whether any process of the machine has `text` among its arguments.
pub fn is_running(text: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .any(|line| line.split(|byte| *byte == 0).any(|argument| argument == text.as_bytes()))
}

pub async fn within(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let started = std::time::Instant::now();
    while started.elapsed() < limit {
        if holds() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}
