//! Visitors through the real Traefik.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use slipway_agent::IngressConfig;
use slipway_agent::ingress::{self, Supervisor, Traefik};
use slipway_model::ApplicationId;
use slipway_protocol::{DesiredInstance, DesiredRoute, DesiredState, ObservedState};
use tokio_util::sync::CancellationToken;

use crate::core::plain_http;
use crate::engine_rig::{Rig, traefik};

/// A Traefik of this test's own, ended with it.
struct Ingress {
    config: IngressConfig,
    folder: std::path::PathBuf,
    stop: CancellationToken,
    handle: tokio::task::JoinHandle<()>,
}

pub fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Ingress {
    fn start(rig: &Rig, config: IngressConfig) -> Self {
        let folder = rig.folder.path().to_owned();
        let supervisor = Supervisor::new(&folder, &config).unwrap();
        let (stop, clock) = (CancellationToken::new(), Arc::clone(&rig.clock));
        let token = stop.clone();
        let handle = tokio::spawn(async move { supervisor.supervise(&*clock, token).await });
        Self { config, folder, stop, handle }
    }

    fn settings() -> IngressConfig {
        IngressConfig {
            traefik_binary: traefik(),
            web_address: free_address(),
            websecure: None,
            internal_address: free_address(),
            proxies: BTreeMap::new(),
        }
    }

    fn note(&self) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.folder.join("ingress/process.json")).unwrap()).unwrap()
    }

    async fn until_it_pings(&self) {
        let url = format!("http://{}/ping", self.config.internal_address);
        let waiting = async {
            while !plain_http().get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("Traefik does not come up");
    }

    /// The agent goes; Traefik stays.
    async fn leave(self) -> IngressConfig {
        self.stop.cancel();
        self.handle.await.unwrap();
        self.config
    }

    async fn get(&self, host: &str) -> reqwest::Result<(u16, String)> {
        let answer = plain_http().get(format!("http://{}/", self.config.web_address)).header("host", host).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }
}

/// Ends the folder's Traefik also when the test fails.
pub struct Ended<'a>(pub &'a Path);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let folder = self.0.to_owned();
        let ending = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(ingress::stop(&folder)).unwrap();
        });
        let _ = ending.join();
    }
}

pub fn route(application: ApplicationId, revision: &str, host: &str, instances: &[&DesiredInstance]) -> DesiredRoute {
    let servers: Vec<String> = instances.iter().map(|instance| format!("{{ url = \"http://@{}@:8000\" }}", instance.id)).collect();
    let content = format!(
        "[http.routers.{application}]\nrule = \"Host(`{host}`)\"\nentryPoints = [\"web\"]\nmiddlewares = [\"{application}\"]\nservice = \
         \"{application}\"\n[http.middlewares.{application}.headers.customResponseHeaders]\nx-slipway-route = \"{revision}\"\n\
         [http.services.{application}.loadBalancer]\nservers = [{}]\n",
        servers.join(", ")
    );
    DesiredRoute {
        application,
        revision: revision.into(),
        file: format!("{application}.toml"),
        content,
        hostname: host.parse().unwrap(),
        instances: instances.iter().map(|instance| instance.id).collect(),
    }
}

pub fn with_routes(mut desired: DesiredState, routes: &[&DesiredRoute]) -> DesiredState {
    desired.routes = routes.iter().map(|route| (*route).clone()).collect();
    desired
}

pub fn in_force(state: &ObservedState, application: ApplicationId, revision: &str) -> bool {
    state.routes.iter().any(|route| route.application == application && route.revision_in_force.as_deref() == Some(revision))
}

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_replaces_another_without_losing_a_request() {
    let mut rig = Rig::new().await;
    let folder = rig.folder.path().to_owned();
    let _ended = Ended(&folder);
    let ingress = Arc::new(Ingress::start(&rig, Ingress::settings()));
    let traefik = Traefik::new(&folder, &ingress.config).unwrap();
    let mut agent = rig.reconciler_with(Arc::new(traefik));
    let application = ApplicationId::new(&*rig.clock);
    let (mut old, mut new) = (rig.server("old"), rig.server("new"));
    for instance in [&mut old, &mut new] {
        instance.application = application;
        instance.env.insert("SLOW".parse().unwrap(), slipway_model::Secret::new("0.05"));
    }
    let (first, second) = (route(application, "r1", "a.test", &[&old]), route(application, "r2", "a.test", &[&new]));
    agent.record.accept(with_routes(rig.desired(std::slice::from_ref(&old)), &[&first])).unwrap();
    agent.until("r1 in force", SOON, |state| in_force(state, application, "r1")).await;
    assert_eq!(ingress.get("a.test").await.unwrap(), (200, "old".to_owned()));
    assert_eq!(ingress.get("unknown.test").await.unwrap().0, 404);

    let load_ends = Arc::new(AtomicBool::new(false));
    let visitors: Vec<_> = (0..6)
        .map(|_| {
            let (ends, ingress) = (Arc::clone(&load_ends), Arc::clone(&ingress));
            tokio::spawn(async move {
                let (mut answers, mut lost) = (Vec::new(), Vec::new());
                while !ends.load(Ordering::Relaxed) {
                    match ingress.get("a.test").await {
                        Ok((200, text)) => answers.push(text),
                        other => lost.push(format!("{other:?}")),
                    }
                }
                (answers, lost)
            })
        })
        .collect();
    agent.record.accept(with_routes(rig.desired(&[old.clone(), new.clone()]), &[&second])).unwrap();
    agent.until("r2 in force", SOON, |state| in_force(state, application, "r2")).await;
    agent.record.accept(with_routes(rig.desired(std::slice::from_ref(&new)), &[&second])).unwrap();
    rig.until_containers(1, SOON).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    load_ends.store(true, Ordering::Relaxed);
    let (mut answers, mut lost) = (Vec::new(), Vec::new());
    for visitor in visitors {
        let (more, missed) = visitor.await.unwrap();
        answers.extend(more);
        lost.extend(missed);
    }
    assert_eq!(lost, Vec::<String>::new(), "of {} requests", answers.len());
    for version in ["old", "new"] {
        assert!(answers.iter().filter(|answer| *answer == version).count() > 5, "{version} was hardly seen in {}", answers.len());
    }

    // And away.
    agent.record.accept(rig.desired(&[])).unwrap();
    rig.until_containers(0, SOON).await;
    assert_eq!(ingress.get("a.test").await.unwrap().0, 404);
    agent.stop().await;
}

#[tokio::test]
async fn a_bad_route_is_told_and_keeps_no_other_from_its_visitors() {
    let mut rig = Rig::new().await;
    let folder = rig.folder.path().to_owned();
    let _ended = Ended(&folder);
    let ingress = Ingress::start(&rig, Ingress::settings());
    let mut agent = rig.reconciler_with(Arc::new(Traefik::new(&folder, &ingress.config).unwrap()));
    let server = rig.server("well");
    let [good, broken, unknown] = [(); 3].map(|()| ApplicationId::new(&*rig.clock));
    let mut not_toml = route(broken, "r1", "broken.test", &[&server]);
    not_toml.content.push_str("[[[");
    // TOML, but Traefik refuses the whole folder for it.
    let mut not_traefik = route(unknown, "r1", "unknown.test", &[&server]);
    not_traefik.content.push_str("\n[http.nonsense]\nx = 1\n");
    agent.record.accept(with_routes(rig.desired(std::slice::from_ref(&server)), &[&not_toml, &not_traefik])).unwrap();
    let told = |state: &ObservedState, application, text: &str| {
        state.routes.iter().any(|route| route.application == application && route.problem.as_ref().is_some_and(|told| told.contains(text)))
    };
    agent.until("the TOML is refused", SOON, |state| told(state, broken, "TOML")).await;
    agent.until("Traefik's refusal is seen", SOON, |state| told(state, unknown, "did not put it in force")).await;
    let fine = route(good, "r1", "good.test", &[&server]);
    agent.record.accept(with_routes(rig.desired(std::slice::from_ref(&server)), &[&not_toml, &not_traefik, &fine])).unwrap();
    agent.until("the good one is in force", SOON, |state| in_force(state, good, "r1")).await;
    assert_eq!(ingress.get("good.test").await.unwrap(), (200, "well".to_owned()));
    agent.stop().await;
}

#[tokio::test]
async fn a_route_follows_an_instance_that_came_back_with_another_address() {
    let mut rig = Rig::new().await;
    let folder = rig.folder.path().to_owned();
    let _ended = Ended(&folder);
    let ingress = Ingress::start(&rig, Ingress::settings());
    let mut agent = rig.reconciler_with(Arc::new(Traefik::new(&folder, &ingress.config).unwrap()));
    let (server, other) = (rig.server("mine"), rig.server("other"));
    let (mine, others) =
        (route(server.application, "r1", "mine.test", &[&server]), route(other.application, "r1", "other.test", &[&other]));
    let state = with_routes(rig.desired(&[server.clone(), other.clone()]), &[&mine, &others]);
    agent.record.accept(state).unwrap();
    agent
        .until("both in force", SOON, |state| state.routes.iter().all(|route| route.revision_in_force.is_some()) && state.routes.len() == 2)
        .await;
    agent.kill().await;

    // The machine was rebooted: everything stopped, and addresses are given out in another order.
    use slipway_agent::engine::{Engine, Owner};
    for instance in [&server, &other] {
        rig.docker.stop(Owner::Instance(instance.id), Duration::from_secs(1)).await.unwrap();
    }
    rig.docker.start(Owner::Instance(other.id)).await.unwrap();
    let mut agent = rig.reconciler_with(Arc::new(Traefik::new(&folder, &ingress.config).unwrap()));
    agent.is_ready.wait_for(|ready| *ready).await.unwrap();
    for (id, host, answer) in [(server.id, "mine.test", "mine"), (other.id, "other.test", "other")] {
        agent.until_status(id, slipway_model::state::InstanceStatus::Healthy).await;
        let waiting = async {
            // Never another's answer, however long it takes.
            loop {
                match ingress.get(host).await {
                    Ok((200, text)) => break assert_eq!(text, answer),
                    _ => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        };
        tokio::time::timeout(SOON, waiting).await.unwrap();
    }
    agent.stop().await;
}

#[tokio::test]
async fn traefik_outlives_the_agent_is_taken_over_replaced_when_it_dies_and_ended_on_demand() {
    let rig = Rig::new().await;
    let folder = rig.folder.path().to_owned();
    let _ended = Ended(&folder);
    let ingress = Ingress::start(&rig, Ingress::settings());
    ingress.until_it_pings().await;
    let first = ingress.note();
    let config = ingress.leave().await;

    let ingress = Ingress::start(&rig, config);
    ingress.until_it_pings().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(ingress.note(), first, "it was taken over");

    let pid = rustix::process::Pid::from_raw(i32::try_from(first["pid"].as_i64().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let waiting = async {
        while ingress.note() == first {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, waiting).await.expect("it was not replaced");
    ingress.until_it_pings().await;
    let second = ingress.note();

    // Other settings: another process.
    let mut config = ingress.leave().await;
    config.web_address = free_address();
    let ingress = Ingress::start(&rig, config);
    let waiting = async {
        while ingress.note() == second {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, waiting).await.expect("it runs with the old settings");
    ingress.until_it_pings().await;
    assert_eq!(ingress.get("nobody.test").await.unwrap().0, 404);

    let config = ingress.leave().await;
    ingress::stop(&folder).await.unwrap();
    let answer = plain_http().get(format!("http://{}/ping", config.internal_address)).send().await;
    assert!(answer.is_err_and(|error| error.is_connect()));
}
