//! [`Engine`] over the Docker API.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, EventsOptionsBuilder, InspectContainerOptions, ListContainersOptionsBuilder, LogsOptionsBuilder,
    RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder, WaitContainerOptions,
};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use slipway_model::{NodeId, OrganizationId};

use super::lines::{Lines, timestamp};
use super::{labels, posture, probe, usage};
use crate::engine::{
    Container, ContainerSpec, ContainerState, Engine, EngineError, EngineFacts, EngineLine, LogsFrom, Owner, ProbeTarget, StartFailure,
    Usage,
};

/// For everything that the engine answers at once.
const ANSWER_SECONDS: u64 = 30;
const PING: Duration = Duration::from_secs(5);
/// For what goes on for as long as a container lives.
const ENDLESS: Duration = Duration::from_secs(365 * 24 * 3600);
/// Containers looked at in parallel.
const INSPECT_AT_ONCE: usize = 8;

/// This node's view of a Docker engine: what carries this node's labels.
pub struct Docker {
    socket: PathBuf,
    pub(super) node: NodeId,
    connection: Mutex<Option<bollard::Docker>>,
    pub(super) networks: tokio::sync::Mutex<()>,
    http: reqwest::Client,
}

impl Docker {
    /// Does not connect yet: the engine may come later than the agent.
    ///
    /// # Errors
    /// The client that probes containers cannot be made.
    pub fn new(socket: &Path, node: NodeId) -> Result<Self, EngineError> {
        let http = crate::ingress::plain_http().map_err(|error| EngineError::Refused(error.to_string()))?;
        let (connection, networks) = (Mutex::new(None), tokio::sync::Mutex::new(()));
        Ok(Self { socket: socket.to_owned(), node, connection, networks, http })
    }

    /// The engine's own client.
    pub(crate) fn client(&self) -> Result<bollard::Docker, EngineError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*connection {
            return Ok(client.clone());
        }
        let client = bollard::Docker::connect_with_unix(&self.socket.to_string_lossy(), ANSWER_SECONDS, bollard::API_DEFAULT_VERSION)
            .map_err(|error| EngineError::Unreachable(error.to_string()))?;
        *connection = Some(client.clone());
        Ok(client)
    }

    /// The container of this owner, if this node's agent made it.
    async fn inspect(&self, name: &str) -> Result<(Owner, ContainerInspectResponse), EngineError> {
        let found = self.client()?.inspect_container(name, None::<InspectContainerOptions>).await.map_err(refused)?;
        let labels = found.config.as_ref().and_then(|config| config.labels.as_ref());
        match labels.and_then(|labels| labels::owner(labels, self.node)) {
            Some(owner) => Ok((owner, found)),
            None => Err(EngineError::Refused(format!("a container called {name} exists that this node's agent did not make"))),
        }
    }

    /// The container's id, after making sure that it is ours.
    async fn own(&self, owner: Owner) -> Result<String, EngineError> {
        let name = owner.container_name();
        match self.inspect(&name).await? {
            (found, container) if found == owner => Ok(container.id.unwrap_or(name)),
            _ => Err(EngineError::NotFound),
        }
    }

    async fn containers(&self) -> Result<Vec<Container>, EngineError> {
        let options = ListContainersOptionsBuilder::default().all(true).filters(&labels::filter(self.node)).build();
        let listed = self.client()?.list_containers(Some(options)).await.map_err(refused)?;
        let inspected = stream::iter(listed.into_iter().filter_map(|container| container.id))
            .map(|id| async move {
                match self.inspect(&id).await {
                    Ok((owner, container)) => Ok(Some(observed(owner, container))),
                    // Gone since it was listed.
                    Err(EngineError::NotFound | EngineError::Refused(_)) => Ok(None),
                    Err(error) => Err(error),
                }
            })
            .buffer_unordered(INSPECT_AT_ONCE);
        inspected.try_filter_map(|container| async { Ok(container) }).try_collect().await
    }

    async fn create_container(&self, spec: &ContainerSpec) -> Result<(), EngineError> {
        let docker = self.client()?;
        let image = docker.inspect_image(&spec.image).await.map_err(|error| match refused(error) {
            EngineError::NotFound => EngineError::ImageMissing(spec.image.clone()),
            other => other,
        })?;
        // Held until the container exists, so that a sweep does not take the network from under it.
        let _networks = self.networks.lock().await;
        self.ensure_network(spec.organization).await?;
        let body = posture::create_body(spec, self.node, image.config.and_then(|config| config.user).as_deref());
        let name = spec.owner.container_name();
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        match docker.create_container(Some(options), body).await {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(409) => self.own(spec.owner).await.map(drop),
            Err(error) => Err(refused(error)),
        }
    }
}

impl Engine for Docker {
    fn ping(&self) -> BoxFuture<'_, Result<EngineFacts, EngineError>> {
        async {
            let client = self.client()?;
            let version = tokio::time::timeout(PING, client.version()).await;
            let version = version.map_err(|_| EngineError::Unreachable(format!("no answer within {} s", PING.as_secs())))?;
            let version = version.map_err(refused)?;
            Ok(EngineFacts { version: version.version, kernel: version.kernel_version })
        }
        .boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Container>, EngineError>> {
        self.containers().boxed()
    }

    fn create<'a>(&'a self, spec: &'a ContainerSpec) -> BoxFuture<'a, Result<(), EngineError>> {
        self.create_container(spec).boxed()
    }

    fn start(&self, owner: Owner) -> BoxFuture<'_, Result<(), EngineError>> {
        async move {
            let id = self.own(owner).await?;
            self.client()?.start_container(&id, None::<StartContainerOptions>).await.map_err(refused)
        }
        .boxed()
    }

    fn stop(&self, owner: Owner, grace: Duration) -> BoxFuture<'_, Result<(), EngineError>> {
        async move {
            let id = self.own(owner).await?;
            let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
            let options = StopContainerOptionsBuilder::default().t(seconds).build();
            let client = self.client()?.with_timeout(grace + Duration::from_secs(ANSWER_SECONDS));
            match client.stop_container(&id, Some(options)).await {
                Err(error) if status(&error) == Some(304) => Ok(()),
                other => other.map_err(refused),
            }
        }
        .boxed()
    }

    fn remove(&self, owner: Owner) -> BoxFuture<'_, Result<(), EngineError>> {
        async move {
            let id = match self.own(owner).await {
                Ok(id) => id,
                Err(EngineError::NotFound) => return Ok(()),
                Err(error) => return Err(error),
            };
            // `v` takes the nameless volumes that the image declares: they were made with the container and belong to nothing else.
            let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            match self.client()?.remove_container(&id, Some(options)).await {
                // Somebody is removing it already.
                Err(error) if status(&error) == Some(409) => Ok(()),
                other => match other.map_err(refused) {
                    Ok(()) | Err(EngineError::NotFound) => Ok(()),
                    Err(error) => Err(error),
                },
            }
        }
        .boxed()
    }

    fn wait(&self, owner: Owner) -> BoxFuture<'_, Result<i64, EngineError>> {
        async move {
            let id = self.own(owner).await?;
            let client = self.client()?.with_timeout(ENDLESS);
            let ended = client.wait_container(&id, None::<WaitContainerOptions>).next().await;
            match ended {
                Some(Ok(response)) => Ok(response.status_code),
                Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => Ok(code),
                Some(Err(error)) => Err(refused(error)),
                None => Err(EngineError::Unreachable("it stopped answering while a container ran".to_owned())),
            }
        }
        .boxed()
    }

    fn logs(&self, owner: Owner, from: LogsFrom) -> BoxStream<'static, Result<EngineLine, EngineError>> {
        let client = match self.client() {
            Ok(client) => client.with_timeout(ENDLESS),
            Err(error) => return stream::iter([Err(error)]).boxed(),
        };
        let since = from.since.and_then(|at| i32::try_from(at.timestamp()).ok()).unwrap_or(0);
        let tail = from.tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string());
        let options =
            LogsOptionsBuilder::default().stdout(true).stderr(true).timestamps(true).follow(from.follow).since(since).tail(&tail).build();
        let mut lines = Lines::default();
        client
            .logs(&owner.container_name(), Some(options))
            .filter_map(move |frame| {
                let line = match frame {
                    Ok(frame) => lines.frame(frame).map(Ok),
                    Err(error) => Some(Err(refused(error))),
                };
                async { line }
            })
            .boxed()
    }

    fn usage(&self, owner: Owner, with_disk: bool) -> BoxFuture<'_, Result<Usage, EngineError>> {
        async move { usage::of(&self.client()?, &owner.container_name(), with_disk).await }.boxed()
    }

    fn changes(&self) -> BoxStream<'static, ()> {
        let Ok(client) = self.client() else { return stream::empty().boxed() };
        let mut filters = labels::filter(self.node);
        filters.insert("type".to_owned(), vec!["container".to_owned()]);
        let events = ["create", "start", "die", "oom", "destroy", "kill"];
        filters.insert("event".to_owned(), events.map(str::to_owned).to_vec());
        let options = EventsOptionsBuilder::default().filters(&filters).build();
        client.with_timeout(ENDLESS).events(Some(options)).take_while(|event| futures::future::ready(event.is_ok())).map(drop).boxed()
    }

    fn probe<'a>(&'a self, target: &'a ProbeTarget) -> BoxFuture<'a, Result<(), String>> {
        probe::probe(&self.http, target).boxed()
    }

    fn remove_image<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<(), EngineError>> {
        async move {
            // Without force the engine refuses while a container has it.
            let options = RemoveImageOptionsBuilder::default().force(false).build();
            self.client()?.remove_image(reference, Some(options), None).await.map(drop).map_err(refused)
        }
        .boxed()
    }

    fn sweep_networks<'a>(&'a self, keep: &'a BTreeSet<OrganizationId>) -> BoxFuture<'a, Result<(), EngineError>> {
        self.remove_other_networks(keep).boxed()
    }
}

fn observed(owner: Owner, container: ContainerInspectResponse) -> Container {
    let labels: HashMap<String, String> = container.config.and_then(|config| config.labels).unwrap_or_default();
    let number = |key: &str| labels.get(key).and_then(|value| value.parse().ok());
    let state = container.state.unwrap_or_default();
    let started_at = state.started_at.as_deref().and_then(timestamp);
    let condition = match state.status {
        Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::PAUSED | ContainerStateStatusEnum::RESTARTING) => {
            ContainerState::Running { started_at }
        }
        Some(ContainerStateStatusEnum::EXITED) => ContainerState::Exited {
            exit_code: state.exit_code.unwrap_or_default(),
            oom_killed: state.oom_killed.unwrap_or_default(),
            started_at,
            finished_at: state.finished_at.as_deref().and_then(timestamp),
        },
        Some(ContainerStateStatusEnum::REMOVING | ContainerStateStatusEnum::DEAD) => ContainerState::Going,
        Some(ContainerStateStatusEnum::CREATED | ContainerStateStatusEnum::EMPTY) | None => {
            let message = state.error.filter(|error| !error.is_empty());
            let exit_code = state.exit_code.unwrap_or_default();
            ContainerState::Created { failure: message.map(|message| StartFailure { message, exit_code }) }
        }
        #[allow(unreachable_patterns, reason = "the engine's API grows states")]
        Some(_) => ContainerState::Created { failure: None },
    };
    let networks = container.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let address = networks.into_values().find_map(|endpoint| endpoint.ip_address?.parse().ok());
    Container {
        id: container.id.unwrap_or_default(),
        owner,
        organization: labels.get(labels::ORGANIZATION).and_then(|id| id.parse().ok()),
        spec_hash: labels.get(labels::SPEC).cloned().unwrap_or_default(),
        stop_grace_seconds: number(labels::STOP_GRACE_SECONDS).unwrap_or(10),
        drain_seconds: number(labels::DRAIN_SECONDS).unwrap_or(1),
        port: labels.get(labels::PORT).and_then(|port| port.parse().ok()),
        state: condition,
        address,
        note: labels.get(labels::NOTE).cloned(),
    }
}

fn status(error: &bollard::errors::Error) -> Option<u16> {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// What an engine's error means. Everything that is not an answer is silence.
pub(super) fn refused(error: bollard::errors::Error) -> EngineError {
    match error {
        bollard::errors::Error::DockerResponseServerError { status_code: 404, .. } => EngineError::NotFound,
        bollard::errors::Error::DockerResponseServerError { message, .. } => EngineError::Refused(message),
        other => EngineError::Unreachable(crate::enroll::sources(&other)),
    }
}
