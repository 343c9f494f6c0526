//! An agent that speaks the protocol and pretends the rest: its containers are entries of a map.
//!
//! It keeps its record across connections, as a real one does: tasks it was given, events that were not acknowledged, what runs.

mod behaviour;
mod machine;
mod session;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use ed25519_dalek::SigningKey;
use slipway_model::{
    ApplicationId, InstanceId, NodeId,
    state::{InstanceStatus, LogStream},
};
use slipway_protocol::{BuildTask, ENROLL_PATH, EnrollResponse, LogLine, Samples};
use tokio::{sync::mpsc, task::JoinHandle};

#[allow(unused_imports, reason = "each test program uses some")]
pub use behaviour::{Behaviour, plan, process};
use machine::Record;
#[allow(unused_imports, reason = "each test program uses some")]
pub use session::{Socket, challenged, enroll_request, hear, hello, http, new_key, say, trusting};
use session::{open, talk};

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

    /// The revision and the content of the route file that it was told to place.
    pub fn file_of(&self, application: ApplicationId) -> Option<(String, String)> {
        let record = self.record();
        let route = record.desired.routes.iter().find(|route| route.application == application)?;
        Some((route.revision.clone(), route.content.clone()))
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
