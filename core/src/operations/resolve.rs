//! What a step has to ask plugins, before the transaction: nobody waits for a plugin while holding a row.

use std::collections::BTreeMap;

use anyhow::Context;
use slipway_buildpack_wit::{Lock, LockedTool, Plan};
use slipway_model::{ApplicationId, Viewer, state::OperationKind};
use slipway_plugin_host::{
    CallError, Kind,
    messages::{LaunchRequest, ResolveRequest},
};
use slipway_protocol::{BuildpackRef, Outcome, TaskFailure};
use slipway_store::{
    applications::{self, Application},
    deployments::{self, Deployment},
    operations::Operation,
    plans, runtimes, tasks,
};

use super::{
    payload::{Origin, Payload},
    situation, specs,
};
use crate::{
    Platform,
    rollout::Step,
    runtimes::{ADMINISTRATOR, own_image},
};

/// The code by which an agent says that no buildpack fits.
const NO_BUILDPACK: &str = "NO_BUILDPACK";
pub const RUNTIME_DISABLED: &str = "RUNTIME_DISABLED";

/// What plugins said, for the step that needs it.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub buildpacks: Vec<BuildpackRef>,
    pub planned: Option<Planned>,
    /// Settings that suit the instance's size, unless the customer sets them.
    pub launch: Vec<(String, String)>,
    /// The change cannot go on.
    pub refusal: Option<TaskFailure>,
    /// The task that the step waits for had ended when plugins were asked. One that ends later is asked about again.
    pub is_about_end: bool,
}

#[derive(Debug)]
pub(super) struct Planned {
    pub plan: Plan,
    pub lock: Lock,
    pub commit: Option<String>,
    pub commit_message: Option<String>,
    /// Lines for the build log.
    pub notices: Vec<String>,
}

/// Asks what the present step needs.
///
/// # Errors
/// What may be better the next time.
pub(super) async fn ask(p: &Platform, operation: &Operation, payload: &Payload) -> anyhow::Result<Answers> {
    let mut answers = Answers::default();
    if operation.kind != OperationKind::Deploy || payload.origin != Origin::Source {
        return Ok(answers);
    }
    let (Some(application), Some(deployment)) = (operation.application_id, operation.deployment_id) else { return Ok(answers) };
    answers.is_about_end = has_ended(p, payload).await?;
    let asked = match operation.step.as_deref().map_or(Step::Begin, Step::named) {
        Step::Begin => ask_buildpacks(p, application, &mut answers).await,
        Step::Plan => ask_lock(p, application, payload, &mut answers).await,
        Step::Build => ask_launch(p, application, deployment, &mut answers).await,
        _ => Ok(Ok(())),
    };
    answers.refusal = asked?.err();
    Ok(answers)
}

async fn has_ended(p: &Platform, payload: &Payload) -> anyhow::Result<bool> {
    let Some(task) = payload.task else { return Ok(false) };
    Ok(tasks::find(&mut p.db.read_once().await?, task).await?.is_some_and(|task| task.status.is_terminal()))
}

/// Outer: may be better the next time. Inner: for the customer.
type Asked = anyhow::Result<Result<(), TaskFailure>>;

async fn application(p: &Platform, id: ApplicationId) -> anyhow::Result<Application> {
    applications::find(&mut p.db.read_once().await?, &Viewer::Platform, id).await?.context("the application is gone")
}

fn disabled(runtime: &str) -> TaskFailure {
    TaskFailure::new(RUNTIME_DISABLED, format!("The runtime `{runtime}` is switched off on this platform."))
        .fix("Ask the administrator to enable it, or choose another runtime.")
}

/// The ids of the runtime plugins that are switched off, where there are any.
fn disabled_among(p: &Platform) -> Option<String> {
    let plugins = p.plugins.plugins();
    let off = plugins.iter().filter(|plugin| plugin.kind() == Kind::Runtime && !plugin.is_enabled());
    let ids: Vec<&str> = off.map(|plugin| plugin.id()).collect();
    (!ids.is_empty()).then(|| ids.join(", "))
}

/// No enabled buildpack knows the source; one of the others might.
fn not_by_the_enabled(failure: TaskFailure, disabled: &str) -> TaskFailure {
    let message = format!("{}; disabled on this platform: {disabled}", failure.message);
    TaskFailure { code: RUNTIME_DISABLED.to_owned(), message, ..failure }
        .fix(format!("Ask the administrator to enable what you need of: {disabled}."))
}

async fn ask_buildpacks(p: &Platform, id: ApplicationId, answers: &mut Answers) -> Asked {
    let application = application(p, id).await?;
    for plugin in p.plugins.of_kind(Kind::Runtime) {
        let Some(buildpack) = plugin.buildpack() else { continue };
        match plugin.runtime_describe().await {
            Ok(description) => answers.buildpacks.push(BuildpackRef { id: description.slug, sha256: buildpack.sha256.parse()? }),
            Err(error) => tracing::warn!(plugin = plugin.id(), %error, "a runtime is left out of a build: it does not describe itself"),
        }
    }
    if let Some(wanted) = specs::config(&application).runtime
        && !answers.buildpacks.iter().any(|buildpack| buildpack.id == wanted)
    {
        return Ok(Err(disabled(&wanted)));
    }
    if answers.buildpacks.is_empty() {
        return Ok(Err(
            TaskFailure::new(RUNTIME_DISABLED, "No runtime is enabled on this platform.").fix("Ask the administrator to enable one.")
        ));
    }
    Ok(Ok(()))
}

async fn ask_lock(p: &Platform, id: ApplicationId, payload: &Payload, answers: &mut Answers) -> Asked {
    let Some(task) = payload.task else { return Ok(Ok(())) };
    let mut tx = p.db.read().await?;
    let Some(task) = tasks::find(&mut tx, task).await? else { return Ok(Ok(())) };
    let (plan, commit, commit_message) = match situation::outcome(&task)? {
        Some(Outcome::Planned { plan, commit, commit_message }) => (plan, commit, commit_message),
        Some(Outcome::Failed(failure)) if failure.code == NO_BUILDPACK => {
            return Ok(disabled_among(p).map_or(Ok(()), |disabled| Err(not_by_the_enabled(failure, &disabled))));
        }
        _ => return Ok(Ok(())),
    };
    let application = applications::find(&mut tx, &Viewer::Platform, id).await?.context("the application is gone")?;
    let tariff = plans::find(&mut tx, application.plan_id).await?.context("the application's plan")?;
    drop(tx);
    let kept: Lock =
        application.tool_lock.map(serde_json::from_value).transpose().context("the tool lock of an application")?.unwrap_or_default();
    if p.plugins.runtime(&plan.buildpack).await.is_none() {
        return Ok(Err(disabled(&plan.buildpack)));
    }
    if let Some(allowed) = &tariff.runtimes
        && !allowed.contains(&plan.buildpack)
    {
        let message = format!("The plan {} is not for {} applications; it is for: {}.", tariff.name, plan.buildpack, allowed.join(", "));
        return Ok(Err(TaskFailure::new("RUNTIME_NOT_IN_PLAN", message).fix("Choose another plan.")));
    }
    let (mut lock, mut notices) = (Lock::new(), Vec::new());
    for tool in &plan.fragment.tools {
        let Some(plugin) = p.plugins.runtime_for_tool(&tool.name).await else { return Ok(Err(disabled(&tool.name))) };
        let locked = match kept.get(&tool.name).filter(|locked| locked.constraint == tool.constraint) {
            Some(locked) => locked.clone(),
            None => {
                let request = ResolveRequest { tool: tool.name.clone(), constraint: tool.constraint.clone() };
                let resolution = match plugin.runtime_resolve(request).await {
                    Ok(resolution) => resolution,
                    Err(CallError::Refused(error)) => {
                        let file = tool.source.split('#').next().filter(|file| !file.is_empty()).map(str::to_owned);
                        return Ok(Err(TaskFailure { fix: error.fix, file, ..TaskFailure::new(error.code, error.message) }));
                    }
                    Err(error) => return Err(error.into()),
                };
                notices.extend(resolution.notices);
                LockedTool {
                    constraint: tool.constraint.clone(),
                    version: resolution.version,
                    build_image: resolution.build_image,
                    run_image: resolution.run_image,
                }
            }
        };
        let offered = runtimes::of_plugin(&mut p.db.read_once().await?, plugin.id()).await?;
        let row = offered.iter().find(|row| locked.version == row.version || locked.version.starts_with(&format!("{}.", row.version)));
        if let Some(row) = row.filter(|row| !row.active) {
            return Ok(Err(disabled(&row.slug)));
        }
        let own = runtimes::of_plugin(&mut p.db.read_once().await?, ADMINISTRATOR).await?;
        let own = offered.first().filter(|row| row.kind == tool.name).and_then(|row| own_image(&own, &row.kind, &locked.version));
        let locked = match own {
            Some(own) => {
                notices.push(format!("{} {} comes from this platform's own image {}", tool.name, locked.version, own.builder_image));
                LockedTool { build_image: own.builder_image.clone(), run_image: own.run_image.clone(), ..locked }
            }
            None => locked,
        };
        let because = if tool.source.is_empty() { "the default".to_owned() } else { tool.source.clone() };
        notices.push(format!("{} {} ({} from {because})", tool.name, locked.version, tool.constraint));
        lock.insert(tool.name.clone(), locked);
    }
    answers.planned = Some(Planned { plan, lock, commit, commit_message, notices });
    Ok(Ok(()))
}

async fn ask_launch(p: &Platform, id: ApplicationId, deployment: slipway_model::DeploymentId, answers: &mut Answers) -> Asked {
    let mut tx = p.db.read().await?;
    let Some(deployment): Option<Deployment> = deployments::find(&mut tx, &Viewer::Platform, deployment).await? else { return Ok(Ok(())) };
    let Some(plan) = situation::plan(&deployment)? else { return Ok(Ok(())) };
    let application = applications::find(&mut tx, &Viewer::Platform, id).await?.context("the application is gone")?;
    let tariff = plans::find(&mut tx, application.plan_id).await?.context("the application's plan")?;
    drop(tx);
    let lock: BTreeMap<String, LockedTool> =
        deployment.tool_lock.map(serde_json::from_value).transpose().context("the tool lock of a deployment")?.unwrap_or_default();
    let Some(plugin) = p.plugins.runtime(&plan.buildpack).await else { return Ok(Ok(())) };
    let tools = plugin.runtime_describe().await?.tools;
    let Some(locked) = tools.iter().find_map(|tool| lock.get(tool)) else { return Ok(Ok(())) };
    let request = LaunchRequest { memory_bytes: tariff.memory_bytes, cpu_millis: tariff.cpu_millis, version: locked.version.clone() };
    match plugin.runtime_launch(request).await {
        Ok(settings) => answers.launch = settings.env,
        // An instance runs without them.
        Err(CallError::Refused(error)) => tracing::warn!(plugin = plugin.id(), %error, "no launch settings"),
        Err(error) => return Err(error.into()),
    }
    Ok(Ok(()))
}
