//! One node of its own on the machine's Docker engine: an id that nobody else has, and everything removed at the end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use slipway_agent::docker::Docker;
use slipway_agent::engine::{Engine, Owner};
use slipway_agent::ingress::Ingress;
use slipway_agent::reconcile::{Reconciler, Signals};
use slipway_agent::record::Record;
use slipway_agent::{Steady, sim};
use slipway_model::state::InstanceStatus;
use slipway_model::{
    ApplicationId, Clock, DeploymentId, HealthCheck, InstanceId, NodeId, OrganizationId, ReleaseId, Resources, Secret, system_clock,
};
use slipway_protocol::{DesiredInstance, DesiredState, ObservedInstance, ObservedState};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub const SOCKET: &str = "/var/run/docker.sock";
pub const IMAGE: &str = "python:3.13-slim";

/// Answers every request with its first argument; ends politely on SIGTERM.
pub const SERVER: &str = r#"
import http.server, os, signal, sys, time
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        time.sleep(float(os.environ.get("SLOW", "0")))
        body = sys.argv[1].encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        if self.command != "HEAD": self.wfile.write(body)
    do_HEAD = do_GET
    def log_message(self, *a): pass
class S(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = False
signal.signal(signal.SIGTERM, lambda *a: sys.exit(0))
print("listening", flush=True)
S(("", int(os.environ["PORT"])), H).serve_forever()
"#;

pub struct Rig {
    pub node: NodeId,
    pub organization: OrganizationId,
    pub docker: Arc<Docker>,
    pub clock: Arc<dyn Clock>,
    pub folder: tempfile::TempDir,
    generation: u64,
}

impl Rig {
    pub async fn new() -> Self {
        let clock = system_clock();
        let node = NodeId::new(&*clock);
        let docker = Arc::new(Docker::new(Path::new(SOCKET), node).unwrap());
        assert!(docker.ping().await.is_ok(), "Docker engine needed: run setup/docker.sh");
        assert!(raw().inspect_image(IMAGE).await.is_ok(), "the image {IMAGE} is needed: run setup/images.sh");
        let organization = OrganizationId::new(&*clock);
        Self { node, organization, docker, clock, folder: tempfile::tempdir().unwrap(), generation: 0 }
    }

    /// Looks at, and tidies up after, this node instead of one of its own.
    pub fn takes_over(&mut self, node: NodeId) {
        self.node = node;
        self.docker = Arc::new(Docker::new(Path::new(SOCKET), node).unwrap());
    }

    pub fn engine(&self) -> Arc<dyn Engine> {
        Arc::clone(&self.docker) as _
    }

    /// A server that says `answer`.
    pub fn server(&self, answer: &str) -> DesiredInstance {
        self.instance(&["python3", "-u", "-c", SERVER, answer], Some(8000))
    }

    pub fn instance(&self, command: &[&str], port: Option<u16>) -> DesiredInstance {
        DesiredInstance {
            id: InstanceId::new(&*self.clock),
            application: ApplicationId::new(&*self.clock),
            organization: self.organization,
            deployment: DeploymentId::new(&*self.clock),
            release: ReleaseId::new(&*self.clock),
            process: "web".into(),
            image: IMAGE.into(),
            command: Some(command.iter().map(|word| (*word).to_owned()).collect()),
            env: BTreeMap::from([("GREETING".parse().unwrap(), Secret::new("hello"))]),
            port,
            resources: Resources { cpu_millis: 500, memory_bytes: 128 << 20, storage_bytes: 0 },
            health: HealthCheck { path: port.map(|_| "/".to_owned()), interval_seconds: 1, grace_seconds: 60, ..HealthCheck::default() },
            stop_grace_seconds: 5,
            drain_seconds: 2,
            restart: slipway_model::state::RestartPolicy::Always,
        }
    }

    /// A higher generation each time.
    pub fn desired(&mut self, instances: &[DesiredInstance]) -> DesiredState {
        self.generation += 1;
        DesiredState { generation: self.generation, instances: instances.to_vec(), ..DesiredState::default() }
    }

    /// An agent's reconciler, over this rig's record and a pretend ingress.
    pub fn reconciler(&self) -> Running {
        self.reconciler_with(Arc::new(sim::Ingress::default()))
    }

    pub fn reconciler_with(&self, ingress: Arc<dyn Ingress>) -> Running {
        let record = Arc::new(Record::open(self.folder.path()).unwrap());
        let (observed, seen) = watch::channel(None);
        let (ready, is_ready) = watch::channel(false);
        let (tasks, task_containers) = watch::channel(BTreeMap::new());
        let ingress_problem = watch::channel(None).1;
        let signals = Signals { observed, containers: watch::Sender::new(0), ready, tasks: task_containers, ingress_problem };
        let every = Duration::from_secs(1);
        let reconciler = Reconciler::new(self.engine(), ingress, Arc::clone(&record), Steady::new(&*self.clock), every, signals).unwrap();
        let stop = CancellationToken::new();
        let handle = tokio::spawn(reconciler.run(stop.clone()));
        Running { record, seen, is_ready, stop, handle, _tasks: tasks }
    }

    /// Waits until the engine shows this many containers of the node.
    pub async fn until_containers(&self, count: usize, patience: Duration) {
        let waiting = async {
            while self.docker.list().await.unwrap().len() != count {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(patience, waiting).await.unwrap_or_else(|_| panic!("never {count} containers"));
    }
}

/// What a test made is gone when it ends, also when it fails.
impl Drop for Rig {
    fn drop(&mut self) {
        let (docker, node) = (Arc::clone(&self.docker), self.node);
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                // A connection belongs to the runtime that opened it.
                drop(docker);
                let docker = Docker::new(Path::new(SOCKET), node).unwrap();
                for container in docker.list().await.unwrap_or_default() {
                    let _ = docker.remove(container.owner).await;
                }
                let _ = docker.sweep_networks(&Default::default()).await;
            });
        });
        let _ = cleaning.join();
    }
}

/// A reconciler at work.
pub struct Running {
    pub record: Arc<Record>,
    seen: watch::Receiver<Option<Arc<ObservedState>>>,
    pub is_ready: watch::Receiver<bool>,
    stop: CancellationToken,
    handle: tokio::task::JoinHandle<()>,
    _tasks: watch::Sender<BTreeMap<slipway_model::TaskId, OrganizationId>>,
}

impl Running {
    /// Waits until what is reported is so.
    pub async fn until(&mut self, what: &str, patience: Duration, so: impl Fn(&ObservedState) -> bool) -> ObservedState {
        let met = tokio::time::timeout(patience, self.seen.wait_for(|state| state.as_deref().is_some_and(&so))).await;
        let met = met.map(|state| state.unwrap().as_deref().unwrap().clone());
        met.unwrap_or_else(|_| panic!("{what}: never so; last seen {:#?}", self.seen.borrow()))
    }

    pub async fn until_status(&mut self, instance: InstanceId, status: InstanceStatus) -> ObservedInstance {
        let find = move |state: &ObservedState| state.instances.iter().find(|seen| seen.id == instance && seen.status == status).cloned();
        let state = self.until(&format!("{instance} {status}"), Duration::from_secs(90), |state| find(state).is_some()).await;
        find(&state).unwrap()
    }

    /// As when the agent's process is killed: nothing is tidied up.
    pub async fn kill(self) {
        self.handle.abort();
        let _ = self.handle.await;
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.handle.await.unwrap();
    }
}

/// The engine's own client, to look at what was made.
pub fn raw() -> bollard::Docker {
    bollard::Docker::connect_with_unix(SOCKET, 30, bollard::API_DEFAULT_VERSION).expect("Docker engine needed: run setup/docker.sh")
}

/// All that a container printed so far.
pub async fn output(engine: &dyn Engine, instance: InstanceId) -> Vec<String> {
    slipway_agent::engine::last_lines(engine, Owner::Instance(instance)).await
}

pub fn traefik() -> PathBuf {
    let default = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/slipway/bin/traefik");
    let path = std::env::var_os("SLIPWAY_TRAEFIK").map_or_else(default, PathBuf::from);
    assert!(path.exists(), "Traefik needed: run setup/traefik.sh");
    path
}
