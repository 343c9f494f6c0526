//! An engine without containers: it remembers what it was asked, and does what the test says.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use slipway_model::state::LogStream;
use slipway_model::{Clock, InstanceId, OrganizationId};
use tokio::sync::{broadcast, watch};
use tokio_stream::wrappers::BroadcastStream;

use crate::engine::{
    self, Container, ContainerSpec, ContainerState, EngineError, EngineFacts, EngineLine, LogsFrom, Owner, ProbeTarget, Usage,
};

/// What its containers do.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// How long making and starting takes.
    pub start: Duration,
    /// Images whose containers end at once, with this code.
    pub exit_at_start: BTreeMap<String, i64>,
    /// Images whose containers never answer a probe.
    pub silent: BTreeSet<String>,
    /// The engine does not answer.
    pub down: bool,
    /// Exit code of release processes.
    pub release_exit_code: i64,
}

pub struct Engine {
    clock: Arc<dyn Clock>,
    behaviour: Mutex<Behaviour>,
    containers: Mutex<BTreeMap<Owner, Pretended>>,
    changes: broadcast::Sender<()>,
    version: watch::Sender<u64>,
}

#[derive(Clone)]
struct Pretended {
    container: Container,
    image: String,
    lines: Vec<EngineLine>,
    usage: Usage,
}

impl Engine {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let (behaviour, containers) = (Mutex::default(), Mutex::default());
        Self { clock, behaviour, containers, changes: broadcast::Sender::new(16), version: watch::Sender::new(0) }
    }

    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed();
    }

    /// Ends an instance's process as if it had crashed.
    pub fn crash(&self, instance: InstanceId, exit_code: i64) {
        self.end(Owner::Instance(instance), exit_code);
    }

    /// What an instance has used so far.
    pub fn use_up(&self, instance: InstanceId, usage: Usage) {
        if let Some(pretended) = self.lock().get_mut(&Owner::Instance(instance)) {
            pretended.usage = usage;
        }
    }

    /// Those that run.
    #[must_use]
    pub fn running(&self) -> BTreeSet<InstanceId> {
        let containers = self.lock();
        let running = containers.values().filter(|pretended| pretended.container.is_running());
        running.filter_map(|pretended| if let Owner::Instance(id) = pretended.container.owner { Some(id) } else { None }).collect()
    }

    fn end(&self, owner: Owner, exit_code: i64) {
        let now = self.clock.now();
        if let Some(pretended) = self.lock().get_mut(&owner)
            && let ContainerState::Running { started_at } = pretended.container.state
        {
            pretended.container.address = None;
            pretended.container.state =
                ContainerState::Exited { exit_code, oom_killed: exit_code == 137, started_at, finished_at: Some(now) };
        }
        self.changed();
    }

    fn start_now(&self, owner: Owner) -> Result<(), EngineError> {
        let behaviour = self.behaviour();
        let now = self.clock.now();
        let mut containers = self.lock();
        let taken: BTreeSet<IpAddr> = containers.values().filter_map(|pretended| pretended.container.address).collect();
        let free = (2_u32..).map(|last| IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + last))).find(|address| !taken.contains(address));
        let pretended = containers.get_mut(&owner).ok_or(EngineError::NotFound)?;
        pretended.container.state = ContainerState::Running { started_at: Some(now) };
        pretended.container.address = free;
        pretended.lines.push(EngineLine { at: now, stream: LogStream::Stdout, message: format!("started {owner:?}"), truncated: false });
        let exit = match owner {
            Owner::Task(_) => Some(behaviour.release_exit_code),
            Owner::Instance(_) => behaviour.exit_at_start.get(&pretended.image).copied(),
        };
        drop(containers);
        match exit {
            Some(code) => self.end(owner, code),
            None => self.changed(),
        }
        Ok(())
    }

    fn answers(&self) -> Result<Behaviour, EngineError> {
        let behaviour = self.behaviour();
        if behaviour.down { Err(EngineError::Unreachable("it is pretended to be down".to_owned())) } else { Ok(behaviour) }
    }

    fn behaviour(&self) -> Behaviour {
        self.behaviour.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
        // Nobody listens between two runs of the agent.
        let _ = self.changes.send(());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Owner, Pretended>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl engine::Engine for Engine {
    fn ping(&self) -> BoxFuture<'_, Result<EngineFacts, EngineError>> {
        async { self.answers().map(|_| EngineFacts { version: Some("pretended".to_owned()), kernel: None }) }.boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Container>, EngineError>> {
        async {
            self.answers()?;
            Ok(self.lock().values().map(|pretended| pretended.container.clone()).collect())
        }
        .boxed()
    }

    fn create<'a>(&'a self, spec: &'a ContainerSpec) -> BoxFuture<'a, Result<(), EngineError>> {
        async {
            tokio::time::sleep(self.answers()?.start).await;
            self.lock().entry(spec.owner).or_insert_with(|| Pretended {
                container: Container {
                    id: format!("pretended-{}", spec.owner.container_name()),
                    owner: spec.owner,
                    organization: Some(spec.organization),
                    spec_hash: spec.hash(),
                    stop_grace_seconds: spec.stop_grace_seconds,
                    drain_seconds: spec.drain_seconds,
                    port: spec.port,
                    state: ContainerState::Created { failure: None },
                    address: None,
                    note: None,
                },
                image: spec.image.clone(),
                lines: Vec::new(),
                usage: Usage::default(),
            });
            self.changed();
            Ok(())
        }
        .boxed()
    }

    fn start(&self, owner: Owner) -> BoxFuture<'_, Result<(), EngineError>> {
        async move {
            self.answers()?;
            self.start_now(owner)
        }
        .boxed()
    }

    fn stop(&self, owner: Owner, _grace: Duration) -> BoxFuture<'_, Result<(), EngineError>> {
        async move {
            self.answers()?;
            self.end(owner, 143);
            Ok(())
        }
        .boxed()
    }

    fn remove(&self, owner: Owner) -> BoxFuture<'_, Result<(), EngineError>> {
        async move {
            self.answers()?;
            self.lock().remove(&owner);
            self.changed();
            Ok(())
        }
        .boxed()
    }

    fn wait(&self, owner: Owner) -> BoxFuture<'_, Result<i64, EngineError>> {
        async move {
            let mut version = self.version.subscribe();
            loop {
                version.mark_unchanged();
                match self.lock().get(&owner).map(|pretended| pretended.container.state.clone()) {
                    Some(ContainerState::Exited { exit_code, .. }) => return Ok(exit_code),
                    Some(ContainerState::Created { .. } | ContainerState::Running { .. } | ContainerState::Going) => {}
                    None => return Err(EngineError::NotFound),
                }
                if version.changed().await.is_err() {
                    return Err(EngineError::NotFound);
                }
            }
        }
        .boxed()
    }

    /// What is there now: nothing new is ever printed, so following ends too.
    fn logs(&self, owner: Owner, from: LogsFrom) -> BoxStream<'static, Result<EngineLine, EngineError>> {
        let Some(lines) = self.lock().get(&owner).map(|pretended| pretended.lines.clone()) else {
            return stream::iter([Err(EngineError::NotFound)]).boxed();
        };
        let tail = from.tail.and_then(|tail| usize::try_from(tail).ok()).unwrap_or(usize::MAX);
        let skipped = lines.len().saturating_sub(tail);
        stream::iter(lines.into_iter().skip(skipped).map(Ok)).boxed()
    }

    fn usage(&self, owner: Owner, _with_disk: bool) -> BoxFuture<'_, Result<Usage, EngineError>> {
        async move {
            self.answers()?;
            self.lock().get(&owner).map(|pretended| pretended.usage).ok_or(EngineError::NotFound)
        }
        .boxed()
    }

    fn changes(&self) -> BoxStream<'static, ()> {
        BroadcastStream::new(self.changes.subscribe()).map(|_| ()).boxed()
    }

    fn probe<'a>(&'a self, target: &'a ProbeTarget) -> BoxFuture<'a, Result<(), String>> {
        let behaviour = self.behaviour();
        let answers = self
            .lock()
            .values()
            .any(|pretended| pretended.container.address == Some(target.address.ip()) && !behaviour.silent.contains(&pretended.image));
        async move { if answers { Ok(()) } else { Err(format!("port {} does not accept connections", target.address.port())) } }.boxed()
    }

    fn remove_image<'a>(&'a self, _reference: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        async { self.answers().map(drop) }.boxed()
    }

    fn sweep_networks<'a>(&'a self, _keep: &'a BTreeSet<OrganizationId>) -> BoxFuture<'a, Result<(), EngineError>> {
        async { Ok(()) }.boxed()
    }
}
