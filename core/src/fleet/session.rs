//! One agent's WebSocket, from its challenge to its end.

use std::{collections::HashSet, sync::Arc, time::Duration};

use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    response::Response,
};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};
use ed25519_dalek::{Signature, VerifyingKey};
use futures::{SinkExt, StreamExt, stream::SplitSink};
use slipway_model::{
    Secret, Sha256Digest, TaskId,
    state::{NodeStatus, TaskStatus},
};
use slipway_protocol::{
    AgentMessage, CoreMessage, Hello, MAX_MESSAGE_BYTES, OFFLINE_AFTER_SECONDS, PROTOCOL_VERSIONS, Welcome, challenge_payload, close,
};
use slipway_store::{
    nodes::{self, Node},
    tasks,
};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use super::{Session, desired, intake, readers::Readers};
use crate::Platform;

const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer that takes longer to take one message is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a session compares what it sent with what is stored, nudged or not.
const RESYNC: Duration = Duration::from_secs(5);
/// Messages that may wait for the socket.
const OUTBOX: usize = 64;
/// RFC 6455: something unexpected here.
const INTERNAL: u16 = 1011;

/// Why a session ends, as a close code.
struct Ends(u16);

pub(super) async fn connect(State(p): State<Platform>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.max_message_size(MAX_MESSAGE_BYTES).max_frame_size(MAX_MESSAGE_BYTES).on_upgrade(move |socket| serve(p, socket))
}

async fn serve(p: Platform, mut socket: WebSocket) {
    let (node, hello) = match timeout(HELLO_TIMEOUT, introduce(&p, &mut socket)).await {
        Ok(Ok(introduced)) => introduced,
        Ok(Err(Ends(code))) => return finish(socket, code).await,
        Err(_) => return finish(socket, close::TIMEOUT).await,
    };
    let (outbox, inbox) = mpsc::channel(OUTBOX);
    let (closing, mut is_closing) = watch::channel(None);
    let token = Secret::new(BASE64URL_NOPAD.encode(&random(&p)));
    let session = p.fleet.admit(|number| Session {
        number,
        node: node.id,
        version: hello.protocol_versions[1].min(PROTOCOL_VERSIONS[1]),
        token: Sha256Digest::of(token.expose().as_bytes()),
        nudge: Notify::new(),
        closing,
        outbox,
        logs: Readers::new(p.fleet.log_room.clone()),
    });
    tracing::info!(node = %node.id, name = node.name, agent = hello.facts.agent_version, "agent connected");
    let (sink, stream) = socket.split();
    let writer = tokio::spawn(write(sink, inbox, is_closing.clone()));
    let mut talk =
        Talk { p: p.clone(), session: session.clone(), sent_generation: None, sent_tasks: HashSet::new(), intake: intake::Pace::default() };
    let code = tokio::select! {
        code = closed(&mut is_closing) => code,
        Err(Ends(code)) = talk.run(&hello, token, stream) => code,
        else => INTERNAL,
    };
    session.close(code);
    p.fleet.leave(&session);
    drop(talk);
    drop(session);
    let _ = timeout(WRITE_TIMEOUT, writer).await;
    tracing::info!(node = %node.id, code, "agent disconnected");
}

/// Challenge and answer. Whoever cannot prove the node's key learns nothing about the node, not even whether there is one.
async fn introduce(p: &Platform, socket: &mut WebSocket) -> Result<(Node, Hello), Ends> {
    let nonce = HEXLOWER.encode(&random(p));
    let challenge = encode(&CoreMessage::Challenge { nonce: nonce.clone() })?;
    socket.send(challenge).await.map_err(|_| Ends(close::TIMEOUT))?;
    let hello = loop {
        match socket.recv().await {
            Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                Ok(AgentMessage::Hello(hello)) => break hello,
                _ => return Err(Ends(close::BAD_MESSAGE)),
            },
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return Err(Ends(close::BAD_MESSAGE)),
        }
    };
    if hello.protocol_versions[0] > PROTOCOL_VERSIONS[1] || hello.protocol_versions[1] < PROTOCOL_VERSIONS[0] {
        return Err(Ends(close::VERSION));
    }
    let mut tx = p.db.read().await.map_err(internal)?;
    let node = nodes::find(&mut tx, hello.node).await.map_err(internal)?;
    drop(tx);
    let known = node.filter(|node| node.status != NodeStatus::Revoked);
    match known {
        Some(node) if is_signed(&node.public_key, &nonce, &hello) => Ok((node, hello)),
        // It has come with the key that it made: from now on with no other.
        Some(node) if node.next_public_key.as_ref().is_some_and(|key| is_signed(key, &nonce, &hello)) => {
            intake::key_renewed(p, &node).await.map_err(internal)?;
            Ok((node, hello))
        }
        Some(node) => {
            intake::alarm(p, node.id, "node.identity_refused", "A connection used this node's name without its key.").await;
            Err(Ends(close::IDENTITY_REFUSED))
        }
        None => Err(Ends(close::IDENTITY_REFUSED)),
    }
}

fn is_signed(public_key: &[u8], nonce: &str, hello: &Hello) -> bool {
    let key = public_key.try_into().ok().and_then(|bytes| VerifyingKey::from_bytes(bytes).ok());
    let signature = HEXLOWER_PERMISSIVE.decode(hello.signature.as_bytes()).ok().and_then(|bytes| Signature::from_slice(&bytes).ok());
    let (Some(key), Some(signature)) = (key, signature) else { return false };
    key.verify_strict(&challenge_payload(nonce, hello.node), &signature).is_ok()
}

/// A session under way.
struct Talk {
    p: Platform,
    session: Arc<Session>,
    sent_generation: Option<i64>,
    sent_tasks: HashSet<TaskId>,
    intake: intake::Pace,
}

impl Talk {
    async fn run(
        &mut self,
        hello: &Hello,
        token: Secret,
        mut stream: futures::stream::SplitStream<WebSocket>,
    ) -> Result<std::convert::Infallible, Ends> {
        intake::hello(&self.p, self.session.node, hello).await.map_err(internal)?;
        self.send(CoreMessage::Welcome(Welcome {
            protocol_version: self.session.version,
            core_version: env!("CARGO_PKG_VERSION").into(),
            session_token: token,
            now: self.p.now(),
        }))
        .await?;
        let session = self.session.clone();
        let mut resync = interval(RESYNC);
        resync.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            let silent_at = heard + Duration::from_secs(OFFLINE_AFTER_SECONDS);
            tokio::select! {
                message = stream.next() => {
                    heard = Instant::now();
                    self.hear(message).await?;
                }
                () = session.nudge.notified() => self.sync().await?,
                _ = resync.tick() => self.sync().await?,
                () = tokio::time::sleep_until(silent_at) => return Err(Ends(close::TIMEOUT)),
            }
        }
    }

    async fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), Ends> {
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(Message::Binary(_))) => return Err(Ends(close::BAD_MESSAGE)),
            Some(Err(error)) => {
                tracing::debug!(node = %self.session.node, %error, "agent socket");
                return Err(Ends(close::BAD_MESSAGE));
            }
            Some(Ok(Message::Close(_))) | None => return Err(Ends(1000)),
        };
        let message = serde_json::from_str(&text).map_err(|error| {
            tracing::warn!(node = %self.session.node, %error, "an agent's message could not be understood");
            Ends(close::BAD_MESSAGE)
        })?;
        let node = self.session.node;
        match message {
            AgentMessage::Heartbeat(heartbeat) => self.intake.heartbeat(&self.p, node, &heartbeat).await.map_err(internal),
            AgentMessage::Observed(observed) => intake::observed(&mut self.intake, &self.p, node, observed).await.map_err(internal),
            AgentMessage::Task(event) => {
                let task = event.task;
                match intake::task_event(&mut self.intake, &self.p, node, event).await.map_err(internal)? {
                    Some(sequence) => self.send(CoreMessage::TaskAck { task, sequence }).await,
                    None => Ok(()),
                }
            }
            AgentMessage::Logs(batch) => {
                self.session.logs.deliver(batch);
                Ok(())
            }
            AgentMessage::NextKey { public_key, signature } => {
                if intake::next_key(&self.p, node, &public_key, &signature).await.map_err(internal)? {
                    return self.send(CoreMessage::NextKeyKept { public_key }).await;
                }
                Err(Ends(close::BAD_MESSAGE))
            }
            AgentMessage::Samples(samples) => self.intake.samples(&self.p, node, samples).await.map_err(internal),
            AgentMessage::Hello(_) => Err(Ends(close::BAD_MESSAGE)),
        }
    }

    /// Sends what is stored and was not sent yet.
    async fn sync(&mut self) -> Result<(), Ends> {
        let node = self.session.node;
        let mut tx = self.p.db.read().await.map_err(internal)?;
        let generation =
            nodes::find(&mut tx, node).await.map_err(internal)?.map(|node| node.generation).ok_or(Ends(close::IDENTITY_REFUSED))?;
        let unfinished = tasks::unfinished_of_node(&mut tx, node).await.map_err(internal)?;
        drop(tx);
        if self.sent_generation.is_none_or(|sent| sent < generation) {
            match desired::load(&self.p, node).await {
                Ok(state) => {
                    self.sent_generation = Some(state.generation.cast_signed());
                    self.send(CoreMessage::Desired(state)).await?;
                }
                // An incomplete state would take away what runs. The node keeps what it has, and this is tried again.
                Err(error) => tracing::error!(node = %node, error = format!("{error:#}"), "the node's desired state could not be made"),
            }
        }
        let named: HashSet<TaskId> = unfinished.iter().map(|task| task.id).collect();
        let gone: Vec<TaskId> = self.sent_tasks.difference(&named).copied().collect();
        for task in gone {
            self.sent_tasks.remove(&task);
            let mut tx = self.p.db.read().await.map_err(internal)?;
            if tasks::find(&mut tx, task).await.map_err(internal)?.is_some_and(|task| task.status == TaskStatus::Canceled) {
                drop(tx);
                self.send(CoreMessage::CancelTask { task }).await?;
            }
        }
        for task in unfinished {
            if self.sent_tasks.contains(&task.id) {
                continue;
            }
            let id = task.id;
            match desired::task(&self.p, task) {
                Ok(task) => self.send(CoreMessage::Task(task)).await?,
                // It stays unfinished, and its operation fails by its deadline.
                Err(error) => tracing::error!(task = %id, error = format!("{error:#}"), "a task could not be read"),
            }
            self.sent_tasks.insert(id);
        }
        Ok(())
    }

    async fn send(&self, message: CoreMessage) -> Result<(), Ends> {
        match timeout(WRITE_TIMEOUT, self.session.outbox.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Ends(close::TIMEOUT)),
        }
    }
}

/// Writes messages in order, then the close code.
async fn write(mut sink: SplitSink<WebSocket, Message>, mut inbox: mpsc::Receiver<CoreMessage>, mut closing: watch::Receiver<Option<u16>>) {
    let code = loop {
        let message = tokio::select! {
            biased;
            code = closed(&mut closing) => break code,
            message = inbox.recv() => match message {
                Some(message) => message,
                None => break 1000,
            },
        };
        let Ok(frame) = encode(&message) else { break INTERNAL };
        if !matches!(timeout(WRITE_TIMEOUT, sink.send(frame)).await, Ok(Ok(()))) {
            return;
        }
    };
    let frame = Message::Close(Some(CloseFrame { code, reason: "".into() }));
    let _ = timeout(WRITE_TIMEOUT, sink.send(frame)).await;
}

async fn closed(closing: &mut watch::Receiver<Option<u16>>) -> u16 {
    match closing.wait_for(Option::is_some).await {
        Ok(code) => code.unwrap_or(INTERNAL),
        Err(_) => INTERNAL,
    }
}

async fn finish(mut socket: WebSocket, code: u16) {
    let frame = Message::Close(Some(CloseFrame { code, reason: "".into() }));
    let _ = timeout(WRITE_TIMEOUT, socket.send(frame)).await;
}

fn encode(message: &CoreMessage) -> Result<Message, Ends> {
    serde_json::to_string(message).map(|text| Message::Text(text.into())).map_err(|error| {
        tracing::error!(%error, "a message to an agent could not be written");
        Ends(INTERNAL)
    })
}

/// The agent comes back and tells everything again.
fn internal(error: impl std::fmt::Display) -> Ends {
    tracing::error!(%error, "an agent's session ends");
    Ends(INTERNAL)
}

fn random(p: &Platform) -> [u8; 32] {
    let mut bytes = [0; 32];
    p.clock.fill(&mut bytes);
    bytes
}
