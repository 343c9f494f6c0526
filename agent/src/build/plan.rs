//! The plan task: has the source, asks the buildpacks, and tells what they found and why.

use std::path::{Path, PathBuf};

use slipway_buildpack_host::{
    Buildpack, HostError, LookedFor, PlanFailure, PlanRequest, contract, nothing_to_start, plan_directory, real_directory,
};
use slipway_buildpack_wit::{Context, Level, Plan, Refusal};
use slipway_model::state::{StepKind, StepStatus};
use slipway_protocol::{BuildpackRef, Outcome, PlanTask, Task, TaskFailure};

use super::{Builder, failure::from_blob, log::TaskLog, source::remove};

/// A component is a few hundred KiB, or tens of MiB for an interpreted language.
const MAX_BUILDPACK_BYTES: u64 = 64 << 20;

impl Builder {
    pub(super) async fn plan(&self, task: &Task, spec: &PlanTask, log: &mut TaskLog) -> Outcome {
        log.step(StepKind::FetchSource, StepStatus::Running, None).await;
        let (workspace, record) = match self.source(task, &spec.source, log).await {
            Ok(source) => source,
            Err(failure) => return failed(log, StepKind::FetchSource, failure).await,
        };
        let about = record.commit.as_ref().map(|commit| format!("commit {}", &commit[..12.min(commit.len())]));
        log.step(StepKind::FetchSource, StepStatus::Succeeded, about.as_deref()).await;

        log.step(StepKind::Detect, StepStatus::Running, None).await;
        let root = spec.config.root_directory.as_ref().map_or(".", |path| path.as_str());
        match self.detect(&workspace.source(), root, spec, log).await {
            Ok(plan) => {
                tell(&plan, log).await;
                log.step(StepKind::Detect, StepStatus::Succeeded, Some(&summary(&plan))).await;
                Outcome::Planned { plan, commit: record.commit, commit_message: record.commit_message }
            }
            Err(failure) => {
                remove(&workspace).await;
                failed(log, StepKind::Detect, failure).await
            }
        }
    }

    async fn detect(&self, source: &Path, root: &str, spec: &PlanTask, log: &mut TaskLog) -> Result<Plan, TaskFailure> {
        real_root(source, root)?;
        let mut buildpacks = Vec::with_capacity(spec.buildpacks.len());
        for reference in &spec.buildpacks {
            buildpacks.push(self.buildpack(reference).await?);
        }
        let text = |path: &slipway_model::SourcePath| path.as_str().to_owned();
        let request = PlanRequest {
            context: Context {
                app_root: root.to_owned(),
                build_command: spec.config.build_command.clone(),
                start_command: spec.config.start_command.clone(),
                dockerfile_path: spec.config.dockerfile_path.as_ref().map(text),
                build_target: spec.config.build_target.clone(),
            },
            runtime: spec.config.runtime.clone(),
        };
        match plan_directory(&buildpacks, source, &request).await {
            Ok(plan) => match nothing_to_start(&plan) {
                // Known before minutes are spent on a build.
                Some(refusal) => Err(from_refusal(refusal)),
                None => Ok(plan),
            },
            Err(failure) => {
                if let PlanFailure::NoMatch { looked_for } = &failure {
                    tell_looked_for(looked_for, log).await;
                }
                Err(from_plan(failure))
            }
        }
    }

    /// The buildpack, from memory, from disk, or from the control plane. Tasks that begin side by side wait for each other here:
    /// the first of them fetches and compiles it, once, for all.
    async fn buildpack(&self, reference: &BuildpackRef) -> Result<Buildpack, TaskFailure> {
        let key = (reference.id.clone(), reference.sha256);
        let mut known = self.buildpacks.lock().await;
        if let Some(buildpack) = known.get(&key) {
            return Ok(buildpack.clone());
        }
        let path = self.cached_blob(reference).await?;
        let (host, id) = (self.host.clone(), reference.id.clone());
        let loaded = tokio::task::spawn_blocking(move || {
            let wasm = std::fs::read(path).map_err(HostError::Cache)?;
            host.load(&id, &wasm)
        });
        let buildpack = match loaded.await {
            Ok(Ok(buildpack)) => buildpack,
            Ok(Err(error)) => return Err(broken(&reference.id, &error.to_string())),
            Err(_) => return Err(broken(&reference.id, "loading it panicked")),
        };
        known.insert(key, buildpack.clone());
        Ok(buildpack)
    }

    async fn cached_blob(&self, reference: &BuildpackRef) -> Result<PathBuf, TaskFailure> {
        let folder = self.config.data_dir.join("blobs");
        let path = folder.join(reference.sha256.to_string());
        if !tokio::fs::try_exists(&path).await.unwrap_or(false) {
            tokio::fs::create_dir_all(&folder).await.map_err(|error| super::failure::disk(&error))?;
            self.blobs.fetch(reference.sha256, &path, MAX_BUILDPACK_BYTES).await.map_err(|error| from_blob(&error))?;
        }
        Ok(path)
    }
}

/// Ends a step and the task.
pub(super) async fn failed(log: &mut TaskLog, step: StepKind, failure: TaskFailure) -> Outcome {
    let failure = TaskFailure { message: log.scrub(&failure.message), fix: failure.fix.map(|fix| log.scrub(&fix)), ..failure };
    log.line(format!("{}: {}", failure.code, failure.message)).await;
    if let Some(fix) = &failure.fix {
        log.line(fix).await;
    }
    log.step(step, StepStatus::Failed, Some(&failure.message)).await;
    Outcome::Failed(failure)
}

/// The application's root, which must be a directory of the source itself: a link there could lead out of it.
pub(super) fn real_root(source: &Path, root: &str) -> Result<PathBuf, TaskFailure> {
    real_directory(source, root).ok_or_else(|| {
        TaskFailure::new("ROOT_DIRECTORY_NOT_FOUND", format!("the source has no directory `{root}`"))
            .fix("Set the application's root directory to one that exists, as a path from the top of the source.")
    })
}

fn summary(plan: &Plan) -> String {
    let parts = [Some(plan.buildpack.as_str()), plan.detection.framework.as_deref(), plan.detection.package_manager.as_deref()];
    let mut parts: Vec<&str> = parts.into_iter().flatten().collect();
    parts.dedup();
    let mut summary = parts.join(", ");
    for beside in &plan.beside {
        let what = if beside.makes.is_empty() { "written with" } else { "assets by" };
        let about = [Some(beside.buildpack.as_str()), beside.framework.as_deref(), beside.package_manager.as_deref()];
        let about: Vec<&str> = about.into_iter().flatten().collect();
        summary.push_str(&format!(", {what} {}", about.join(" ")));
    }
    summary
}

/// What was found, why, and what the buildpack has to say about it.
async fn tell(plan: &Plan, log: &mut TaskLog) {
    log.line(format!("Found: {}", summary(plan))).await;
    for reason in &plan.detection.reasons {
        log.line(format!("  {}", because(reason))).await;
    }
    for tool in &plan.fragment.tools {
        let source = if tool.is_default { "the default".to_owned() } else { format!("from {}", tool.source) };
        log.line(format!("  {} {} ({source})", tool.name, tool.constraint)).await;
    }
    for diagnostic in &plan.fragment.diagnostics {
        let level = match diagnostic.level {
            Level::Info => "Note",
            Level::Warning => "Warning",
        };
        let place = place(diagnostic.file.as_deref(), diagnostic.line);
        log.line(format!("{level}: {}{place} [{}]", diagnostic.message, diagnostic.code)).await;
    }
}

fn because(reason: &contract::Reason) -> String {
    let key = reason.key.as_ref().map(|key| format!("#{key}")).unwrap_or_default();
    format!("{}{key}: {}", reason.file, reason.why)
}

fn place(file: Option<&str>, line: Option<u32>) -> String {
    match (file, line) {
        (Some(file), Some(line)) => format!(" ({file}:{line})"),
        (Some(file), None) => format!(" ({file})"),
        (None, _) => String::new(),
    }
}

async fn tell_looked_for(looked_for: &[LookedFor], log: &mut TaskLog) {
    for one in looked_for {
        for reason in &one.reasons {
            log.line(format!("Looked for {}: {}", one.buildpack, because(reason))).await;
        }
    }
}

fn from_plan(failure: PlanFailure) -> TaskFailure {
    match failure {
        PlanFailure::Refused(refusal) => from_refusal(refusal),
        PlanFailure::NoMatch { looked_for } => {
            let names: Vec<_> = looked_for.iter().map(|one| one.buildpack.as_str()).collect();
            let tried = if names.is_empty() { "no buildpack is enabled".to_owned() } else { format!("looked for: {}", names.join(", ")) };
            TaskFailure::new("NO_BUILDPACK", format!("nothing in the source says how to build it ({tried})"))
                .fix("Set the application's root directory if the app is in a subdirectory, choose its runtime, or add a Dockerfile.")
        }
        PlanFailure::Host { buildpack, error } => broken(&buildpack, &error.to_string()),
        PlanFailure::InvalidPlan { buildpack, violations } => {
            let violations: Vec<_> = violations.iter().map(ToString::to_string).collect();
            broken(&buildpack, &violations.join("; "))
        }
    }
}

fn from_refusal(refusal: Refusal) -> TaskFailure {
    let mut failure = TaskFailure::new(refusal.code, refusal.message);
    failure.fix = Some(refusal.fix).filter(|fix| !fix.is_empty());
    failure.file = refusal.file;
    failure.line = refusal.line;
    failure
}

/// A buildpack that does not work is not the app's fault.
fn broken(buildpack: &str, reason: &str) -> TaskFailure {
    tracing::error!(buildpack, reason, "a buildpack failed");
    TaskFailure::new("BUILDPACK_FAILED", format!("the buildpack `{buildpack}` failed: {reason}"))
        .fix("Choose another runtime for the application, or tell the platform's administrator.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_directory_is_a_real_one_of_the_source() {
        let source = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(source.path().join("apps/web")).unwrap();
        std::os::unix::fs::symlink("/etc", source.path().join("out")).unwrap();
        std::fs::write(source.path().join("file"), "").unwrap();
        assert_eq!(real_root(source.path(), "apps/web").unwrap(), source.path().join("apps/web"));
        assert_eq!(real_root(source.path(), ".").unwrap(), source.path());
        for bad in ["nope", "out", "file", "..", "apps/../.."] {
            assert_eq!(real_root(source.path(), bad).unwrap_err().code, "ROOT_DIRECTORY_NOT_FOUND", "{bad}");
        }
    }

    #[test]
    fn a_refusal_keeps_its_place_and_its_fix() {
        let refusal = Refusal { code: "X".into(), message: "m".into(), file: Some("package.json".into()), line: Some(3), fix: "f".into() };
        let failure = from_plan(PlanFailure::Refused(refusal));
        assert_eq!(
            (failure.code.as_str(), failure.file.as_deref(), failure.line, failure.fix.as_deref()),
            ("X", Some("package.json"), Some(3), Some("f"))
        );
    }
}
