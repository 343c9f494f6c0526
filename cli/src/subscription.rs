//! Subscriptions over the graphql-transport-ws protocol, several on one socket. A broken connection is opened again; the
//! caller says, with the last cursor it saw, where to go on.

use anyhow::{Context as _, Result, anyhow, bail};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::client::Client;
use crate::exit::Failure;

pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What one subscription sent.
pub enum Event {
    Next { id: String, data: Value },
    Complete { id: String },
}

impl Socket {
    pub async fn open(client: &Client) -> Result<Self> {
        let mut url = client.url.join("graphql")?;
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        url.set_scheme(scheme).map_err(|()| anyhow!("{url} is not an HTTP address"))?;
        let mut request = url.as_str().into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
        let (stream, _) = tokio_tungstenite::connect_async(request).await.with_context(|| format!("{url}"))?;
        let mut socket = Self(stream);
        let authorization = format!("Bearer {}", client.token.expose());
        socket.send(&json!({ "type": "connection_init", "payload": { "Authorization": authorization } })).await?;
        match socket.receive().await? {
            message if message["type"] == "connection_ack" => Ok(socket),
            other => bail!("the control plane answered {} to a connection", other["type"]),
        }
    }

    pub async fn subscribe(&mut self, id: &str, document: &str, variables: Value) -> Result<()> {
        self.send(&json!({ "id": id, "type": "subscribe", "payload": { "query": document, "variables": variables } })).await
    }

    pub async fn next(&mut self) -> Result<Event> {
        loop {
            let message = self.receive().await?;
            let id = message["id"].as_str().unwrap_or_default().to_owned();
            match message["type"].as_str().unwrap_or_default() {
                "next" => {
                    if let Some(error) = message.pointer("/payload/errors/0") {
                        return Err(refused(error));
                    }
                    return Ok(Event::Next { id, data: message["payload"]["data"].clone() });
                }
                "complete" => return Ok(Event::Complete { id }),
                "error" => return Err(refused(&message["payload"][0])),
                "ping" => self.send(&json!({ "type": "pong" })).await?,
                _ => {}
            }
        }
    }

    async fn send(&mut self, message: &Value) -> Result<()> {
        Ok(self.0.send(Message::text(message.to_string())).await?)
    }

    async fn receive(&mut self) -> Result<Value> {
        loop {
            match self.0.next().await.context("the control plane closed the connection")?? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(frame) => {
                    let reason = frame.map(|frame| format!("{} {}", frame.code, frame.reason)).unwrap_or_default();
                    bail!("the control plane closed the connection: {reason}");
                }
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }
}

fn refused(error: &Value) -> anyhow::Error {
    let code = error.pointer("/extensions/code").and_then(Value::as_str).unwrap_or("ERROR");
    let message = error.get("message").and_then(Value::as_str).unwrap_or("the control plane gave no reason");
    Failure::new(code, message).into()
}
