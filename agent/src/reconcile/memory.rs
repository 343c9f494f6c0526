//! What the agent remembers of instances beside what the engine shows: crashes, probes, drains, and why one was given up.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use slipway_model::{InstanceId, Timestamp};
use slipway_protocol::DesiredState;

use crate::engine::{Container, ContainerState, Owner};

/// R12: restarted at most this often within the window, then given up.
pub const MAX_RESTARTS: usize = 3;
pub const RESTART_WINDOW: TimeDelta = TimeDelta::minutes(5);
/// How long a process that serves nothing must have run to count as healthy.
pub const SETTLED_AFTER: TimeDelta = TimeDelta::seconds(3);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    pub instances: BTreeMap<InstanceId, InstanceMemory>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstanceMemory {
    /// It was healthy at least once: from then on an exit is a crash, before it is a failed start.
    pub was_healthy: bool,
    /// Of the last [`RESTART_WINDOW`].
    pub crashes: Vec<Timestamp>,
    pub restart_count: u32,
    /// End of the run that was counted as a crash last.
    counted: Option<Timestamp>,
    /// It will not be started again.
    pub ended: Option<Ended>,
    /// The container's current run.
    #[serde(skip)]
    pub run: Option<Run>,
    #[serde(skip)]
    pub draining_since: Option<Timestamp>,
    /// The last attempt to make or start it failed, and when to try again.
    #[serde(skip)]
    pub problem: Option<Problem>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub reason: String,
    pub exit_code: Option<i64>,
    pub oom_killed: bool,
    pub finished_at: Option<Timestamp>,
    pub last_lines: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// By the engine's clock: tells one run from the next.
    pub started_at: Option<Timestamp>,
    /// By the agent's steady clock.
    pub since: Timestamp,
    pub answered: bool,
    /// Failed probes since the last good one.
    pub failures: u32,
    pub last_probe: Option<Timestamp>,
    pub probe_under_way: bool,
    /// What came instead of an answer.
    pub complaint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub message: String,
    pub attempts: u32,
    pub retry_at: Timestamp,
}

impl Memory {
    /// Takes in what the engine shows. Calling it twice with the same is calling it once.
    pub fn see(&mut self, desired: &DesiredState, containers: &[Container], now: Timestamp) {
        let mut shown: BTreeMap<InstanceId, Option<&Container>> = desired.instances.iter().map(|instance| (instance.id, None)).collect();
        for container in containers {
            if let Owner::Instance(id) = container.owner {
                shown.insert(id, Some(container));
            }
        }
        self.instances.retain(|id, _| shown.contains_key(id));
        for (id, container) in shown {
            let wanted = desired.instances.iter().find(|instance| instance.id == id);
            let memory = self.instances.entry(id).or_default();
            if wanted.is_some() {
                memory.draining_since = None;
            }
            memory.see(container, wanted.is_some(), wanted.is_some_and(|instance| instance.port.is_none()), now);
        }
    }

    /// What is kept on the disk: without the things that belong to this process.
    #[must_use]
    pub fn durable(&self) -> Self {
        let instances = self
            .instances
            .iter()
            .map(|(id, memory)| (*id, InstanceMemory { run: None, draining_since: None, problem: None, ..memory.clone() }));
        Self { instances: instances.collect() }
    }

    /// Takes in the answer of a probe of the run that began at `since`.
    pub fn probed(&mut self, instance: InstanceId, since: Timestamp, answer: Result<(), String>, now: Timestamp) {
        let Some(memory) = self.instances.get_mut(&instance) else { return };
        let Some(run) = memory.run.as_mut().filter(|run| run.since == since) else { return };
        run.probe_under_way = false;
        run.last_probe = Some(now);
        match answer {
            Ok(()) => {
                run.answered = true;
                run.failures = 0;
                run.complaint = None;
                memory.was_healthy = true;
                memory.problem = None;
            }
            Err(complaint) => {
                run.failures = run.failures.saturating_add(1);
                run.complaint = Some(complaint);
            }
        }
    }
}

impl InstanceMemory {
    fn see(&mut self, container: Option<&Container>, wanted: bool, serves_nothing: bool, now: Timestamp) {
        // A crash "in the future" comes from a clock that was set back since.
        self.crashes.retain(|at| *at <= now && now - *at < RESTART_WINDOW);
        match container.map(|container| &container.state) {
            Some(ContainerState::Running { started_at }) => {
                if self.run.as_ref().is_none_or(|run| run.started_at != *started_at) {
                    self.run = Some(Run::begun(*started_at, now));
                }
                if let Some(run) = &mut self.run
                    && serves_nothing
                    && now - run.since >= SETTLED_AFTER
                {
                    run.answered = true;
                    self.was_healthy = true;
                }
            }
            Some(ContainerState::Exited { finished_at, .. }) => {
                self.run = None;
                let fresh = self.counted.is_none() || self.counted != *finished_at;
                if wanted && self.was_healthy && self.ended.is_none() && fresh {
                    self.counted = *finished_at;
                    self.crashes.push(now);
                }
            }
            Some(ContainerState::Created { .. } | ContainerState::Going) | None => self.run = None,
        }
    }

    /// Remembers that it could not be made or started, and when to try again. Silence of the engine is no failed attempt.
    pub fn failed(&mut self, message: String, silent: bool, now: Timestamp) {
        let attempts = self.problem.as_ref().map_or(0, |problem| problem.attempts).saturating_add(u32::from(!silent));
        let wait = TimeDelta::seconds(i64::from(2_u32.saturating_pow(attempts.min(5)).min(30)));
        self.problem = Some(Problem { message, attempts, retry_at: now + wait });
    }
}

impl Run {
    fn begun(started_at: Option<Timestamp>, now: Timestamp) -> Self {
        Self { started_at, since: now, answered: false, failures: 0, last_probe: None, probe_under_way: false, complaint: None }
    }
}
