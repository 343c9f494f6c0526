//! From nothing to a session: TCP, TLS that trusts the enrolled CA alone, WebSocket, and the proof of identity.

use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use slipway_protocol::{AgentMessage, CONNECT_PATH, CoreMessage, Hello, MAX_MESSAGE_BYTES, PROTOCOL_VERSIONS, Welcome};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::{Ended, Session};
use crate::enroll::sources;
use crate::facts;

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const CONNECT: Duration = Duration::from_secs(15);
const ANSWER: Duration = Duration::from_secs(15);

pub async fn open(core: &url::Url, tls: Arc<rustls::ClientConfig>) -> Result<Socket, Ended> {
    let host = core.host_str().ok_or_else(|| Ended::Connect(format!("{core} names no host")))?;
    let port = core.port_or_known_default().unwrap_or(443);
    // An IPv6 address stands in brackets in a URL, and without them everywhere else.
    let address = (host.trim_start_matches('[').trim_end_matches(']'), port);
    let opening = async {
        let stream = TcpStream::connect(address).await.map_err(|error| Ended::Connect(format!("{host}:{port}: {error}")))?;
        stream.set_nodelay(true).map_err(|error| Ended::Connect(error.to_string()))?;
        let limits = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE_BYTES)).max_frame_size(Some(MAX_MESSAGE_BYTES));
        let url = format!("wss://{host}:{port}{CONNECT_PATH}");
        let (socket, _) = client_async_tls_with_config(url, stream, Some(limits), Some(Connector::Rustls(tls)))
            .await
            .map_err(|error| Ended::Connect(sources(&error)))?;
        Ok(socket)
    };
    timeout(CONNECT, opening).await.unwrap_or_else(|_| Err(Ended::Connect(format!("{host}:{port} does not answer"))))
}

/// Proves who we are, and learns who they are.
pub async fn introduce(session: &Session, socket: &mut Socket) -> Result<(Hello, Welcome), Ended> {
    let CoreMessage::Challenge { nonce } = next(socket).await? else {
        return Err(Ended::NotUnderstood("a challenge was expected".to_owned()));
    };
    let engine = session.engine_health.borrow().facts.clone();
    let hello = Hello {
        node: session.node(),
        protocol_versions: PROTOCOL_VERSIONS,
        signature: session.identity().sign(&nonce),
        facts: facts::gather(&session.config, Some(engine)),
        tasks: session.tasks.known(),
        generation: session.record.generation(),
    };
    let text = encode(&AgentMessage::Hello(hello.clone()))?;
    timeout(ANSWER, socket.send(text)).await.map_err(|_| Ended::Silent)?.map_err(|error| Ended::Broken(sources(&error)))?;
    match next(socket).await? {
        CoreMessage::Welcome(welcome) => {
            let [lowest, highest] = PROTOCOL_VERSIONS;
            if (lowest..=highest).contains(&welcome.protocol_version) {
                Ok((hello, welcome))
            } else {
                Err(Ended::NotUnderstood(format!("it chose protocol version {}", welcome.protocol_version)))
            }
        }
        _ => Err(Ended::NotUnderstood("a welcome was expected".to_owned())),
    }
}

async fn next(socket: &mut Socket) -> Result<CoreMessage, Ended> {
    let waiting = async {
        loop {
            if let Some(message) = decode(socket.next().await)? {
                return Ok(message);
            }
        }
    };
    timeout(ANSWER, waiting).await.unwrap_or(Err(Ended::Silent))
}

/// `None` for what concerns only the WebSocket itself.
pub fn decode(frame: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>) -> Result<Option<CoreMessage>, Ended> {
    match frame {
        Some(Ok(Message::Text(text))) => {
            serde_json::from_str(text.as_str()).map(Some).map_err(|error| Ended::NotUnderstood(error.to_string()))
        }
        Some(Ok(Message::Close(frame))) => {
            let CloseFrame { code, reason } = frame.unwrap_or(CloseFrame { code: 1005.into(), reason: "".into() });
            Err(Ended::Closed { code: code.into(), reason: reason.to_string() })
        }
        Some(Ok(Message::Binary(_))) => Err(Ended::NotUnderstood("a binary message".to_owned())),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        Some(Err(error)) => Err(Ended::Broken(sources(&error))),
        None => Err(Ended::Broken("it ended".to_owned())),
    }
}

pub fn encode(message: &AgentMessage) -> Result<Message, Ended> {
    let text = serde_json::to_string(message).map_err(|error| Ended::Broken(format!("a message cannot be written: {error}")))?;
    Ok(Message::text(text))
}
