//! The connected agents.
//!
//! What an agent should do stands in the database. A session only carries it there: it compares what it has sent with what is
//! stored whenever it is nudged, and every few seconds anyway, so that a nudge that is lost costs time and nothing else.

mod blobs;
mod desired;
mod enroll;
mod intake;
mod listener;
mod readers;
mod session;
mod silence;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use slipway_model::{NodeId, Sha256Digest};
use slipway_protocol::{CoreMessage, KEYS_SINCE, LogBatch, LogQuery, LogQueryId, close};
use subtle::ConstantTimeEq;
use tokio::sync::{Notify, mpsc, watch};

pub(crate) use listener::{AgentListener, ListenError};
pub use silence::sweep;
pub(crate) use silence::watch_for_silence;

use self::readers::{Batches, Readers, Room};
use crate::tls::Authority;

/// RFC 6455.
const GOING_AWAY: u16 = 1001;

/// Who is connected to this process.
#[derive(Debug)]
pub struct Fleet {
    authority: Authority,
    known: Mutex<Known>,
    /// For what readers of logs have not taken yet.
    log_room: Room,
}

#[derive(Debug, Default)]
struct Known {
    sessions: HashMap<NodeId, Arc<Session>>,
    next_session: u64,
    next_query: LogQueryId,
    /// This control plane has ended: whoever still comes is sent away.
    is_over: bool,
}

/// One connected agent.
#[derive(Debug)]
struct Session {
    number: u64,
    node: NodeId,
    /// Of the protocol, as both speak it.
    version: u32,
    /// SHA-256 of the token that authorizes its downloads.
    token: Sha256Digest,
    /// There may be something to send.
    nudge: Notify,
    /// A close code, once it has to go.
    closing: watch::Sender<Option<u16>>,
    outbox: mpsc::Sender<CoreMessage>,
    logs: Readers,
}

impl Fleet {
    pub(crate) fn new(authority: Authority) -> Self {
        Self { authority, known: Mutex::default(), log_room: Room::default() }
    }

    /// What enrollment tokens carry of the authority that agents trust.
    #[must_use]
    pub fn authority_digest(&self) -> Sha256Digest {
        self.authority.digest()
    }

    /// The certificate of the authority that agents trust.
    #[must_use]
    pub fn authority_certificate_pem(&self) -> &str {
        self.authority.certificate_pem()
    }

    /// How many agents are connected to this process.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.lock().sessions.len()
    }

    #[must_use]
    pub fn is_connected(&self, node: NodeId) -> bool {
        self.lock().sessions.contains_key(&node)
    }

    /// The node's desired state or tasks have changed, and are committed.
    pub fn nudge(&self, node: NodeId) {
        if let Some(session) = self.session(node) {
            session.nudge.notify_one();
        }
    }

    /// Ends the node's session at once, as when its identity is revoked.
    pub fn disconnect(&self, node: NodeId) {
        if let Some(session) = self.lock().sessions.remove(&node) {
            session.close(close::IDENTITY_REFUSED);
        }
    }

    /// Has a connected agent make another key. `None`: it is not connected here. `false`: it is too old for that.
    pub(crate) fn renew_key(&self, node: NodeId) -> Option<bool> {
        let session = self.session(node)?;
        if session.version < KEYS_SINCE {
            return Some(false);
        }
        session.outbox.try_send(CoreMessage::RenewKey).ok().map(|()| true)
    }

    /// The control plane ends. Agents go on by themselves, and try again.
    pub(crate) fn disconnect_all(&self) {
        let mut known = self.lock();
        known.is_over = true;
        for (_, session) in known.sessions.drain() {
            session.close(GOING_AWAY);
        }
    }

    /// Asks a node for output. `None`: it is not connected here. The query ends when the stream is dropped.
    pub(crate) fn open_logs(self: &Arc<Self>, node: NodeId, query: impl FnOnce(LogQueryId) -> LogQuery) -> Option<LogStream> {
        let session = self.session(node)?;
        let number = {
            let mut known = self.lock();
            known.next_query += 1;
            known.next_query
        };
        let batches = session.logs.open(number);
        let stream = LogStream { query: number, session: session.clone(), batches };
        // Dropping the stream takes the reader out again.
        session.outbox.try_send(CoreMessage::LogOpen(query(number))).ok()?;
        Some(stream)
    }

    /// The node that a download's token belongs to.
    fn node_of_token(&self, token: &str) -> Option<NodeId> {
        let digest = Sha256Digest::of(token.as_bytes());
        let known = self.lock();
        known.sessions.values().find(|session| bool::from(session.token.as_bytes().ct_eq(digest.as_bytes()))).map(|session| session.node)
    }

    /// Takes a new session in, and closes the one it replaces.
    fn admit(&self, make: impl FnOnce(u64) -> Session) -> Arc<Session> {
        let mut known = self.lock();
        known.next_session += 1;
        let session = Arc::new(make(known.next_session));
        if known.is_over {
            session.close(GOING_AWAY);
            return session;
        }
        if let Some(replaced) = known.sessions.insert(session.node, session.clone()) {
            replaced.close(close::REPLACED);
        }
        session
    }

    /// Forgets a session that ended, unless another has taken its place.
    fn leave(&self, session: &Session) {
        let mut known = self.lock();
        if known.sessions.get(&session.node).is_some_and(|current| current.number == session.number) {
            known.sessions.remove(&session.node);
        }
        session.logs.close_all();
    }

    fn session(&self, node: NodeId) -> Option<Arc<Session>> {
        self.lock().sessions.get(&node).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // Each change is one insertion or removal, so a poisoned lock guards nothing half-made.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn close(&self, code: u16) {
        self.closing.send_if_modified(|closing| {
            let is_first = closing.is_none();
            closing.get_or_insert(code);
            is_first
        });
    }
}

/// The answers to one log query.
#[derive(Debug)]
pub(crate) struct LogStream {
    query: LogQueryId,
    session: Arc<Session>,
    batches: Batches,
}

impl LogStream {
    /// `None`: nothing more comes, because that was all or because the node is gone.
    pub(crate) async fn next(&mut self) -> Option<LogBatch> {
        self.batches.next().await
    }
}

impl Drop for LogStream {
    fn drop(&mut self) {
        if self.session.logs.close(self.query) {
            // A full outbox is that of a session about to end, which ends its queries.
            let _ = self.session.outbox.try_send(CoreMessage::LogClose { query: self.query });
        }
    }
}
