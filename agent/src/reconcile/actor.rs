//! The loop that looks, plans and acts. Every action is a job of its own, so that nothing waits for a slow container.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::StreamExt;
use futures::stream::BoxStream;
use slipway_model::{InstanceId, OrganizationId, TaskId, Timestamp};
use slipway_protocol::{DesiredState, ObservedState};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::memory::{Ended, Memory};
use super::plan::{Action, Plan, Situation, plan};
use super::report;
use super::routes::{Looked, Routes};
use crate::engine::{Container, ContainerSpec, Engine, EngineError, Owner, last_lines};
use crate::ingress::Ingress;
use crate::record::{Desired, Record, RecordError};
use crate::steady::Steady;

/// An engine that takes longer to say what it has is treated as silent.
const LIST_PATIENCE: Duration = Duration::from_secs(8);
/// While something is about to change.
const SOON: TimeDelta = TimeDelta::milliseconds(250);
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How long a start of the agent waits for instances before visitors are let in.
const READY_PATIENCE: TimeDelta = TimeDelta::seconds(20);
const SEQUENCES: u64 = 10_000;

/// What the rest of the agent learns from the reconciler, and tells it.
pub struct Signals {
    pub observed: watch::Sender<Option<Arc<ObservedState>>>,
    /// Containers of this node.
    pub containers: watch::Sender<u32>,
    /// The machine was brought in line once: the ingress may let visitors in.
    pub ready: watch::Sender<bool>,
    /// Tasks whose containers are in use, and whose they are.
    pub tasks: watch::Receiver<BTreeMap<TaskId, OrganizationId>>,
    /// Why the ingress cannot be run.
    pub ingress_problem: watch::Receiver<Option<String>>,
}

pub struct Reconciler {
    engine: Arc<dyn Engine>,
    record: Arc<Record>,
    desired: watch::Receiver<Desired>,
    signals: Signals,
    every: Duration,
    clock: Steady,
    begun: Timestamp,
    containers: Vec<Container>,
    memory: Memory,
    kept: Memory,
    routes: Routes,
    busy: BTreeSet<Owner>,
    jobs: JoinSet<Done>,
    sequence: std::ops::Range<u64>,
}

enum Done {
    Acted { owner: Owner, action: &'static str, result: Result<(), EngineError> },
    Restarted { instance: InstanceId, result: Result<(), EngineError> },
    Ended { instance: InstanceId, ended: Ended },
    Probed { instance: InstanceId, since: Timestamp, answer: Result<(), String> },
    Looked(Looked),
    Swept,
}

impl Reconciler {
    /// # Errors
    /// The record cannot be read.
    pub fn new(
        engine: Arc<dyn Engine>,
        ingress: Arc<dyn Ingress>,
        record: Arc<Record>,
        clock: Steady,
        every: Duration,
        signals: Signals,
    ) -> Result<Self, RecordError> {
        let memory = record.memory()?;
        let sequence = record.reserve_sequence(SEQUENCES)?;
        Ok(Self {
            engine,
            desired: record.watch(),
            record,
            signals,
            every,
            clock,
            begun: clock.now(),
            containers: Vec::new(),
            kept: memory.clone(),
            memory,
            routes: Routes::new(ingress),
            busy: BTreeSet::new(),
            jobs: JoinSet::new(),
            sequence,
        })
    }

    /// Runs until `shutdown`. Containers go on.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut changes = self.engine.changes();
        let mut listed_at: Option<Instant> = None;
        let mut stale = true;
        let mut swept_at = Instant::now();
        loop {
            if stale || listed_at.is_none_or(|at| at.elapsed() >= self.every) {
                stale = !self.list().await;
                if !stale {
                    listed_at = Some(Instant::now());
                }
            }
            let mut wake = Instant::now() + self.every.min(Duration::from_secs(1));
            if !stale {
                wake = self.pass();
                if swept_at.elapsed() > SWEEP_EVERY {
                    swept_at = Instant::now();
                    self.sweep();
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                Some(done) = self.jobs.join_next() => {
                    stale |= self.take(done);
                    while let Some(done) = self.jobs.try_join_next() {
                        stale |= self.take(done);
                    }
                }
                changed = self.desired.changed() => if changed.is_err() { return },
                changed = self.signals.tasks.changed() => if changed.is_err() { return },
                // Whoever keeps the ingress running may have ended before.
                Ok(()) = self.signals.ingress_problem.changed() => {}
                event = next(&mut changes) => match event {
                    Some(()) => stale = true,
                    None => {
                        changes = resubscribe(Arc::clone(&self.engine));
                        stale = true;
                    }
                },
                () = sleep_until(wake) => {}
            }
        }
    }

    /// `false` if the engine is silent: what was seen last is not acted upon then.
    async fn list(&mut self) -> bool {
        match timeout(LIST_PATIENCE, self.engine.list()).await {
            Ok(Ok(containers)) => {
                self.containers = containers;
                self.signals.containers.send_replace(u32::try_from(self.containers.len()).unwrap_or(u32::MAX));
                true
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "cannot see the containers");
                false
            }
            Err(_) => {
                tracing::warn!("the container engine does not say what it has");
                false
            }
        }
    }

    /// One round: remember, plan, act, report. Returns when the next one is due.
    fn pass(&mut self) -> Instant {
        let mut wake = Instant::now() + self.every;
        let Some(desired) = self.desired.borrow_and_update().clone() else {
            self.signals.ready.send_replace(true);
            return wake;
        };
        let now = self.clock.now();
        self.memory.see(&desired, &self.containers, now);
        for look in self.routes.pass(&desired, &self.containers, &self.memory, now) {
            self.jobs.spawn(async move { Done::Looked(look.await) });
        }
        let tasks: BTreeSet<TaskId> = self.signals.tasks.borrow_and_update().keys().copied().collect();
        let Plan { actions, wake_at } = plan(&Situation {
            desired: &desired,
            containers: &self.containers,
            memory: &self.memory,
            routed: &self.routes.routed(),
            tasks: &tasks,
            busy: &self.busy,
            now,
        });
        let acting = !actions.is_empty();
        for action in actions {
            self.act(action, &desired);
        }
        self.keep();
        self.report(&desired);
        self.announce_readiness(&desired, now);
        let soon = (acting || self.routes.unsettled()).then(|| now + SOON);
        for at in wake_at.into_iter().chain(soon) {
            wake = wake.min(Instant::now() + self.clock.until(at));
        }
        wake
    }

    fn act(&mut self, action: Action, desired: &DesiredState) {
        let engine = Arc::clone(&self.engine);
        let now = self.clock.now();
        match action {
            Action::Create(id) => {
                let Some(instance) = desired.instances.iter().find(|instance| instance.id == id) else { return };
                let spec = ContainerSpec::of_instance(instance);
                self.spawn(Owner::Instance(id), "create", async move {
                    engine.create(&spec).await?;
                    engine.start(spec.owner).await
                });
            }
            Action::Start(id) => self.spawn(Owner::Instance(id), "start", async move { engine.start(Owner::Instance(id)).await }),
            Action::Restart(id) => {
                self.busy.insert(Owner::Instance(id));
                self.jobs.spawn(async move { Done::Restarted { instance: id, result: engine.start(Owner::Instance(id)).await } });
            }
            Action::Probe { instance, since, target } => {
                if let Some(run) = self.memory.instances.get_mut(&instance).and_then(|memory| memory.run.as_mut()) {
                    run.probe_under_way = true;
                }
                self.jobs.spawn(async move {
                    // The engine's own limit, and one in case it forgets.
                    let answer = timeout(target.timeout + Duration::from_secs(5), engine.probe(&target)).await;
                    let answer = answer.unwrap_or_else(|_| Err("did not answer".to_owned()));
                    Done::Probed { instance, since, answer }
                });
            }
            Action::End { instance, mut ended } => {
                self.busy.insert(Owner::Instance(instance));
                self.jobs.spawn(async move {
                    ended.last_lines = last_lines(&*engine, Owner::Instance(instance)).await;
                    Done::Ended { instance, ended }
                });
            }
            Action::BeginDrain(instance) => {
                self.memory.instances.entry(instance).or_default().draining_since = Some(now);
            }
            Action::Stop { owner, grace } => self.spawn(owner, "stop", async move { engine.stop(owner, grace).await }),
            Action::Remove(owner) => self.spawn(owner, "remove", async move { engine.remove(owner).await }),
        }
    }

    fn spawn(&mut self, owner: Owner, action: &'static str, job: impl Future<Output = Result<(), EngineError>> + Send + 'static) {
        self.busy.insert(owner);
        self.jobs.spawn(async move { Done::Acted { owner, action, result: job.await } });
    }

    /// `true` if the containers have to be looked at again.
    fn take(&mut self, done: Result<Done, tokio::task::JoinError>) -> bool {
        let now = self.clock.now();
        let done = match done {
            Ok(done) => done,
            Err(error) => {
                // A job cannot be canceled while the loop runs, so this one panicked; its owner is unknown, so all may be tried again.
                tracing::error!(%error, "an action broke off");
                self.busy.clear();
                return true;
            }
        };
        match done {
            Done::Acted { owner, action, result } => {
                self.busy.remove(&owner);
                self.result(owner, action, result, now);
                true
            }
            Done::Restarted { instance, result } => {
                let owner = Owner::Instance(instance);
                self.busy.remove(&owner);
                if result.is_ok()
                    && let Some(memory) = self.memory.instances.get_mut(&instance)
                {
                    memory.restart_count = memory.restart_count.saturating_add(1);
                }
                self.result(owner, "restart", result, now);
                true
            }
            Done::Ended { instance, ended } => {
                self.busy.remove(&Owner::Instance(instance));
                tracing::warn!(%instance, reason = ended.reason, "instance given up");
                if let Some(memory) = self.memory.instances.get_mut(&instance) {
                    memory.ended = Some(ended);
                }
                false
            }
            Done::Probed { instance, since, answer } => {
                self.memory.probed(instance, since, answer, now);
                false
            }
            Done::Looked(looked) => {
                self.routes.looked(looked, now);
                false
            }
            Done::Swept => false,
        }
    }

    fn result(&mut self, owner: Owner, action: &'static str, result: Result<(), EngineError>, now: Timestamp) {
        let name = owner.container_name();
        let Err(error) = result else {
            tracing::info!(container = name, action, "done");
            if let Owner::Instance(instance) = owner
                && let Some(memory) = self.memory.instances.get_mut(&instance)
            {
                memory.problem = None;
            }
            return;
        };
        tracing::warn!(container = name, action, %error, "failed");
        let Owner::Instance(instance) = owner else { return };
        let Some(memory) = self.memory.instances.get_mut(&instance) else { return };
        match &error {
            // No waiting brings it: images are made before instances are desired.
            EngineError::ImageMissing(_) => {
                let reason = error.to_string();
                memory.ended = Some(Ended { reason, exit_code: None, oom_killed: false, finished_at: None, last_lines: Vec::new() });
            }
            EngineError::Unreachable(_) => memory.failed(error.to_string(), true, now),
            // Gone, or not there yet: the next look shows.
            EngineError::NotFound => {}
            EngineError::Refused(_) => memory.failed(error.to_string(), false, now),
        }
    }

    fn sweep(&mut self) {
        let mut keep: BTreeSet<OrganizationId> = self.containers.iter().filter_map(|container| container.organization).collect();
        keep.extend(self.signals.tasks.borrow().values());
        keep.extend(self.desired.borrow().iter().flat_map(|desired| desired.instances.iter().map(|instance| instance.organization)));
        let engine = Arc::clone(&self.engine);
        self.jobs.spawn(async move {
            if let Err(error) = engine.sweep_networks(&keep).await {
                tracing::warn!(%error, "cannot remove unused networks");
            }
            Done::Swept
        });
    }

    /// Writes what must survive, if it changed. Small, and seldom.
    fn keep(&mut self) {
        let durable = self.memory.durable();
        if durable == self.kept {
            return;
        }
        match self.record.keep_memory(&durable) {
            Ok(()) => self.kept = durable,
            Err(error) => tracing::error!(%error, "crash counts would not survive a restart of the agent"),
        }
    }

    fn report(&mut self, desired: &DesiredState) {
        let instances = report::instances(desired, &self.containers, &self.memory);
        let routes = self.routes.observed(desired);
        let ingress_problem = self.signals.ingress_problem.borrow_and_update().clone();
        let current = self.signals.observed.borrow().clone();
        let same = current.is_some_and(|current| {
            current.generation == desired.generation
                && current.instances == instances
                && current.routes == routes
                && current.ingress_problem == ingress_problem
        });
        if same {
            return;
        }
        let Some(sequence) = self.sequence.next() else {
            match self.record.reserve_sequence(SEQUENCES) {
                Ok(block) => {
                    self.sequence = block;
                    return self.report(desired);
                }
                Err(error) => return tracing::error!(%error, "cannot report what is observed"),
            }
        };
        let observed = ObservedState { generation: desired.generation, sequence, instances, routes, ingress_problem };
        self.signals.observed.send_replace(Some(Arc::new(observed)));
    }

    fn announce_readiness(&mut self, desired: &DesiredState, now: Timestamp) {
        if *self.signals.ready.borrow() {
            return;
        }
        let runs = |id: &InstanceId| {
            let ended = self.memory.instances.get(id).is_some_and(|memory| memory.ended.is_some());
            ended || self.containers.iter().any(|container| container.owner == Owner::Instance(*id) && container.is_running())
        };
        let all = desired.routes.iter().flat_map(|route| &route.instances).all(runs);
        if all || now - self.begun > READY_PATIENCE {
            self.signals.ready.send_replace(true);
        }
    }
}

async fn next(changes: &mut BoxStream<'static, ()>) -> Option<()> {
    changes.next().await
}

/// After a pause, because an engine that is down ends the stream at once.
fn resubscribe(engine: Arc<dyn Engine>) -> BoxStream<'static, ()> {
    let later = async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        engine.changes()
    };
    futures::stream::once(later).flatten().boxed()
}
