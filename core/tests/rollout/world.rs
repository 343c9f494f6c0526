//! One control plane, its database and its directory, which outlive each start of it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use slipway_core::{
    Config, Core, Platform, Setting,
    applications::{self, NewApplication},
    billing::{Mode, Settings},
    crash::CrashPoints,
    deployments::{self, DeployRequest},
    nodes, start_in,
};
use slipway_model::{
    ApplicationId, BuildConfig, Clock, Currency, DeploymentId, GitSource, ManualClock, OperationId, Source, Viewer,
    state::{ApplicationStatus, DeploymentStatus, DeploymentTrigger, OperationStatus},
    system_clock,
};
use slipway_store::{
    Page,
    applications::Application,
    deployments::Deployment,
    instances::{self, Instance},
    operations::Operation,
    organizations, plans, regions,
};
use slipway_store_testing::TestDatabase;
use tempfile::TempDir;

use crate::{
    agent::{Agent, Behaviour},
    built,
};

pub const EVERYBODY: &Viewer = &Viewer::Platform;
/// Far longer than anything takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct World {
    pub database: TestDatabase,
    pub clock: ManualClock,
    pub config: Config,
    _directory: TempDir,
    core: Option<Core>,
}

impl World {
    pub async fn new() -> Self {
        Self::on(TestDatabase::sqlite().await).await
    }

    pub async fn on(database: TestDatabase) -> Self {
        Self::with(database, CrashPoints::default()).await
    }

    pub async fn with(database: TestDatabase, crash: CrashPoints) -> Self {
        Self::set_up(database, crash, |_| {}).await
    }

    /// On a platform where organizations pay, and top up their wallets themselves.
    pub async fn prepaid(database: TestDatabase) -> Self {
        let billing = Settings { mode: Mode::Prepaid, customers_top_up: true };
        Self::set_up(database, CrashPoints::default(), |config| config.billing = billing).await
    }

    pub async fn set_up(database: TestDatabase, crash: CrashPoints, change: impl FnOnce(&mut Config)) -> Self {
        // Shown with a test that fails.
        let _ = tracing_subscriber::fmt().with_env_filter("slipway_core=debug,slipway_store=debug").with_test_writer().try_init();
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config {
            data_dir: directory.path().join("data"),
            listen: "127.0.0.1:0".parse().unwrap(),
            agent_listen: "127.0.0.1:0".parse().unwrap(),
            agent_hosts: vec!["127.0.0.1".into()],
            public_url: "http://127.0.0.1".parse().unwrap(),
            platform_domain: "apps.example".parse().unwrap(),
            ingress_port: None,
            currency: Currency::EUR,
            billing: Settings::default(),
            database_url: database.url.clone(),
            plugins_dir: built::plugins(),
            program: built::program(),
            points_per_minute: u32::MAX,
            answer_within: Config::USUAL_ANSWER_WITHIN,
            trusted_proxies: Vec::new(),
            development: true,
        };
        change(&mut config);
        let clock = ManualClock::at(system_clock().now());
        let mut world = Self { database, clock, config, _directory: directory, core: None };
        world.start(crash).await;
        // From now on agents find it where they found it.
        world.config.agent_listen = world.core().agent_address();
        world
    }

    /// Time stands still unless a test moves it.
    pub async fn start(&mut self, crash: CrashPoints) {
        let setting = Setting { clock: Arc::new(self.clock.clone()), crash };
        self.core = Some(start_in(self.config.clone(), setting).await.unwrap());
    }

    /// Another control plane on the same database, with a data directory of its own.
    pub async fn second(&self) -> (Core, TempDir) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::copy(self.config.data_dir.join("secret.key"), directory.path().join("secret.key")).unwrap();
        let mut config = Config { data_dir: directory.path().to_owned(), ..self.config.clone() };
        config.agent_listen.set_port(0);
        let setting = Setting { clock: Arc::new(self.clock.clone()), crash: CrashPoints::default() };
        (start_in(config, setting).await.unwrap(), directory)
    }

    /// Ends the control plane as a crash would, and starts another one.
    pub async fn restart(&mut self) {
        self.core = None;
        self.start(CrashPoints::default()).await;
    }

    pub async fn restart_with(&mut self, crash: CrashPoints) {
        self.core = None;
        self.start(crash).await;
    }

    /// The control plane ends, and its database stays open: a test takes the workers' place.
    pub async fn stop_workers(&mut self) {
        self.core = None;
        // A step under way is dropped with its transaction.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    pub fn core(&self) -> &Core {
        self.core.as_ref().unwrap()
    }

    pub fn platform(&self) -> Platform {
        self.core().platform().clone()
    }

    pub async fn join_token(&self) -> nodes::NewToken {
        let mut tx = self.database.db.read().await.unwrap();
        let region = regions::list(&mut tx, false, &Page::first(1)).await.unwrap().items.remove(0);
        drop(tx);
        nodes::enrollment_token_create(&self.platform(), EVERYBODY, region.id, None, 600).await.unwrap()
    }

    /// A connected node, on which everything goes well.
    pub async fn agent(&self) -> Agent {
        self.agent_that(Behaviour::default()).await
    }

    pub async fn agent_that(&self, behaviour: Behaviour) -> Agent {
        self.agent_at(self.core().agent_address(), behaviour).await
    }

    /// The same, connected to one of several control planes.
    pub async fn agent_at(&self, address: SocketAddr, behaviour: Behaviour) -> Agent {
        let token = self.join_token().await;
        let agent = Agent::enroll(address, token.token.expose(), behaviour).await;
        self.eventually("the node is online", async || {
            let node = slipway_store::nodes::find(&mut self.database.db.read().await.unwrap(), agent.node).await.unwrap().unwrap();
            (node.last_heartbeat_at.is_some() && node.memory_used_bytes > 0).then_some(())
        })
        .await;
        agent
    }

    pub async fn application(&self, slug: &str) -> Application {
        self.application_on(slug, "small", 1).await
    }

    pub async fn application_on(&self, slug: &str, plan: &str, instances: i64) -> Application {
        let mut tx = self.database.db.read().await.unwrap();
        let organization = organizations::list(&mut tx, EVERYBODY, &Page::first(1)).await.unwrap().items.remove(0);
        let region = regions::list(&mut tx, false, &Page::first(1)).await.unwrap().items.remove(0);
        let plan = plans::by_slug(&mut tx, &plan.parse().unwrap()).await.unwrap().unwrap();
        drop(tx);
        let git = GitSource { repository_url: "https://git.example/shop.git".parse().unwrap(), branch: "main".parse().unwrap() };
        let new = NewApplication {
            organization: organization.id,
            name: slug.to_owned(),
            slug: Some(slug.to_owned()),
            plan: plan.id,
            region: region.id,
            runtime: None,
            source: Some(Source::Git(git)),
            build_config: BuildConfig::default(),
            health_check: None,
            variables: vec![],
            auto_deploy: false,
            instances,
        };
        applications::create(&self.platform(), EVERYBODY, new).await.unwrap()
    }

    /// A moment later than whatever was asked before.
    pub async fn deploy(&self, application: ApplicationId) -> (Deployment, Operation) {
        self.clock.advance(chrono::TimeDelta::milliseconds(1));
        deployments::request(&self.platform(), EVERYBODY, deploy(application)).await.unwrap()
    }

    /// Deploys, and waits until it is live.
    pub async fn deploy_live(&self, application: ApplicationId) -> Deployment {
        let (deployment, operation) = self.deploy(application).await;
        let live = self.deployment_is(deployment.id, DeploymentStatus::Live).await;
        self.operation_is(operation.id, OperationStatus::Succeeded).await;
        live
    }

    pub async fn eventually<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let until = std::time::Instant::now() + PATIENCE;
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            if std::time::Instant::now() >= until {
                panic!("not within {PATIENCE:?}: {what}; it is {:?} with {:#?}", self.clock.now(), self.unfinished().await);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn unfinished(&self) -> Vec<Operation> {
        let mut tx = self.database.db.read().await.unwrap();
        let statuses = [OperationStatus::Queued, OperationStatus::Running];
        slipway_store::operations::list(&mut tx, EVERYBODY, Some(&statuses), &Page::first(10)).await.unwrap().items
    }

    pub async fn deployment(&self, id: DeploymentId) -> Deployment {
        slipway_store::deployments::find(&mut self.database.db.read().await.unwrap(), EVERYBODY, id).await.unwrap().unwrap()
    }

    pub async fn deployment_is(&self, id: DeploymentId, status: DeploymentStatus) -> Deployment {
        let mut last = None;
        let reached = async {
            loop {
                let deployment = self.deployment(id).await;
                let ended = deployment.status.is_terminal();
                last = Some(deployment.clone());
                if deployment.status == status || ended {
                    return deployment;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let Ok(reached) = tokio::time::timeout(PATIENCE, reached).await else {
            let last = last.map(|deployment| (deployment.status, deployment.application_id));
            let instances = match last {
                Some((_, application)) => self.instances(application).await,
                None => vec![],
            };
            let nodes = slipway_store::nodes::all(&mut self.database.db.read().await.unwrap()).await.unwrap();
            panic!("not within {PATIENCE:?}: {status}; it is {last:?} with {:#?}, {instances:#?}, {nodes:#?}", self.unfinished().await);
        };
        assert_eq!(reached.status, status, "{:?}", reached.failure);
        reached
    }

    pub async fn operation_is(&self, id: OperationId, status: OperationStatus) -> Operation {
        self.eventually(&format!("the operation is {status}"), async || {
            let operation =
                slipway_store::operations::find(&mut self.database.db.read().await.unwrap(), EVERYBODY, id).await.unwrap().unwrap();
            (operation.status == status).then_some(operation)
        })
        .await
    }

    pub async fn application_now(&self, id: ApplicationId) -> Application {
        let mut tx = self.database.db.read().await.unwrap();
        slipway_store::applications::by_ids(&mut tx, EVERYBODY, &[id]).await.unwrap().remove(&id).unwrap()
    }

    pub async fn application_is(&self, id: ApplicationId, status: ApplicationStatus) -> Application {
        self.eventually(&format!("the application is {status}"), async || {
            Some(self.application_now(id).await).filter(|application| application.status == status)
        })
        .await
    }

    /// Every instance that the application ever had, oldest first.
    pub async fn instances(&self, application: ApplicationId) -> Vec<Instance> {
        let mut tx = self.database.db.read().await.unwrap();
        let mut rows = instances::of_application(&mut tx, EVERYBODY, application, &Page::first(100)).await.unwrap().items;
        rows.sort_by(|a, b| (a.created_at, &a.process, a.instance_index).cmp(&(b.created_at, &b.process, b.instance_index)));
        rows
    }

    pub async fn serving(&self, application: ApplicationId) -> Vec<Instance> {
        self.instances(application).await.into_iter().filter(|row| row.routed).collect()
    }

    pub async fn build_log(&self, deployment: DeploymentId) -> Vec<String> {
        let lines = deployments::build_log(&self.platform(), EVERYBODY, deployment, 0, 10_000).await.unwrap();
        lines.into_iter().map(|line| line.message).collect()
    }

    pub async fn event_kinds(&self, application: ApplicationId) -> Vec<String> {
        let mut tx = self.database.db.read().await.unwrap();
        let page = Page::first(100);
        let mut events = slipway_store::events::of_each_application(&mut tx, EVERYBODY, &[application], &page).await.unwrap();
        in_order(events.remove(&application).map(|slice| slice.items).unwrap_or_default())
    }

    pub async fn platform_event_kinds(&self) -> Vec<String> {
        let mut tx = self.database.db.read().await.unwrap();
        let events = slipway_store::events::list(&mut tx, EVERYBODY, None, &Page::first(100)).await.unwrap();
        in_order(events.items.into_iter().filter(|event| event.organization_id.is_none()).collect())
    }

    /// After every run: one release serves at most, what is desired runs, and nothing else does.
    pub async fn check(&self, agent: &Agent, application: ApplicationId) {
        self.eventually("containers equal instances", async || {
            let desired: Vec<_> = {
                let mut ids: Vec<_> = self.instances(application).await.into_iter().filter(|row| row.desired).map(|row| row.id).collect();
                ids.sort();
                ids
            };
            (agent.containers_of(application) == desired).then_some(())
        })
        .await;
        self.eventually("every operation ends", async || {
            let mut tx = self.database.db.read().await.unwrap();
            slipway_store::operations::unfinished_of(&mut tx, application).await.unwrap().is_empty().then_some(())
        })
        .await;
        let serving = self.serving(application).await;
        let mut releases: Vec<_> = serving.iter().map(|row| row.release_id).collect();
        releases.dedup();
        assert!(releases.len() <= 1, "one release serves: {serving:#?}");
        let mut tx = self.database.db.read().await.unwrap();
        let live: Vec<_> = slipway_store::deployments::in_states(&mut tx, application, &[DeploymentStatus::Live])
            .await
            .unwrap()
            .into_iter()
            .map(|d| d.id)
            .collect();
        assert!(live.len() <= 1, "one deployment is live: {live:?}");
        assert_eq!(agent.lost_requests(application), 0, "at every moment somebody served");
    }
}

/// While the clock stands still, only their numbers tell which came first.
fn in_order(mut events: Vec<slipway_store::events::Event>) -> Vec<String> {
    events.sort_by_key(|event| event.sequence);
    events.into_iter().map(|event| event.kind).collect()
}

pub fn deploy(application: ApplicationId) -> DeployRequest {
    DeployRequest { application, source: None, fresh: false, idempotency_key: None, trigger: DeploymentTrigger::Manual }
}

/// For `Clock` methods on a manual clock.
pub fn forward(world: &World, seconds: i64) {
    world.clock.advance(chrono::TimeDelta::seconds(seconds));
    let _ = world.clock.now();
    world.platform().wake.wake();
}
