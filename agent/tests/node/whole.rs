//! All of it together: the core's word over a session, containers on the engine, visitors through Traefik; and an engine that hangs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use slipway_agent::{AgentError, Config, Identity, IngressConfig, purge, run, stop_ingress};
use slipway_model::state::InstanceStatus;
use slipway_model::system_clock;
use slipway_protocol::{AgentMessage, CoreMessage, DesiredState, ObservedState};
use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::core::{Peer, TinyCore, plain_http, quick};
use crate::engine_rig::{Rig, SOCKET, traefik};
use crate::routes::{Ended, free_address, in_force, route, with_routes};

fn config(core: &TinyCore, folder: &Path, docker_socket: &Path) -> Config {
    Config {
        data_dir: folder.to_owned(),
        core_url: core.url.clone(),
        docker_socket: docker_socket.to_owned(),
        ingress: IngressConfig {
            traefik_binary: traefik(),
            web_address: free_address(),
            websecure: None,
            internal_address: free_address(),
            proxies: std::collections::BTreeMap::new(),
        },
        node_name: "whole".into(),
        ca_bundle: None,
        buildpack_compiler: None,
        allow_private_sources: false,
        allowed_sources: slipway_outbound::Policy::public(),
        public_address: None,
        timing: quick(),
    }
}

struct Agent {
    stop: CancellationToken,
    handle: JoinHandle<Result<(), AgentError>>,
}

impl Agent {
    fn start(config: &Config) -> Self {
        let stop = CancellationToken::new();
        let handle = tokio::spawn(run(config.clone(), system_clock(), stop.clone()));
        Self { stop, handle }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.handle.await.unwrap().unwrap();
    }
}

async fn until_observed(peer: &mut Peer, so: impl Fn(&ObservedState) -> bool) -> ObservedState {
    let waiting = peer.until(|message| match message {
        AgentMessage::Observed(state) if so(&state) => Some(state),
        _ => None,
    });
    waiting.await
}

async fn get(web: SocketAddr, host: &str) -> reqwest::Result<(u16, String)> {
    let answer = plain_http().get(format!("http://{web}/")).header("host", host).send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_core_wants_is_served_and_goes_on_being_served_without_core_and_agent() {
    let mut rig = Rig::new().await;
    let core = TinyCore::new().await;
    let folder = rig.folder.path().to_owned();
    let (node, _) = core.enrolled(&folder, &*rig.clock);
    rig.takes_over(node);
    let _ended = Ended(&folder);
    let config = config(&core, &folder, Path::new(SOCKET));
    let web = config.ingress.web_address;

    let agent = Agent::start(&config);
    let (mut peer, _) = core.session(&*rig.clock).await;
    let server = rig.server("served");
    let route = route(server.application, "r1", "whole.test", &[&server]);
    peer.send(CoreMessage::Desired(with_routes(rig.desired(std::slice::from_ref(&server)), &[&route]))).await;
    until_observed(&mut peer, |state| in_force(state, server.application, "r1")).await;
    assert_eq!(get(web, "whole.test").await.unwrap(), (200, "served".to_owned()));

    let second = run(config.clone(), system_clock(), CancellationToken::new()).await;
    assert!(matches!(second, Err(AgentError::AlreadyRunning(_))), "{second:?}");

    agent.stop().await;
    drop(peer);
    assert_eq!(get(web, "whole.test").await.unwrap(), (200, "served".to_owned()), "without an agent");

    let agent = Agent::start(&config);
    let (mut peer, hello) = core.session(&*rig.clock).await;
    assert_eq!(hello.generation, 1);
    assert!(hello.facts.docker_version.is_some() || hello.facts.cpu_millis > 0);
    let state = until_observed(&mut peer, |state| in_force(state, server.application, "r1")).await;
    assert_eq!(state.instances[0].restart_count, 0, "it was taken over, not started again");
    agent.stop().await;

    stop_ingress(&config).await.unwrap();
    assert!(get(web, "whole.test").await.is_err());
    assert_eq!(purge(&folder, Path::new(SOCKET)).await.unwrap().containers, 1);
    assert!(Identity::load(&folder).unwrap().is_some(), "it is still the same node");
}

/// Stands between the agent and the engine, and can stand still.
fn hanging_engine(path: &Path, hangs: Arc<AtomicBool>) -> JoinHandle<()> {
    let listener = UnixListener::bind(path).unwrap();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let hangs = Arc::clone(&hangs);
            tokio::spawn(async move {
                while hangs.load(Ordering::SeqCst) {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                let mut engine = UnixStream::connect(SOCKET).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut engine).await;
            });
        }
    })
}

/// F11.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_hangs_is_told_soon_and_nothing_is_double_afterwards() {
    let mut rig = Rig::new().await;
    let core = TinyCore::new().await;
    let folder = rig.folder.path().to_owned();
    let (node, _) = core.enrolled(&folder, &*rig.clock);
    rig.takes_over(node);
    let _ended = Ended(&folder);
    let hangs = Arc::new(AtomicBool::new(false));
    let socket = folder.join("engine.sock");
    let proxy = hanging_engine(&socket, Arc::clone(&hangs));
    let agent = Agent::start(&config(&core, &folder, &socket));
    let (mut peer, _) = core.session(&*rig.clock).await;
    let (first, second) = (rig.server("one"), rig.server("two"));
    peer.send(CoreMessage::Desired(rig.desired(std::slice::from_ref(&first)))).await;
    until_observed(&mut peer, |state| state.instances.iter().any(|seen| seen.status == InstanceStatus::Healthy)).await;

    hangs.store(true, Ordering::SeqCst);
    let since = std::time::Instant::now();
    let both: DesiredState = rig.desired(&[first.clone(), second.clone()]);
    peer.send(CoreMessage::Desired(both)).await;
    peer.until(|message| matches!(message, AgentMessage::Heartbeat(beat) if !beat.docker_healthy).then_some(())).await;
    assert!(since.elapsed() < Duration::from_secs(15), "told after {:?}", since.elapsed());

    hangs.store(false, Ordering::SeqCst);
    peer.until(|message| matches!(message, AgentMessage::Heartbeat(beat) if beat.docker_healthy).then_some(())).await;
    let healthy = |state: &ObservedState| state.instances.iter().filter(|seen| seen.status == InstanceStatus::Healthy).count();
    let state = loop {
        // A hanging start may take longer than one look's patience.
        let state = peer.until(|message| if let AgentMessage::Observed(state) = message { Some(state) } else { None }).await;
        if healthy(&state) == 2 {
            break state;
        }
    };
    assert!(state.instances.iter().all(|seen| seen.restart_count == 0));
    rig.until_containers(2, Duration::from_secs(1)).await;
    agent.stop().await;
    proxy.abort();
}
