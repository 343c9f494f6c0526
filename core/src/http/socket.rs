//! The `graphql-transport-ws` protocol, on our own loop: <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>.
//!
//! One task per socket. It polls its streams itself, from another one first each time, and polls none of them while a
//! message is on its way out: a client that does not read, holds up nobody but itself, and nothing is buffered for it.

mod message;

use std::{pin::Pin, time::Duration};

use axum::{
    extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade},
    response::Response,
};
use futures::{Stream, StreamExt};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, interval_at, sleep_until, timeout};
use tokio_stream::StreamMap;
use tokio_tungstenite::tungstenite;

use self::message::ClientMessage;
use crate::{
    auth::{Caller, Revocations},
    error::Error,
    graphql::{Answer, Api, Kind, Payload},
};

pub(super) const PROTOCOL: &str = "graphql-transport-ws";
/// Operations open at once on one socket.
const MAX_OPERATIONS: usize = 100;
const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
/// What is read of one message, so that a little too much is still answered with the right code.
const MAX_READ_BYTES: usize = 2 * MAX_MESSAGE_BYTES;
/// Kept small: an idle socket is mostly its buffers.
const BUFFER_BYTES: usize = 4 * 1024;
const INIT_TIMEOUT: Duration = Duration::from_secs(3);
const PING_EVERY: Duration = Duration::from_secs(25);
/// Without any message, not even a pong.
const SILENCE_LIMIT: Duration = Duration::from_secs(75);
/// For one message to leave: after that the client is taken to have stopped reading.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// A close frame has no room for more.
const MAX_REASON_BYTES: usize = 123;

mod close {
    pub(super) const BAD_REQUEST: u16 = 4400;
    pub(super) const UNAUTHORIZED: (u16, &str) = (4401, "Unauthorized");
    pub(super) const FORBIDDEN: (u16, &str) = (4403, "Forbidden");
    pub(super) const WRONG_PROTOCOL: (u16, &str) = (4406, "Subprotocol not acceptable");
    pub(super) const INIT_TIMEOUT: (u16, &str) = (4408, "Connection initialisation timeout");
    pub(super) const TOO_MANY_INITS: (u16, &str) = (4429, "Too many initialisation requests");
    pub(super) const DUPLICATE_ID: u16 = 4409;
    // Those of RFC 6455.
    pub(super) const GONE: (u16, &str) = (1001, "No answer to pings");
    pub(super) const NOT_UTF8: (u16, &str) = (1007, "Text is UTF-8");
    pub(super) const TOO_BIG: (u16, &str) = (1009, "A message has at most 1 MiB");
    pub(super) const TRY_AGAIN: (u16, &str) = (1013, "Try again in a moment");
}

/// Why the loop ends: a code and reason to close with, or `None` when the socket is gone already.
type End = Option<(u16, String)>;

enum Event {
    Answer(Answer),
    Ended,
}

type Operation = Pin<Box<dyn Stream<Item = (Kind, Event)> + Send>>;

struct Session {
    api: Api,
    caller: Caller,
    socket: WebSocket,
    acknowledged: bool,
    operations: StreamMap<String, Operation>,
    revocations: Revocations,
}

pub(super) fn upgrade(api: Api, caller: Caller, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .protocols([PROTOCOL])
        .max_message_size(MAX_READ_BYTES)
        .max_frame_size(MAX_READ_BYTES)
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(0)
        .on_upgrade(move |socket| async move {
            let revocations = Revocations::watch(api.platform());
            let session = Session { api, caller, socket, acknowledged: false, operations: StreamMap::new(), revocations };
            session.serve().await;
        })
}

impl Session {
    async fn serve(mut self) {
        let end = if self.socket.protocol().is_none_or(|protocol| protocol != PROTOCOL) {
            because(close::WRONG_PROTOCOL)
        } else {
            self.run().await
        };
        // Streams go before the farewell, which may take its time.
        self.operations.clear();
        if let Some((code, reason)) = end {
            let frame = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
            let _ = timeout(SEND_TIMEOUT, self.socket.send(frame)).await;
        }
    }

    async fn run(&mut self) -> End {
        let started = Instant::now();
        let mut heard = started;
        let mut pings = interval_at(started + PING_EVERY, PING_EVERY);
        loop {
            let step = tokio::select! {
                message = self.socket.recv() => {
                    heard = Instant::now();
                    match message {
                        None => return None,
                        Some(Err(error)) => Err(broken(error)),
                        Some(Ok(message)) => self.receive(message).await,
                    }
                }
                Some((id, (kind, event))) = self.operations.next() => self.answer(id, kind, event).await,
                () = self.revocations.revoked(&self.caller) => Err(because(close::FORBIDDEN)),
                () = sleep_until(started + INIT_TIMEOUT), if !self.acknowledged => Err(because(close::INIT_TIMEOUT)),
                _ = pings.tick() => {
                    if heard.elapsed() > SILENCE_LIMIT {
                        Err(because(close::GONE))
                    } else if self.acknowledged {
                        self.send(json!({"type": "ping"})).await
                    } else {
                        Ok(())
                    }
                }
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn receive(&mut self, message: Message) -> Result<(), End> {
        let text = match message {
            Message::Text(text) if text.len() > MAX_MESSAGE_BYTES => return Err(because(close::TOO_BIG)),
            Message::Text(text) => text,
            Message::Binary(_) => return Err(invalid("it is binary")),
            Message::Close(_) => return Err(None),
            // The protocol below answers pings by itself.
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
        };
        match ClientMessage::read(&text).map_err(|why| invalid(&why))? {
            ClientMessage::ConnectionInit { .. } if self.acknowledged => Err(because(close::TOO_MANY_INITS)),
            ClientMessage::ConnectionInit { payload } => self.initialize(payload).await,
            ClientMessage::Ping { payload } => {
                let pong = payload.map_or_else(|| json!({"type": "pong"}), |payload| json!({"type": "pong", "payload": payload}));
                self.send(pong).await
            }
            ClientMessage::Pong => Ok(()),
            ClientMessage::Subscribe { .. } if !self.acknowledged => Err(because(close::UNAUTHORIZED)),
            ClientMessage::Subscribe { id, payload } => self.subscribe(id, payload).await,
            ClientMessage::Complete { id } => {
                self.operations.remove(&id);
                Ok(())
            }
        }
    }

    /// A token in the payload takes the place of one in the header. None at all is nobody, who may still ask what anybody may.
    async fn initialize(&mut self, payload: Option<Map<String, Value>>) -> Result<(), End> {
        let payload = payload.unwrap_or_default();
        let member = |name: &str| payload.get(name).and_then(Value::as_str);
        let authorization = member("Authorization").or_else(|| member("authorization")).map(str::to_owned);
        if let Some(credential) = authorization.or_else(|| Some(format!("Bearer {}", member("token")?))) {
            match self.caller.clone().authenticate(self.api.platform(), &credential).await {
                Ok(caller) => self.caller = caller,
                Err(Error::Unauthenticated) => {
                    // Guessing is paid for.
                    let _ = self.api.spend(&self.caller, 1);
                    return Err(because(close::FORBIDDEN));
                }
                Err(error) => {
                    tracing::error!(?error, "could not look up a token");
                    return Err(because(close::TRY_AGAIN));
                }
            }
        }
        self.acknowledged = true;
        self.send(json!({"type": "connection_ack"})).await
    }

    async fn subscribe(&mut self, id: String, payload: Payload) -> Result<(), End> {
        if self.operations.contains_key(&id) {
            return Err(Some((close::DUPLICATE_ID, duplicate(&id))));
        }
        if self.operations.len() >= MAX_OPERATIONS {
            let answer = Answer::refused("RATE_LIMITED", "There are 100 operations open on this socket. Complete some first.");
            return self.error(&id, answer).await;
        }
        let prepared = match payload.prepare() {
            Ok(prepared) => prepared,
            Err(answer) => {
                let answer = match self.api.spend(&self.caller, 1) {
                    Ok(_) => answer,
                    Err(allowance) => Answer::rate_limited(allowance, allowance.seconds_to_reset(self.api.platform().now())),
                };
                return self.error(&id, answer).await;
            }
        };
        let kind = prepared.kind;
        let answers = self.api.stream(prepared, self.caller.clone()).map(Event::Answer);
        let events = answers.chain(futures::stream::once(std::future::ready(Event::Ended))).map(move |event| (kind, event));
        self.operations.insert(id, Box::pin(events));
        Ok(())
    }

    async fn answer(&mut self, id: String, kind: Kind, event: Event) -> Result<(), End> {
        match event {
            Event::Ended => {
                self.operations.remove(&id);
                self.send(json!({"type": "complete", "id": id})).await
            }
            // Refused as a whole, or a subscription that could not begin: an `error` is its last message.
            Event::Answer(answer) if !answer.executed || (kind == Kind::Subscription && answer.is_null()) => {
                self.operations.remove(&id);
                self.error(&id, answer).await
            }
            Event::Answer(answer) => {
                let text = format!(r#"{{"type":"next","id":{},"payload":{}}}"#, Value::String(id), answer.to_json());
                // Many who do not read may be waited for at once: each waits with its text alone.
                drop(answer);
                self.send_text(text).await
            }
        }
    }

    async fn error(&mut self, id: &str, answer: Answer) -> Result<(), End> {
        self.send(json!({"type": "error", "id": id, "payload": answer.errors()})).await
    }

    async fn send(&mut self, message: Value) -> Result<(), End> {
        self.send_text(message.to_string()).await
    }

    async fn send_text(&mut self, text: String) -> Result<(), End> {
        match timeout(SEND_TIMEOUT, self.socket.send(Message::Text(text.into()))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(None),
        }
    }
}

fn because((code, reason): (u16, &str)) -> End {
    Some((code, reason.to_owned()))
}

fn invalid(why: &str) -> End {
    Some((close::BAD_REQUEST, shortened(format!("Invalid message: {why}"))))
}

fn duplicate(id: &str) -> String {
    let reason = format!("Subscriber for {id} already exists");
    if reason.len() <= MAX_REASON_BYTES { reason } else { "Subscriber for this id already exists".to_owned() }
}

fn shortened(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
    reason
}

/// What the layer below did not take.
fn broken(error: axum::Error) -> End {
    match error.into_inner().downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Capacity(_)) => because(close::TOO_BIG),
        Some(tungstenite::Error::Utf8(_)) => because(close::NOT_UTF8),
        _ => None,
    }
}
