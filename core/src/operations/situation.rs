//! What the database knows of a change: read anew at every step, so that nothing depends on what a worker remembers.

use std::collections::HashSet;

use anyhow::Context;
use chrono::TimeDelta;
use slipway_buildpack_wit::{Plan, ProcessKind};
use slipway_model::{InstanceId, ReleaseId, Viewer, state::OperationKind};
use slipway_protocol::Outcome;
use slipway_store::{deployments, instances, nodes, releases as stored, routes as observed, tasks};

use super::{choose, payload::Origin, work::Work};
use crate::{
    releases,
    rollout::{self, Instance, Route, Situation, Step},
    routes,
};

/// Beside the health check's own times: creating containers and networks.
const HEALTH_MARGIN: TimeDelta = TimeDelta::seconds(60);

pub(super) fn outcome(task: &tasks::Task) -> anyhow::Result<Option<Outcome>> {
    task.outcome.clone().map(serde_json::from_value).transpose().context("the outcome of a task")
}

pub(super) fn plan(deployment: &deployments::Deployment) -> anyhow::Result<Option<Plan>> {
    deployment.plan.clone().map(serde_json::from_value).transpose().context("the plan of a deployment")
}

/// Reads the situation of a change whose rows the transaction holds.
pub(super) async fn read(work: &mut Work<'_>) -> anyhow::Result<Situation> {
    let step = work.step();
    if step == Step::Begin && work.operation.kind == OperationKind::Scale {
        work.payload.origin = choose::scale_origin(work).await?;
    }
    let node = match work.payload.node {
        Some(id) => nodes::find(&mut work.tx, id).await?,
        None => None,
    };
    // Silence from before this process listened says nothing.
    let heard_at = node.as_ref().map(|node| node.last_heartbeat_at.unwrap_or(node.created_at).max(work.p.started_at));
    let release = match work.payload.release {
        Some(id) => stored::find(&mut work.tx, &Viewer::Platform, id).await?,
        None => None,
    };
    let has_release_process = match &work.deployment {
        Some(deployment) if work.payload.origin == Origin::Source => {
            plan(deployment)?.is_some_and(|plan| releases::release_process(&plan.fragment.processes).is_some())
        }
        _ => false,
    };
    let mut route = route(work).await?;
    route.no_ingress = node.and_then(|node| node.ingress_problem);
    let health = release.as_ref().map(|release| release.health.clone()).unwrap_or_default();
    let seconds = health.grace_seconds + health.retries * (health.interval_seconds + health.timeout_seconds);
    let (new, retiring) = (work.payload.new.clone(), work.payload.retiring.clone());
    Ok(Situation {
        now: work.p.now(),
        deadline: work.operation.deadline,
        step,
        since: work.payload.since,
        obtain: work.payload.obtain(),
        has_release_process,
        heard_at,
        task: task(work).await?,
        new: instances_of(work, &new).await?,
        retiring: instances_of(work, &retiring).await?,
        route,
        health_allowance: TimeDelta::seconds(seconds.into()) + HEALTH_MARGIN,
    })
}

async fn task(work: &mut Work<'_>) -> anyhow::Result<Option<rollout::Task>> {
    let Some(id) = work.payload.task else { return Ok(None) };
    let Some(task) = tasks::find(&mut work.tx, id).await? else { return Ok(None) };
    let (failure, exit_code) = match outcome(&task)? {
        Some(Outcome::Failed(failure)) => (Some(failure), None),
        Some(Outcome::Ran { exit_code }) => (None, Some(exit_code)),
        _ => (None, None),
    };
    Ok(Some(rollout::Task { status: task.status, deadline: task.deadline, failure, exit_code }))
}

async fn instances_of(work: &mut Work<'_>, ids: &[InstanceId]) -> anyhow::Result<Vec<Instance>> {
    if ids.is_empty() {
        return Ok(vec![]);
    }
    let mut rows = instances::by_ids(&mut work.tx, &Viewer::Platform, ids).await?;
    let of: Vec<ReleaseId> = rows.values().map(|row| row.release_id).collect();
    let of = stored::by_ids(&mut work.tx, &Viewer::Platform, &of).await?;
    let mut web: HashSet<(ReleaseId, String)> = HashSet::new();
    for release in of.values() {
        let processes = releases::processes(release)?;
        web.extend(processes.into_iter().filter(|p| p.kind == ProcessKind::Web).map(|p| (release.id, p.name)));
    }
    let here = work.payload.node;
    let view = |row: instances::Instance| Instance {
        id: row.id,
        is_web: web.contains(&(row.release_id, row.process.clone())),
        is_here: here.is_none_or(|here| here == row.node_id),
        process: row.process,
        status: row.status,
        reason: row.status_reason,
        exit_code: row.exit_code,
    };
    Ok(ids.iter().filter_map(|id| rows.remove(id)).map(view).collect())
}

async fn route(work: &mut Work<'_>) -> anyhow::Result<Route> {
    let Some(node) = work.payload.node else { return Ok(Route::default()) };
    let application = work.application.id;
    let wanted = routes::of_node(&mut work.tx, &work.p.config, node).await?;
    let wanted = wanted.iter().find(|route| route.application == application).map(routes::Route::revision);
    let seen = observed::find(&mut work.tx, node, application).await?;
    let (in_force, problem) = seen.map_or((None, None), |seen| (seen.revision_in_force, seen.problem));
    // Whether the latest settings of the ingress are in force too is nothing that a change of the application waits for.
    let in_force = in_force.map(|seen| routes::own_revision(&seen).to_owned());
    Ok(Route { wanted, in_force, problem, no_ingress: None })
}
