//! The build task: lowers the plan, streams the context to the engine, and follows the build to its end.

use std::{fs, io, path::Path, time::Duration};

use sha2::{Digest, Sha256};
use slipway_buildpack_host::lowering::{Listing, LowerError, LowerOptions, Lowered, lower};
use slipway_buildpack_wit::Fragment;
use slipway_model::{
    Clock,
    state::{StepKind, StepStatus},
};
use slipway_protocol::{BuildTask, Outcome, Task, TaskFailure};
use tokio::sync::mpsc;

use crate::docker::buildkit::{BuildError, BuildEvent, BuildRequest};

use super::{
    Builder,
    ceiling::Ceiling,
    context,
    disk_guard::DiskGuard,
    failure::{disk, docker_unavailable, from_build},
    log::TaskLog,
    plan::{failed, real_root},
    progress::Progress,
    remote_add,
    source::remove,
    workspace::Workspace,
};

/// How long lines may wait to be sent together.
const FLUSH_EVERY: Duration = Duration::from_millis(200);

/// What a build may write to the disk, as a multiple of how large its image may become: steps, caches and the image itself.
const DISK_PER_IMAGE: u64 = 3;

impl Builder {
    pub(super) async fn build(&self, task: &Task, spec: &BuildTask, log: &mut TaskLog) -> Outcome {
        log.step(StepKind::Build, StepStatus::Running, None).await;
        let result = self.build_in_turn(task, spec, log).await;
        // The source has done its work, whichever way it went; another attempt is another deployment.
        remove(&Workspace::of(&self.config.data_dir, task.deployment)).await;
        match result {
            Ok(outcome) => {
                log.step(StepKind::Build, StepStatus::Succeeded, None).await;
                outcome
            }
            Err(failure) => failed(log, StepKind::Build, failure).await,
        }
    }

    async fn build_in_turn(&self, task: &Task, spec: &BuildTask, log: &mut TaskLog) -> Result<Outcome, TaskFailure> {
        let _slot = match self.slots.try_acquire() {
            Ok(slot) => slot,
            Err(_) => {
                log.line("Waiting for another build on this node to end").await;
                log.flush().await;
                self.slots
                    .acquire()
                    .await
                    .map_err(|_| TaskFailure::new("BUILD_INTERRUPTED", "the node is shutting down").fix("Deploy again."))?
            }
        };
        let limit = Duration::from_secs(spec.limits.time_seconds);
        match tokio::time::timeout(limit, self.build_now(task, spec, log)).await {
            Ok(result) => result,
            Err(_) => Err(TaskFailure::new("BUILD_TIMED_OUT", format!("the build did not end within {} s", limit.as_secs()))
                .fix("Look at the last lines of the log for a command that waits for something, or make the build do less.")),
        }
    }

    async fn build_now(&self, task: &Task, spec: &BuildTask, log: &mut TaskLog) -> Result<Outcome, TaskFailure> {
        let storage = self.engine.storage_root().await.map_err(|error| docker_unavailable(&error.to_string()))?;
        let guard = DiskGuard {
            storage,
            reserve_bytes: self.config.reserve_bytes,
            build_bytes: spec.limits.image_bytes.saturating_mul(DISK_PER_IMAGE),
        };
        guard.check()?;
        let (workspace, _) = self.source(task, &spec.source, log).await?;
        let lowered = self.lower(task, spec, &workspace)?;
        if let Some(dockerfile) = spec.plan.fragment.dockerfile.as_ref().filter(|_| !self.config.allow_private_sources) {
            remote_add::check(&dockerfile.path, &dockerfile.text)?;
        }
        let network = needs_network(&spec.plan.fragment);
        let request = BuildRequest {
            id: self.clock.uuid(),
            image: spec.image.clone(),
            dockerfile: lowered.dockerfile_path.clone(),
            target: lowered.target,
            args: lowered.args.into_iter().collect(),
            labels: lowered.labels,
            secrets: spec.secrets.iter().map(|(key, value)| (key.as_str().to_owned(), value.clone())).collect(),
            network,
            fresh: spec.fresh,
        };
        let context = context::stream(lowered.dockerfile_path, lowered.dockerfile, lowered.context);
        let memory = spec.limits.memory_bytes.saturating_mul(i64::try_from(self.config.concurrent_builds).unwrap_or(1));
        let from_cache = tokio::select! {
            built = self.follow(request, context, log) => built.map_err(|failure| in_file(failure, &spec.plan.fragment))?,
            failure = guard.watch() => return Err(failure),
            _ = Ceiling::new(memory).hold() => None,
        };
        self.inspect(spec, from_cache, log).await
    }

    fn lower(&self, task: &Task, spec: &BuildTask, workspace: &Workspace) -> Result<Lowered, TaskFailure> {
        let source = workspace.source();
        real_root(&source, &spec.root_directory)?;
        let listing = Listing::read(&source, &spec.root_directory).map_err(|error| disk(&error))?;
        let options = LowerOptions {
            scope: spec.caches_since.map_or_else(|| task.application.to_string(), |since| format!("{}-{since}", task.application)),
            labels: spec.labels.clone(),
            secrets: spec.secrets.keys().map(|key| key.as_str().to_owned()).collect(),
            secrets_fingerprint: self.fingerprint(spec).map_err(|error| disk(&error))?,
            ca_bundle: self.config.ca_bundle.clone(),
        };
        lower(&spec.plan, &spec.lock, &listing, &options).map_err(|error| from_lower(&error))
    }

    /// Tells whether build variables changed, to nobody who does not have this node's key.
    fn fingerprint(&self, spec: &BuildTask) -> io::Result<Option<String>> {
        if spec.secrets.is_empty() {
            return Ok(None);
        }
        let mut hash = Sha256::new_with_prefix(fingerprint_key(&self.config.data_dir, &*self.clock)?);
        for (name, value) in &spec.secrets {
            for part in [name.as_str(), value.expose()] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
        }
        Ok(Some(hex::encode(hash.finalize())))
    }

    /// Builds, with what happens written to the log. Tells whether all of it was taken from the cache.
    async fn follow(
        &self,
        request: BuildRequest,
        context: mpsc::Receiver<std::io::Result<bytes::Bytes>>,
        log: &mut TaskLog,
    ) -> Result<Option<bool>, TaskFailure> {
        let guarded = !self.config.allow_private_sources;
        let (sender, mut events) = mpsc::channel::<BuildEvent>(256);
        let building = async {
            let sender = sender;
            self.engine.build(request, context, &sender).await
        };
        let mut progress = Progress::default();
        let telling = async {
            let mut flush = tokio::time::interval(FLUSH_EVERY);
            loop {
                tokio::select! {
                    event = events.recv() => match event {
                        Some(BuildEvent::Vertex(vertex)) if guarded && remote_add::is_fetch(&vertex.name) => return Err(remote_add::refusal()),
                        Some(event) => for line in progress.take(event) {
                            log.line(line).await;
                        },
                        None => break,
                    },
                    _ = flush.tick() => log.flush().await,
                }
            }
            for line in progress.end() {
                log.line(line).await;
            }
            log.flush().await;
            Ok(())
        };
        // The first failure ends both, and with it the build. The engine's own word on it is looked at once everything is told.
        let mut result = Ok(());
        tokio::try_join!(
            async {
                result = building.await;
                Ok(())
            },
            telling
        )?;
        if progress.is_clipped() {
            log.mark_truncated();
        }
        result.map_err(|error: BuildError| from_build(error, progress.failed()))?;
        Ok(progress.all_cached())
    }

    /// What was built, if it is not too large.
    async fn inspect(&self, spec: &BuildTask, from_cache: Option<bool>, log: &mut TaskLog) -> Result<Outcome, TaskFailure> {
        let image = self.engine.image(&spec.image).await.map_err(|error| docker_unavailable(&error.to_string()))?;
        let image = image.ok_or_else(|| {
            TaskFailure::new("BUILD_INTERRUPTED", "the image is not on the node although it was built").fix("Deploy again.")
        })?;
        if image.bytes > spec.limits.image_bytes {
            if let Err(error) = self.engine.remove_image(&spec.image).await {
                tracing::warn!(%error, image = spec.image, "cannot remove an image that is too large");
            }
            return Err(TaskFailure::new(
                "IMAGE_TOO_LARGE",
                format!("the image has {} MiB; the limit is {} MiB", image.bytes >> 20, spec.limits.image_bytes >> 20),
            )
            .fix("Leave out development dependencies and files that the running app does not need, or choose a smaller base image."));
        }
        log.line(format!("Built an image of {} MiB", image.bytes >> 20)).await;
        Ok(Outcome::Built {
            image: spec.image.clone(),
            digest: image.id,
            image_bytes: i64::try_from(image.bytes).unwrap_or(i64::MAX),
            exposed_ports: image.exposed_ports,
            log_truncated: log.is_truncated(),
            from_cache,
        })
    }
}

/// Whether any command of the plan may use the network. What a customer's own Dockerfile does is not known.
fn needs_network(plan: &Fragment) -> bool {
    let steps = plan.steps.iter().any(|step| !step.packages.is_empty() || step.run.iter().any(|run| run.network));
    let image = plan.image.as_ref().is_some_and(|image| !image.packages.is_empty());
    plan.dockerfile.is_some() || steps || image
}

/// 32 random bytes that stay on the node.
fn fingerprint_key(data_dir: &Path, clock: &dyn Clock) -> io::Result<Vec<u8>> {
    let path = data_dir.join("build-variables.key");
    match fs::read(&path) {
        Ok(key) if key.len() == 32 => return Ok(key),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut key = vec![0; 32];
    clock.fill(&mut key);
    // Readable by the agent alone, and whole or not there.
    let mut file = tempfile::NamedTempFile::new_in(data_dir)?;
    io::Write::write_all(&mut file, &key)?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(key)
}

/// Tells in which file a broken Dockerfile is.
fn in_file(mut failure: TaskFailure, plan: &Fragment) -> TaskFailure {
    if failure.code == "DOCKERFILE_INVALID" {
        failure.file = plan.dockerfile.as_ref().map(|dockerfile| dockerfile.path.clone());
    }
    failure
}

fn from_lower(error: &LowerError) -> TaskFailure {
    match error {
        LowerError::MissingSecret { step, secret } => {
            TaskFailure::new("BUILD_VARIABLE_MISSING", format!("the step `{step}` needs the build variable `{secret}`, which is not set"))
                .fix(format!("Set `{secret}` in the application's environment, for the build."))
        }
        LowerError::Unresolved(_) | LowerError::BadImage { .. } | LowerError::Circle | LowerError::Nothing => {
            tracing::error!(%error, "a plan cannot be lowered");
            TaskFailure::new("PLAN_INVALID", format!("the plan cannot be built: {error}")).fix("Tell the platform's administrator.")
        }
    }
}
