//! What to do next so that the machine becomes what is desired. A pure function: the same situation gives the same actions, and
//! nothing is done here.
//!
//! Invariants, which the property tests hold it to: a container that is desired, or that a route in force names, is not stopped
//! (save one that was given up); nothing that runs is removed; no owner with an action under way is given another.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use chrono::TimeDelta;
use slipway_model::{InstanceId, TaskId, Timestamp, state::RestartPolicy};
use slipway_protocol::{DesiredInstance, DesiredState};

use super::memory::{Ended, InstanceMemory, MAX_RESTARTS, Memory, Run, SETTLED_AFTER};
use crate::engine::{Container, ContainerSpec, ContainerState, Owner, ProbeTarget};

/// Attempts to make or start a container before its instance is given up.
const MAX_ATTEMPTS: u32 = 5;

/// Everything that the next step depends on.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    pub desired: &'a DesiredState,
    pub containers: &'a [Container],
    pub memory: &'a Memory,
    /// Instances that the ingress sends visitors to, or may still.
    pub routed: &'a BTreeSet<InstanceId>,
    /// Tasks whose containers are in use.
    pub tasks: &'a BTreeSet<TaskId>,
    /// Owners with an action under way.
    pub busy: &'a BTreeSet<Owner>,
    pub now: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Create(InstanceId),
    Start(InstanceId),
    /// It crashed: start it again.
    Restart(InstanceId),
    Probe {
        instance: InstanceId,
        since: Timestamp,
        target: ProbeTarget,
    },
    /// Give it up: read the end of its output and remember why.
    End {
        instance: InstanceId,
        ended: Ended,
    },
    BeginDrain(InstanceId),
    Stop {
        owner: Owner,
        grace: Duration,
    },
    Remove(Owner),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub actions: Vec<Action>,
    /// When to look again even if nothing happens.
    pub wake_at: Option<Timestamp>,
}

impl Plan {
    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// `true` once the moment has come; otherwise remembers to look again then.
    fn due(&mut self, at: Timestamp, now: Timestamp) -> bool {
        if at > now {
            self.wake_at = Some(self.wake_at.map_or(at, |earlier| earlier.min(at)));
        }
        at <= now
    }
}

#[must_use]
pub fn plan(situation: &Situation<'_>) -> Plan {
    let mut plan = Plan::default();
    let mut unseen: BTreeMap<Owner, &Container> = situation.containers.iter().map(|container| (container.owner, container)).collect();
    for instance in &situation.desired.instances {
        let owner = Owner::Instance(instance.id);
        let container = unseen.remove(&owner);
        if !situation.busy.contains(&owner) {
            wanted(situation, instance, container, &mut plan);
        }
    }
    for (owner, container) in unseen {
        if !situation.busy.contains(&owner) {
            unwanted(situation, container, &mut plan);
        }
    }
    plan
}

fn wanted(situation: &Situation<'_>, instance: &DesiredInstance, container: Option<&Container>, plan: &mut Plan) {
    let now = situation.now;
    let nothing = InstanceMemory::default();
    let memory = situation.memory.instances.get(&instance.id).unwrap_or(&nothing);
    let owner = Owner::Instance(instance.id);
    if memory.ended.is_some() {
        if container.is_some_and(Container::is_running) {
            plan.act(Action::Stop { owner, grace: grace(instance.stop_grace_seconds) });
        }
        return;
    }
    if let Some(problem) = memory.problem.as_ref().filter(|problem| problem.attempts >= MAX_ATTEMPTS) {
        return plan.act(end(instance.id, problem.message.clone(), container));
    }
    // After a failed attempt the next one waits.
    let may_try = |plan: &mut Plan| memory.problem.as_ref().is_none_or(|problem| plan.due(problem.retry_at, now));
    let Some(container) = container else {
        if may_try(plan) {
            plan.act(Action::Create(instance.id));
        }
        return;
    };
    if container.spec_hash != ContainerSpec::of_instance(instance).hash() {
        match container.state {
            ContainerState::Running { .. } => plan.act(Action::Stop { owner, grace: grace(instance.stop_grace_seconds) }),
            ContainerState::Created { .. } | ContainerState::Exited { .. } => plan.act(Action::Remove(owner)),
            ContainerState::Going => {}
        }
        return;
    }
    match &container.state {
        ContainerState::Created { failure: Some(failure) } if matches!(failure.exit_code, 126 | 127) => {
            plan.act(end(instance.id, format!("its command cannot be run: {}", failure.message), Some(container)));
        }
        ContainerState::Created { .. } => {
            if may_try(plan) {
                plan.act(Action::Start(instance.id));
            }
        }
        ContainerState::Running { .. } => running(instance, container, memory, now, plan),
        ContainerState::Exited { exit_code, oom_killed, .. } => {
            let how = how_it_ended(*exit_code, *oom_killed);
            if !memory.was_healthy {
                plan.act(end(instance.id, format!("{how} before it was ready"), Some(container)));
            } else if !instance.restart.restarts(*exit_code) {
                let policy = if instance.restart == RestartPolicy::Never { "never" } else { "only on failure" };
                plan.act(end(instance.id, format!("{how}, and is restarted {policy}"), Some(container)));
            } else if memory.crashes.len() > MAX_RESTARTS {
                let reason = format!("{how}, and was restarted {MAX_RESTARTS} times within 5 minutes before");
                plan.act(end(instance.id, reason, Some(container)));
            } else if may_try(plan) && plan.due(restart_at(memory, now), now) {
                plan.act(Action::Restart(instance.id));
            }
        }
        ContainerState::Going => {}
    }
}

fn running(instance: &DesiredInstance, container: &Container, memory: &InstanceMemory, now: Timestamp, plan: &mut Plan) {
    let Some(run) = &memory.run else { return };
    let Some(port) = instance.health.port.or(instance.port).filter(|_| instance.port.is_some()) else {
        // Nothing to probe: running is being well.
        if !run.answered {
            plan.due(run.since + SETTLED_AFTER, now);
        }
        return;
    };
    let grace_ends = run.since + TimeDelta::seconds(i64::from(instance.health.grace_seconds));
    // At least one probe decides, however short the grace.
    if !run.answered && !run.probe_under_way && (run.last_probe.is_some() || container.address.is_none()) && plan.due(grace_ends, now) {
        let complaint = run.complaint.as_deref().unwrap_or("no answer");
        let reason = format!("was not ready within {} s: {complaint}", instance.health.grace_seconds);
        plan.act(end(instance.id, reason, Some(container)));
        return;
    }
    let Some(address) = container.address else { return };
    if !run.probe_under_way && plan.due(next_probe(instance, run), now) {
        let timeout = Duration::from_secs(u64::from(instance.health.timeout_seconds.max(1)));
        let target = ProbeTarget { address: SocketAddr::new(address, port), path: instance.health.path.clone(), timeout };
        plan.act(Action::Probe { instance: instance.id, since: run.since, target });
    }
}

/// Often at first, because a visitor waits for a deployment; then as the plan says.
fn next_probe(instance: &DesiredInstance, run: &Run) -> Timestamp {
    let Some(last) = run.last_probe else { return run.since };
    let interval = if run.answered {
        TimeDelta::seconds(i64::from(instance.health.interval_seconds.max(1)))
    } else if last - run.since < TimeDelta::seconds(2) {
        TimeDelta::milliseconds(50)
    } else if last - run.since < TimeDelta::seconds(10) {
        TimeDelta::milliseconds(200)
    } else {
        TimeDelta::seconds(1)
    };
    last + interval
}

/// One second after the first crash, then two, then four.
fn restart_at(memory: &InstanceMemory, now: Timestamp) -> Timestamp {
    let exponent = u32::try_from(memory.crashes.len().saturating_sub(1)).unwrap_or(u32::MAX).min(3);
    memory.crashes.last().map_or(now, |crash| *crash + TimeDelta::seconds(1 << exponent))
}

fn unwanted(situation: &Situation<'_>, container: &Container, plan: &mut Plan) {
    let owner = container.owner;
    let instance = match owner {
        Owner::Instance(instance) => instance,
        Owner::Task(task) => {
            if !situation.tasks.contains(&task) {
                plan.act(Action::Remove(owner));
            }
            return;
        }
    };
    match container.state {
        ContainerState::Running { .. } => {}
        ContainerState::Created { .. } | ContainerState::Exited { .. } => return plan.act(Action::Remove(owner)),
        ContainerState::Going => return,
    }
    if situation.routed.contains(&instance) {
        return;
    }
    let grace = grace(container.stop_grace_seconds);
    if container.port.is_none() {
        // Nobody's request can be under way.
        return plan.act(Action::Stop { owner, grace });
    }
    match situation.memory.instances.get(&instance).and_then(|memory| memory.draining_since) {
        None => plan.act(Action::BeginDrain(instance)),
        Some(since) => {
            if plan.due(since + TimeDelta::seconds(i64::from(container.drain_seconds)), situation.now) {
                plan.act(Action::Stop { owner, grace });
            }
        }
    }
}

fn end(instance: InstanceId, reason: String, container: Option<&Container>) -> Action {
    let ended = match container.map(|container| &container.state) {
        Some(ContainerState::Exited { exit_code, oom_killed, finished_at, .. }) => {
            Ended { reason, exit_code: Some(*exit_code), oom_killed: *oom_killed, finished_at: *finished_at, last_lines: Vec::new() }
        }
        Some(ContainerState::Created { failure: Some(failure) }) => {
            Ended { reason, exit_code: Some(failure.exit_code), oom_killed: false, finished_at: None, last_lines: Vec::new() }
        }
        Some(ContainerState::Created { .. } | ContainerState::Running { .. } | ContainerState::Going) | None => {
            Ended { reason, exit_code: None, oom_killed: false, finished_at: None, last_lines: Vec::new() }
        }
    };
    Action::End { instance, ended }
}

fn how_it_ended(exit_code: i64, oom_killed: bool) -> String {
    if oom_killed { "ran out of memory".to_owned() } else { format!("exited with code {exit_code}") }
}

fn grace(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}
