//! What agents are asked to do, as it is stored: sealed, because it carries secrets.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::TimeDelta;
use slipway_buildpack_wit::{Lock, Plan, Process};
use slipway_model::{
    BuildConfig, EnvKey, OrganizationId, Resources, Secret, TaskId,
    state::{TaskKind, TaskStatus, VariableScope},
};
use slipway_protocol::{BuildLimits, BuildTask, BuildpackRef, PlanTask, PullTask, RunTask, Task, TaskSpec};
use slipway_store::{
    Location, Tx,
    applications::{self, Application},
    plans,
    releases::Release,
    tasks, variables,
};

use super::work::Work;
use crate::{
    Platform,
    deployments::DeploymentSource,
    releases::{self, Environment},
};

/// Fetching a source and planning it.
const PLAN_LIMIT: TimeDelta = TimeDelta::minutes(5);
const PULL_LIMIT: TimeDelta = TimeDelta::minutes(10);
const RELEASE_PROCESS_SECONDS: u64 = 10 * 60;
/// Beside a build's own limit: fetching the source again and exporting the image.
const BUILD_MARGIN: TimeDelta = TimeDelta::minutes(2);

fn location(id: TaskId, organization: OrganizationId) -> Location<'static> {
    Location::new("tasks", "spec_ciphertext", id, Some(organization))
}

/// A stored task as it goes to its agent.
pub(crate) fn open_task(p: &Platform, task: tasks::Task) -> anyhow::Result<Task> {
    let spec = p.keys.open(location(task.id, task.organization_id), &task.spec_ciphertext)?;
    Ok(Task {
        id: task.id,
        organization: task.organization_id,
        application: task.application_id,
        deployment: task.deployment_id,
        deadline: task.deadline,
        spec: serde_json::from_str(spec.expose()).context("a stored task")?,
    })
}

/// Records a task for the node of the change; it is sent after the commit.
async fn start(work: &mut Work<'_>, kind: TaskKind, limit: TimeDelta, spec: &TaskSpec) -> anyhow::Result<()> {
    let deployment = work.deployment.as_ref().context("a task belongs to a deployment")?.id;
    let node_id = work.payload.node.context("a task is for a node")?;
    let now = work.p.now();
    let id = TaskId::new(&*work.p.clock);
    let organization_id = work.application.organization_id;
    let spec = Secret::new(serde_json::to_string(spec)?);
    let task = tasks::Task {
        id,
        organization_id,
        application_id: work.application.id,
        deployment_id: deployment,
        operation_id: Some(work.operation.id),
        node_id,
        kind,
        status: TaskStatus::Queued,
        spec_ciphertext: work.p.keys.seal(location(id, organization_id), &spec),
        outcome: None,
        last_sequence: 0,
        deadline: now + limit,
        created_at: now,
        finished_at: None,
    };
    tasks::insert(&mut work.tx, &task).await?;
    work.payload.task = Some(id);
    work.touched.insert(node_id);
    Ok(())
}

pub(super) async fn start_plan(work: &mut Work<'_>, buildpacks: Vec<BuildpackRef>) -> anyhow::Result<()> {
    let DeploymentSource::Code(source) = work.source()? else { anyhow::bail!("an image is not planned") };
    let spec = TaskSpec::Plan(PlanTask { source, config: config(&work.application), buildpacks });
    start(work, TaskKind::Plan, PLAN_LIMIT, &spec).await
}

/// The explicit runtime is the application's, wherever it was said.
pub(super) fn config(application: &Application) -> BuildConfig {
    let config = application.build_config.clone();
    BuildConfig { runtime: application.runtime_kind.clone().or(config.runtime), ..config }
}

pub(super) async fn start_build(work: &mut Work<'_>, plan: Plan, lock: Lock) -> anyhow::Result<()> {
    let DeploymentSource::Code(source) = work.pinned_source()? else { anyhow::bail!("an image is not built") };
    let deployment = work.deployment.as_ref().context("a build belongs to a deployment")?.id;
    let fresh = work.payload.fresh;
    let caches_since = if fresh {
        applications::begin_caches(&mut work.tx, work.application.id, deployment).await?;
        Some(deployment)
    } else {
        applications::caches_since(&mut work.tx, work.application.id).await?
    };
    let application = &work.application;
    let secrets = variables_of(&mut work.tx, work.p, application, VariableScope::Build).await?;
    let limits = BuildLimits::default();
    let spec = TaskSpec::Build(BuildTask {
        source,
        // Where the plan found it: the application's own file may say more than its settings.
        root_directory: plan.detection.app_root.clone(),
        plan,
        lock,
        image: format!("slipway/{}:{deployment}", application.id),
        labels: labels(application, deployment.to_string()),
        secrets,
        limits,
        fresh,
        caches_since,
    });
    let limit = TimeDelta::seconds(limits.time_seconds.cast_signed()) + BUILD_MARGIN;
    start(work, TaskKind::Build, limit, &spec).await
}

fn labels(application: &Application, deployment: String) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("slipway.organization".to_owned(), application.organization_id.to_string()),
        ("slipway.application".to_owned(), application.id.to_string()),
        ("slipway.deployment".to_owned(), deployment),
    ])
}

pub(super) async fn start_pull(work: &mut Work<'_>) -> anyhow::Result<()> {
    let DeploymentSource::Image(source) = work.source()? else { anyhow::bail!("source code is not pulled") };
    start(work, TaskKind::Pull, PULL_LIMIT, &TaskSpec::Pull(PullTask { image: source.image })).await
}

pub(super) async fn start_release_process(work: &mut Work<'_>, release: &Release, process: &Process) -> anyhow::Result<()> {
    let plan = plans::find(&mut work.tx, work.application.plan_id).await?.context("the application's plan")?;
    let environment = releases::environment(work.p, release)?;
    let spec = TaskSpec::Run(RunTask {
        image: release.image.clone(),
        command: releases::argv(&process.command).unwrap_or_default(),
        env: Environment { release, process }.complete(environment),
        resources: Resources { cpu_millis: plan.cpu_millis, memory_bytes: plan.memory_bytes, storage_bytes: plan.storage_bytes },
        time_seconds: RELEASE_PROCESS_SECONDS,
    });
    start(work, TaskKind::Run, TimeDelta::seconds(RELEASE_PROCESS_SECONDS.cast_signed()) + BUILD_MARGIN, &spec).await
}

/// The application's variables of a scope, opened. One that does not open fails the deployment rather than being left out.
pub(super) async fn variables_of(
    tx: &mut Tx,
    p: &Platform,
    application: &Application,
    scope: VariableScope,
) -> anyhow::Result<BTreeMap<EnvKey, Secret>> {
    let rows = variables::of_application(tx, &slipway_model::Viewer::Platform, application.id).await?;
    let mut values = BTreeMap::new();
    for row in rows.into_iter().filter(|row| row.scope == scope || row.scope == VariableScope::Both) {
        let value = p.keys.open(variables::location(row.id, row.organization_id), &row.value_ciphertext)?;
        values.insert(row.key, value);
    }
    Ok(values)
}
