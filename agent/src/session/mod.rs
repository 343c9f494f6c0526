//! The agent's one connection to the core: opened, kept, lost and opened again.

mod connect;
mod talk;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use slipway_model::{Clock, NodeId, Secret};
use slipway_protocol::{AgentMessage, ObservedState, Samples, close};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::engine::{Engine, EngineFacts};
use crate::record::Record;
use crate::tasks::Tasks;
use crate::{Config, Identity, IdentityError};

/// Whether the engine answers, and what it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineHealth {
    pub answers: bool,
    pub facts: EngineFacts,
}

pub struct Session {
    pub config: Config,
    pub identity: Mutex<Identity>,
    pub tls: Arc<rustls::ClientConfig>,
    pub clock: Arc<dyn Clock>,
    pub record: Arc<Record>,
    pub tasks: Tasks,
    pub engine: Arc<dyn Engine>,
    pub engine_health: watch::Receiver<EngineHealth>,
    pub containers: watch::Receiver<u32>,
    pub observed: watch::Receiver<Option<Arc<ObservedState>>>,
    pub samples: watch::Receiver<Option<Arc<Samples>>>,
    /// The current session's, for downloads.
    pub token: watch::Sender<Option<Secret>>,
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("cannot connect: {0}")]
    Connect(String),
    #[error("the control plane was silent for too long")]
    Silent,
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("the control plane closed the connection (code {code}): {reason}")]
    Closed { code: u16, reason: String },
    #[error("the control plane sent something that is not understood: {0}")]
    NotUnderstood(String),
}

/// A session that held this long was a success.
const HELD: Duration = Duration::from_secs(30);
/// Between attempts when the core has said that they are useless.
const REFUSED_PAUSE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(15 * 60));
/// Two agents with one identity must not take turns throwing each other out.
const REPLACED_PAUSE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(120));

impl Session {
    /// Connects, and connects again, until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let (first, longest) = self.config.timing.reconnect;
        let mut backoff = Backoff::new(first, longest);
        let mut refused = Backoff::new(REFUSED_PAUSE.0, REFUSED_PAUSE.1);
        let mut replaced = Backoff::new(REPLACED_PAUSE.0, REPLACED_PAUSE.1);
        loop {
            let since = Instant::now();
            let ended = tokio::select! {
                () = shutdown.cancelled() => return,
                ended = self.once() => ended,
            };
            self.token.send_replace(None);
            if since.elapsed() > HELD {
                backoff.reset();
                refused.reset();
                replaced.reset();
            }
            let pause = match &ended {
                Ended::Closed { code: close::IDENTITY_REFUSED, reason } => {
                    tracing::error!(
                        node = %self.node(),
                        reason,
                        "THE CONTROL PLANE REFUSES THIS NODE'S IDENTITY. Applications go on as they are. Enroll the machine again with a new \
                         token, or stop its agent."
                    );
                    refused.next(&*self.clock)
                }
                Ended::Closed { code: close::VERSION, reason } => {
                    tracing::error!(reason, "the control plane does not speak this agent's protocol: upgrade the older of the two");
                    refused.next(&*self.clock)
                }
                Ended::Closed { code: close::REPLACED, reason } => {
                    tracing::error!(
                        reason,
                        "another agent connected with this node's identity: is its data folder copied to two machines?"
                    );
                    replaced.next(&*self.clock)
                }
                other => {
                    let pause = backoff.next(&*self.clock);
                    tracing::warn!(ended = %other, again_in = ?pause, "no session with the control plane");
                    pause
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    fn node(&self) -> NodeId {
        self.identity().node
    }

    fn identity(&self) -> MutexGuard<'_, Identity> {
        // It is replaced as a whole, so that a poisoned lock guards nothing half-made.
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes another key, and keeps it before it is told: who comes back with it must have it.
    fn renew_key(&self) -> Result<AgentMessage, IdentityError> {
        let mut identity = self.identity();
        let (public_key, signature) = identity.make_next(&*self.clock);
        identity.save(&self.config.data_dir)?;
        Ok(AgentMessage::NextKey { public_key, signature })
    }

    /// Uses the key that was made from now on. Whether it is that one.
    fn use_next_key(&self, public_key: &str) -> Result<bool, IdentityError> {
        let mut identity = self.identity();
        let mut renewed = identity.clone();
        if !renewed.take_next(public_key) {
            return Ok(false);
        }
        renewed.save(&self.config.data_dir)?;
        *identity = renewed;
        Ok(true)
    }

    async fn once(&self) -> Ended {
        let mut socket = match connect::open(&self.config.core_url, Arc::clone(&self.tls)).await {
            Ok(socket) => socket,
            Err(ended) => return ended,
        };
        let (hello, welcome) = match connect::introduce(self, &mut socket).await {
            Ok(introduced) => introduced,
            Err(ended) => return ended,
        };
        tracing::info!(node = %self.node(), core = welcome.core_version, "session begun");
        self.tasks.core_clock(welcome.now);
        self.token.send_replace(Some(welcome.session_token));
        talk::talk(self, socket, welcome.protocol_version, hello.tasks).await
    }
}
