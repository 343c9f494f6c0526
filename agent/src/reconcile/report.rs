//! What the core is told of the instances. Pure.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use slipway_model::InstanceId;
use slipway_model::state::InstanceStatus;
use slipway_protocol::{DesiredInstance, DesiredState, ObservedInstance};

use super::memory::{InstanceMemory, Memory};
use crate::engine::{Container, ContainerState, Owner};

/// Every desired instance, and every other whose container is still there.
#[must_use]
pub fn instances(desired: &DesiredState, containers: &[Container], memory: &Memory) -> Vec<ObservedInstance> {
    let mut shown: BTreeMap<InstanceId, &Container> = BTreeMap::new();
    for container in containers {
        if let Owner::Instance(id) = container.owner {
            shown.insert(id, container);
        }
    }
    let nothing = InstanceMemory::default();
    let remembered = |id: InstanceId| memory.instances.get(&id).unwrap_or(&nothing);
    let wanted: Vec<ObservedInstance> = desired
        .instances
        .iter()
        .map(|instance| {
            let container = shown.remove(&instance.id);
            let memory = remembered(instance.id);
            let (status, reason) = wanted(instance, container, memory);
            observed(instance.id, container, memory, status, reason)
        })
        .collect();
    let leaving = shown.into_iter().map(|(id, container)| {
        let (status, reason) = if container.is_running() {
            (InstanceStatus::Stopping, remembered(id).draining_since.map(|_| "finishes the requests it has".to_owned()))
        } else {
            (InstanceStatus::Stopped, None)
        };
        observed(id, Some(container), remembered(id), status, reason)
    });
    let leaving: Vec<ObservedInstance> = leaving.collect();
    wanted.into_iter().chain(leaving).collect()
}

fn wanted(instance: &DesiredInstance, container: Option<&Container>, memory: &InstanceMemory) -> (InstanceStatus, Option<String>) {
    if let Some(ended) = &memory.ended {
        return (InstanceStatus::Exited, Some(ended.reason.clone()));
    }
    let before = if memory.was_healthy { InstanceStatus::Restarting } else { InstanceStatus::Starting };
    let problem = memory.problem.as_ref().map(|problem| problem.message.clone());
    let Some(container) = container else { return (before, problem) };
    match (&container.state, &memory.run) {
        (ContainerState::Running { .. }, Some(run)) if run.answered => {
            if run.failures >= instance.health.retries.max(1) {
                (InstanceStatus::Unhealthy, run.complaint.clone())
            } else {
                (InstanceStatus::Healthy, container.note.clone())
            }
        }
        (ContainerState::Running { .. }, run) => {
            (before, run.as_ref().and_then(|run| run.complaint.clone()).or_else(|| container.note.clone()))
        }
        (ContainerState::Created { .. } | ContainerState::Exited { .. } | ContainerState::Going, _) => (before, problem),
    }
}

fn observed(
    id: InstanceId,
    container: Option<&Container>,
    memory: &InstanceMemory,
    status: InstanceStatus,
    reason: Option<String>,
) -> ObservedInstance {
    let (mut started, mut finished, mut exit_code, mut oom_killed) = (None, None, None, false);
    match container.map(|container| &container.state) {
        Some(ContainerState::Running { started_at }) => started = *started_at,
        Some(ContainerState::Exited { exit_code: code, oom_killed: oom, started_at, finished_at }) => {
            (started, finished, exit_code, oom_killed) = (*started_at, *finished_at, Some(*code), *oom);
        }
        Some(ContainerState::Created { .. } | ContainerState::Going) | None => {}
    }
    let ended = memory.ended.as_ref();
    let address = container.and_then(|container| Some(SocketAddr::new(container.address?, container.port?).to_string()));
    ObservedInstance {
        id,
        status,
        container_id: container.map(|container| container.id.clone()),
        address,
        started_at: started,
        finished_at: ended.and_then(|ended| ended.finished_at).or(finished),
        exit_code: ended.and_then(|ended| ended.exit_code).or(exit_code),
        oom_killed: oom_killed || ended.is_some_and(|ended| ended.oom_killed),
        restart_count: memory.restart_count,
        reason,
        last_lines: ended.map(|ended| ended.last_lines.clone()).unwrap_or_default(),
    }
}
