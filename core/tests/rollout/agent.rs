//! An agent that speaks the protocol and pretends the rest: its containers are entries of a map.
//!
//! It keeps its record across connections, as a real one does: tasks it was given, events that were not acknowledged, what runs.

use std::{
    collections::{BTreeMap, HashMap, btree_map::Entry},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use ed25519_dalek::{Signer, SigningKey};
use futures::{SinkExt, StreamExt};
use slipway_buildpack_wit::{Command, Detection, Fragment, Plan, Port, Process, ProcessKind, Tool};
use slipway_model::{
    ApplicationId, InstanceId, NodeId, Secret, TaskId,
    state::{InstanceStatus, LogStream, StepKind, StepStatus},
    system_clock,
};
use slipway_protocol::{
    AgentMessage, CA_PATH, CONNECT_PATH, BuildTask, CoreMessage, DesiredState, ENROLL_PATH, EnrollRequest, EnrollResponse, Heartbeat, Hello, LogBatch,
    LogLine, LogQuery, LogQueryId, NodeFacts, ObservedInstance, ObservedRoute, ObservedState, Outcome, PROTOCOL_VERSIONS, Samples, Task,
    TaskEvent, TaskEventKind, TaskFailure, TaskSpec, Welcome, challenge_payload,
};
use tokio::{net::TcpStream, sync::mpsc, task::JoinHandle};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config, tungstenite::Message};

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What goes on on the node.
#[derive(Debug, Clone)]
pub struct Behaviour {
    pub plan: Result<Plan, TaskFailure>,
    pub build: Result<(), TaskFailure>,
    pub release_process_exits: i64,
    /// What becomes of new containers.
    pub becomes: InstanceStatus,
    /// Tasks are taken and not finished.
    pub holds_tasks: bool,
    /// The new route is never in force.
    pub holds_routes: bool,
    /// Every message goes out twice, and events of tasks in the wrong order as well.
    pub stutters: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            plan: Ok(plan()),
            build: Ok(()),
            release_process_exits: 0,
            becomes: InstanceStatus::Healthy,
            holds_tasks: false,
            holds_routes: false,
            stutters: false,
        }
    }
}

pub fn process(name: &str, kind: ProcessKind) -> Process {
    Process {
        name: name.into(),
        kind,
        command: Command::Shell(format!("node {name}.js")),
        env: vec![],
        is_default: kind == ProcessKind::Web,
    }
}

pub fn plan() -> Plan {
    Plan {
        buildpack: "node".into(),
        detection: Detection {
            app_root: ".".into(),
            score: 90,
            framework: None,
            package_manager: None,
            reasons: vec![],
            provides: vec![],
            requires: vec![],
        },
        beside: vec![],
        fragment: Fragment {
            tools: vec![Tool {
                name: "node".into(),
                constraint: "22".into(),
                source: "package.json#engines.node".into(),
                is_default: false,
            }],
            processes: vec![process("web", ProcessKind::Web)],
            ports: vec![Port { name: "http".into(), env: "PORT".into(), default: 3000 }],
            ..Fragment::default()
        },
    }
}

#[derive(Debug, Clone)]
struct Container {
    application: ApplicationId,
    status: InstanceStatus,
    env: BTreeMap<String, String>,
}

/// What a real agent keeps on disk, and the pretended machine.
#[derive(Default)]
struct Record {
    desired: DesiredState,
    containers: BTreeMap<InstanceId, Container>,
    /// Application to revision and backends.
    routes: HashMap<ApplicationId, (String, Vec<InstanceId>)>,
    sequence: u64,
    tasks: BTreeMap<TaskId, Vec<TaskEvent>>,
    /// How often each task was begun: once, however often it is sent.
    begun: BTreeMap<TaskId, u32>,
    canceled: Vec<TaskId>,
    /// What each instance wrote.
    output: BTreeMap<InstanceId, Vec<LogLine>>,
    /// Open log queries, and how much of each instance was sent to each.
    queries: BTreeMap<LogQueryId, (LogQuery, HashMap<InstanceId, usize>)>,
    lost_requests: HashMap<ApplicationId, u32>,
    /// Measured and not sent yet.
    samples: Vec<Samples>,
    builds: Vec<BuildTask>,
}

pub struct Agent {
    pub node: NodeId,
    pub key: SigningKey,
    pub tls: Arc<rustls::ClientConfig>,
    pub address: SocketAddr,
    record: Arc<Mutex<Record>>,
    behaviour: Arc<Mutex<Behaviour>>,
    /// Closed while the network is cut.
    session: Option<JoinHandle<()>>,
    nudge: mpsc::UnboundedSender<()>,
    token: Arc<Mutex<Option<String>>>,
}

fn facts() -> NodeFacts {
    NodeFacts {
        agent_version: "0.1.0".into(),
        docker_version: Some("20.10.24".into()),
        kernel_version: Some("6.18".into()),
        cpu_millis: 4000,
        memory_bytes: 8 << 30,
        storage_bytes: 100 << 30,
        public_address: Some("127.0.0.1".into()),
    }
}

/// TLS that trusts the control plane's authority alone.
pub async fn trusting(address: SocketAddr) -> (Arc<rustls::ClientConfig>, Vec<u8>) {
    let provider = || Arc::new(rustls::crypto::ring::default_provider());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let blind = reqwest::Client::builder().danger_accept_invalid_certs(true).build().unwrap();
    let pem = blind.get(format!("https://{address}{CA_PATH}")).send().await.unwrap().bytes().await.unwrap();
    let certificate = rustls_pki_types::pem::PemObject::from_pem_slice(&pem).unwrap();
    let certificate: rustls_pki_types::CertificateDer<'static> = certificate;
    let der = certificate.to_vec();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(config), der)
}

pub fn http(tls: &Arc<rustls::ClientConfig>) -> reqwest::Client {
    reqwest::Client::builder().use_preconfigured_tls(rustls::ClientConfig::clone(tls)).build().unwrap()
}

pub fn new_key() -> SigningKey {
    let mut bytes = [0; 32];
    system_clock().fill(&mut bytes);
    SigningKey::from_bytes(&bytes)
}

pub fn enroll_request(token: &str, key: &SigningKey) -> EnrollRequest {
    EnrollRequest {
        token: Secret::new(token),
        public_key: data_encoding::HEXLOWER.encode(key.verifying_key().as_bytes()),
        name: "node-a".into(),
        facts: facts(),
    }
}

impl Agent {
    pub async fn enroll(address: SocketAddr, token: &str, behaviour: Behaviour) -> Self {
        let (tls, _) = trusting(address).await;
        let key = new_key();
        let answer = http(&tls).post(format!("https://{address}{ENROLL_PATH}")).json(&enroll_request(token, &key)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "enrolled");
        let node = answer.json::<EnrollResponse>().await.unwrap().node_id;
        let mut agent = Self {
            node,
            key,
            tls,
            address,
            record: Arc::default(),
            behaviour: Arc::new(Mutex::new(behaviour)),
            session: None,
            nudge: mpsc::unbounded_channel().0,
            token: Arc::default(),
        };
        agent.connect();
        agent
    }

    /// Goes on connecting until it is cut off.
    pub fn connect(&mut self) {
        let (nudge, mut nudged) = mpsc::unbounded_channel();
        self.nudge = nudge;
        let (node, key, tls, address) = (self.node, self.key.clone(), self.tls.clone(), self.address);
        let (record, behaviour, token) = (self.record.clone(), self.behaviour.clone(), self.token.clone());
        self.session = Some(tokio::spawn(async move {
            loop {
                if let Some((socket, welcome)) = open(address, &tls, node, &key, &record).await {
                    *token.lock().unwrap() = Some(welcome.session_token.expose().to_owned());
                    talk(socket, &record, &behaviour, &mut nudged).await;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }));
    }

    /// The network is cut; the machine goes on.
    pub fn cut(&mut self) {
        if let Some(session) = self.session.take() {
            session.abort();
        }
    }

    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
        let _ = self.nudge.send(());
    }

    /// Authorizes downloads in the present session.
    pub fn token(&self) -> String {
        self.token.lock().unwrap().clone().unwrap()
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap()
    }

    /// A container ends by itself, for good.
    pub fn crash(&self, instance: InstanceId) {
        if let Some(container) = self.record().containers.get_mut(&instance) {
            container.status = InstanceStatus::Exited;
        }
        let _ = self.nudge.send(());
    }

    pub fn containers_of(&self, application: ApplicationId) -> Vec<InstanceId> {
        let record = self.record();
        record.containers.iter().filter(|(_, container)| container.application == application).map(|(id, _)| *id).collect()
    }

    pub fn env_of(&self, instance: InstanceId) -> BTreeMap<String, String> {
        self.record().containers[&instance].env.clone()
    }

    /// The instances that the route in force leads to.
    pub fn route_of(&self, application: ApplicationId) -> Vec<InstanceId> {
        self.record().routes.get(&application).map(|(_, backends)| backends.clone()).unwrap_or_default()
    }

    pub fn lost_requests(&self, application: ApplicationId) -> u32 {
        self.record().lost_requests.get(&application).copied().unwrap_or(0)
    }

    /// An instance writes a line, at this second of the node's clock.
    pub fn write(&self, instance: InstanceId, second: i64, text: &str) {
        let at = slipway_model::Timestamp::from_timestamp(1_800_000_000 + second, 0).unwrap();
        let line = LogLine { instance, at, stream: LogStream::Stdout, message: text.into(), truncated: false };
        self.record().output.entry(instance).or_default().push(line);
    }

    /// It measured this.
    #[allow(dead_code, reason = "for the tests of the API")]
    pub fn measure(&self, samples: Samples) {
        self.record().samples.push(samples);
    }

    pub fn open_queries(&self) -> usize {
        self.record().queries.len()
    }

    pub fn tasks_begun(&self) -> Vec<u32> {
        self.record().begun.values().copied().collect()
    }

    /// What it was to build, in order.
    #[allow(dead_code, reason = "for the tests of rollouts")]
    pub fn builds(&self) -> Vec<BuildTask> {
        self.record().builds.clone()
    }

    pub fn canceled_tasks(&self) -> usize {
        self.record().canceled.len()
    }

    pub fn kept_images(&self) -> Vec<String> {
        self.record().desired.keep_images.clone()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.cut();
    }
}

/// A socket that has heard the challenge and said nothing yet.
pub async fn challenged(address: SocketAddr, tls: &Arc<rustls::ClientConfig>) -> Option<(Socket, String)> {
    let url = format!("wss://{address}{CONNECT_PATH}");
    let connector = Connector::Rustls(tls.clone());
    let (mut socket, _) = connect_async_tls_with_config(url, None, true, Some(connector)).await.ok()?;
    match hear(&mut socket).await? {
        CoreMessage::Challenge { nonce } => Some((socket, nonce)),
        other => panic!("a challenge comes first: {other:?}"),
    }
}

pub fn hello(node: NodeId, key: &SigningKey, nonce: &str) -> Hello {
    Hello {
        node,
        protocol_versions: PROTOCOL_VERSIONS,
        signature: data_encoding::HEXLOWER.encode(&key.sign(&challenge_payload(nonce, node)).to_bytes()),
        facts: facts(),
        tasks: vec![],
        generation: 0,
    }
}

pub async fn hear(socket: &mut Socket) -> Option<CoreMessage> {
    loop {
        match socket.next().await? {
            Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

pub async fn say(socket: &mut Socket, message: &AgentMessage) -> Option<()> {
    socket.send(Message::Text(serde_json::to_string(message).unwrap().into())).await.ok()
}

async fn open(
    address: SocketAddr,
    tls: &Arc<rustls::ClientConfig>,
    node: NodeId,
    key: &SigningKey,
    record: &Mutex<Record>,
) -> Option<(Socket, Welcome)> {
    let (mut socket, nonce) = challenged(address, tls).await?;
    let hello = {
        let record = record.lock().unwrap();
        Hello { tasks: record.tasks.keys().copied().collect(), generation: record.desired.generation, ..hello(node, key, &nonce) }
    };
    say(&mut socket, &AgentMessage::Hello(hello)).await?;
    match hear(&mut socket).await? {
        CoreMessage::Welcome(welcome) => Some((socket, welcome)),
        other => panic!("a welcome answers the hello: {other:?}"),
    }
}

/// What was written and not sent yet, of each open query.
fn logs(record: &mut Record) -> Vec<LogBatch> {
    let Record { output, queries, .. } = record;
    let mut batches = Vec::new();
    for (query, sent) in queries.values_mut() {
        let (mut lines, is_first) = (Vec::new(), sent.is_empty());
        for instance in &query.instances {
            let written = output.get(instance).map(Vec::as_slice).unwrap_or_default();
            let from = sent.insert(*instance, written.len()).unwrap_or_else(|| {
                let old = written.iter().take_while(|line| query.since.is_some_and(|since| line.at <= since)).count();
                query.tail.map_or(old, |tail| old.max(written.len().saturating_sub(tail as usize)))
            });
            lines.extend_from_slice(&written[from..]);
        }
        let live = query.follow && is_first && query.tail != Some(0);
        if !lines.is_empty() || live || !query.follow {
            batches.push(LogBatch { query: query.query, lines, dropped_lines: 0, live, end: !query.follow });
        }
    }
    queries.retain(|_, (query, _)| query.follow);
    batches
}

async fn talk(mut socket: Socket, record: &Mutex<Record>, behaviour: &Mutex<Behaviour>, nudged: &mut mpsc::UnboundedReceiver<()>) {
    let mut beat = tokio::time::interval(Duration::from_secs(5));
    let mut turn = tokio::time::interval(Duration::from_millis(10));
    let mut is_first = true;
    // They belong to the session that is over.
    record.lock().unwrap().queries.clear();
    loop {
        let changed = tokio::select! {
            message = hear(&mut socket) => match message {
                Some(message) => take(message, &mut record.lock().unwrap()),
                None => return,
            },
            _ = beat.tick() => {
                if say(&mut socket, &AgentMessage::Heartbeat(heartbeat())).await.is_none() {
                    return;
                }
                false
            }
            _ = turn.tick() => false,
            Some(()) = nudged.recv() => true,
        };
        let behaviour = behaviour.lock().unwrap().clone();
        let (observed, events) = {
            let mut record = record.lock().unwrap();
            let moved = work(&mut record, &behaviour);
            let observed = (moved || changed || is_first).then(|| observe(&mut record));
            // Unacknowledged events are sent again now and then; this one sends them at every turn.
            (observed, record.tasks.values().flatten().cloned().collect::<Vec<_>>())
        };
        is_first = false;
        let mut messages: Vec<AgentMessage> = events.into_iter().map(AgentMessage::Task).collect();
        messages.extend(logs(&mut record.lock().unwrap()).into_iter().map(AgentMessage::Logs));
        messages.extend(std::mem::take(&mut record.lock().unwrap().samples).into_iter().map(AgentMessage::Samples));
        if behaviour.stutters {
            let reversed: Vec<_> = messages.iter().rev().cloned().collect();
            messages = reversed.into_iter().chain(messages).collect();
        }
        if let Some(observed) = observed {
            messages.push(AgentMessage::Observed(observed.clone()));
            if behaviour.stutters {
                // And old news after the new.
                let late = ObservedState { sequence: observed.sequence.saturating_sub(1), instances: vec![], ..observed };
                messages.push(AgentMessage::Observed(late));
            }
        }
        for message in messages {
            if say(&mut socket, &message).await.is_none() {
                return;
            }
        }
    }
}

fn heartbeat() -> Heartbeat {
    Heartbeat {
        at: system_clock().now(),
        cpu_percent: 5.0,
        memory_used_bytes: 1 << 30,
        memory_total_bytes: 8 << 30,
        storage_used_bytes: 1 << 30,
        storage_total_bytes: 100 << 30,
        containers: 0,
        docker_healthy: true,
    }
}

fn take(message: CoreMessage, record: &mut Record) -> bool {
    match message {
        CoreMessage::Desired(desired) if desired.generation > record.desired.generation => {
            record.desired = desired;
            true
        }
        CoreMessage::Task(task) => {
            if let Entry::Vacant(entry) = record.begun.entry(task.id) {
                entry.insert(0);
                record.tasks.insert(task.id, vec![]);
                PENDING.lock().unwrap().insert(task.id, task);
            }
            false
        }
        CoreMessage::TaskAck { task, sequence } => {
            if let Some(events) = record.tasks.get_mut(&task) {
                let is_over =
                    events.iter().any(|event| event.sequence <= sequence && matches!(event.event, TaskEventKind::Finished { .. }));
                events.retain(|event| event.sequence > sequence);
                if is_over {
                    record.tasks.remove(&task);
                }
            }
            false
        }
        CoreMessage::LogOpen(query) => {
            record.queries.insert(query.query, (query, HashMap::new()));
            false
        }
        CoreMessage::LogClose { query } => {
            record.queries.remove(&query);
            false
        }
        CoreMessage::CancelTask { task } => {
            record.tasks.remove(&task);
            PENDING.lock().unwrap().remove(&task);
            record.canceled.push(task);
            false
        }
        _ => false,
    }
}

/// Tasks that were taken and not begun: apart from the record only because they are not cloned.
static PENDING: Mutex<BTreeMap<TaskId, Task>> = Mutex::new(BTreeMap::new());

/// One turn of the machine. `true`: something is to be observed.
fn work(record: &mut Record, behaviour: &Behaviour) -> bool {
    if !behaviour.holds_tasks {
        let mine: Vec<TaskId> = record.tasks.keys().copied().collect();
        for id in mine {
            let Some(task) = PENDING.lock().unwrap().remove(&id) else { continue };
            *record.begun.entry(id).or_default() += 1;
            record.tasks.insert(id, perform(&task, behaviour));
            if let TaskSpec::Build(build) = task.spec {
                record.builds.push(build);
            }
        }
    }
    let before = format!("{:?}{:?}", record.containers, record.routes);
    for instance in &record.desired.instances {
        record.containers.entry(instance.id).or_insert_with(|| Container {
            application: instance.application,
            status: InstanceStatus::Created,
            env: instance.env.iter().map(|(key, value)| (key.to_string(), value.expose().to_owned())).collect(),
        });
    }
    for container in record.containers.values_mut() {
        container.status = match container.status {
            InstanceStatus::Created => InstanceStatus::Starting,
            InstanceStatus::Starting => behaviour.becomes,
            other => other,
        };
    }
    if !behaviour.holds_routes {
        let wanted: HashMap<ApplicationId, (String, Vec<InstanceId>)> =
            record.desired.routes.iter().map(|route| (route.application, (route.revision.clone(), route.instances.clone()))).collect();
        let served: Vec<ApplicationId> = record.routes.keys().copied().collect();
        for application in served {
            if !wanted.contains_key(&application) {
                record.routes.remove(&application);
            }
        }
        record.routes.extend(wanted);
    }
    // The route has left what is not wanted any more, or else the drain would wait.
    let routed: Vec<InstanceId> = record.routes.values().flat_map(|(_, backends)| backends.clone()).collect();
    let wanted: Vec<InstanceId> = record.desired.instances.iter().map(|instance| instance.id).collect();
    record.containers.retain(|id, _| wanted.contains(id) || routed.contains(id));
    // A visitor comes by at every turn.
    for (application, (_, backends)) in &record.routes {
        let is_served =
            backends.iter().all(|id| record.containers.get(id).is_some_and(|container| container.status == InstanceStatus::Healthy));
        if !is_served
            && !backends.is_empty()
            && !backends.iter().any(|id| record.containers.get(id).is_some_and(|c| c.status == InstanceStatus::Exited))
        {
            *record.lost_requests.entry(*application).or_default() += 1;
        }
    }
    before != format!("{:?}{:?}", record.containers, record.routes)
}

fn observe(record: &mut Record) -> ObservedState {
    record.sequence += 1;
    let instances = record.containers.iter().map(|(id, container)| {
        let has_failed = container.status == InstanceStatus::Exited;
        ObservedInstance {
            id: *id,
            status: container.status,
            container_id: Some(format!("c-{id}")),
            address: Some("10.0.0.2:3000".into()),
            started_at: None,
            finished_at: None,
            exit_code: has_failed.then_some(1),
            oom_killed: false,
            restart_count: 0,
            reason: has_failed.then(|| "it ended 4 times in 5 minutes".into()),
            last_lines: if has_failed { vec!["Error: no such table".into()] } else { vec![] },
        }
    });
    let instances = instances.collect();
    let routes = record.routes.iter().map(|(application, (revision, _))| ObservedRoute {
        application: *application,
        revision_in_force: Some(revision.clone()),
        problem: None,
    });
    ObservedState { generation: record.desired.generation, sequence: record.sequence, instances, routes: routes.collect() }
}

fn perform(task: &Task, behaviour: &Behaviour) -> Vec<TaskEvent> {
    let step = |step, status| TaskEventKind::Step { step, status, message: None };
    let log = |line: &str| TaskEventKind::Log { lines: vec![line.to_owned()] };
    let (mut kinds, outcome) = match &task.spec {
        TaskSpec::Plan(_) => (
            vec![step(StepKind::FetchSource, StepStatus::Running), log("fetched"), step(StepKind::FetchSource, StepStatus::Succeeded)],
            match &behaviour.plan {
                Ok(plan) => Outcome::Planned {
                    plan: plan.clone(),
                    commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
                    commit_message: Some("Open the shop".into()),
                },
                Err(failure) => Outcome::Failed(failure.clone()),
            },
        ),
        TaskSpec::Build(build) => (
            vec![step(StepKind::Build, StepStatus::Running), log("building"), log("built")],
            match &behaviour.build {
                Ok(()) => built(build.image.clone()),
                Err(failure) => Outcome::Failed(failure.clone()),
            },
        ),
        TaskSpec::Pull(pull) => (vec![log("pulled")], built(pull.image.to_string())),
        TaskSpec::Run(_) => (vec![log("migrated")], Outcome::Ran { exit_code: behaviour.release_process_exits }),
    };
    kinds.push(TaskEventKind::Finished { outcome });
    let events = kinds.into_iter().zip(1..).map(|(event, sequence)| TaskEvent { task: task.id, sequence, at: system_clock().now(), event });
    events.collect()
}

fn built(image: String) -> Outcome {
    let (digest, exposed_ports, from_cache) = ("sha256:0".into(), vec![8000], Some(true));
    Outcome::Built { image, digest, image_bytes: 1 << 20, exposed_ports, log_truncated: false, from_cache }
}
