//! An agent with a pretend engine, for tests of the core with hundreds of nodes: session, tasks, record and reconciler are the real
//! ones; containers, builds and the ingress are pretended.

mod engine;
mod ingress;
mod runner;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use slipway_model::{Clock, Secret};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, IngressConfig, Timing};
use crate::images::Ledger;
use crate::record::Record;
use crate::run::{AgentError, Parts, data, lock_folder, until_the_end};
use crate::tasks::Dispatcher;
use crate::{EnrollError, Identity, enroll};

pub use engine::{Behaviour, Engine};
pub use ingress::Ingress;
pub use runner::{Builds, OutcomeOf};

/// One pretend node. What it shares with its handles can be changed while it runs.
pub struct Agent {
    config: Config,
    clock: Arc<dyn Clock>,
    pub engine: Arc<Engine>,
    pub ingress: Arc<Ingress>,
    builds: Arc<Builds>,
}

impl Agent {
    /// A node that keeps its record in `data_dir` and answers builds as `builds` says.
    #[must_use]
    pub fn new(core_url: url::Url, data_dir: PathBuf, name: &str, timing: Timing, builds: Builds, clock: Arc<dyn Clock>) -> Self {
        let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let config = Config {
            docker_socket: data_dir.join("no.sock"),
            data_dir,
            core_url,
            ingress: IngressConfig {
                traefik_binary: PathBuf::new(),
                web_address: nowhere,
                websecure: None,
                internal_address: nowhere,
                proxies: BTreeMap::new(),
            },
            node_name: name.to_owned(),
            ca_bundle: None,
            buildpack_compiler: None,
            allow_private_sources: false,
            allowed_sources: slipway_outbound::Policy::public(),
            public_address: Some("127.0.0.1".to_owned()),
            timing,
        };
        let engine = Arc::new(Engine::new(Arc::clone(&clock)));
        Self { config, clock, engine, ingress: Arc::new(Ingress::default()), builds: Arc::new(builds) }
    }

    /// # Errors
    /// As [`crate::enroll`].
    pub async fn enroll(&self, token: &Secret) -> Result<Identity, EnrollError> {
        enroll(&self.config, token, &*self.clock).await
    }

    /// Runs until `shutdown`. The pretend containers go on, for the next run of the same node.
    ///
    /// # Errors
    /// As [`crate::run`].
    pub async fn run(&self, shutdown: CancellationToken) -> Result<(), AgentError> {
        let identity = Identity::load(&self.config.data_dir)?.ok_or(AgentError::NotEnrolled)?;
        let _lock = lock_folder(&self.config.data_dir)?;
        let engine: Arc<dyn crate::engine::Engine> = Arc::clone(&self.engine) as _;
        let parts = Parts {
            config: self.config.clone(),
            identity,
            clock: Arc::clone(&self.clock),
            runner: Arc::new(Dispatcher { engine: Arc::clone(&engine), builder: Arc::clone(&self.builds) as _ }),
            engine,
            record: Arc::new(Record::open(&self.config.data_dir)?),
            ingress: Arc::clone(&self.ingress) as _,
            ingress_problem: watch::channel(None).1,
            ledger: Arc::new(Ledger::open(&self.config.data_dir).map_err(|source| data(&self.config, source))?),
            token: watch::Sender::new(None),
        };
        let running = parts.start(watch::Sender::new(false), &shutdown)?;
        until_the_end(running, shutdown).await
    }
}
