//! What a client may say, read strictly: whatever the protocol does not specify ends the socket with a sentence that says why.

use serde_json::{Map, Value};

use crate::graphql::Payload;

#[derive(Debug)]
pub(super) enum ClientMessage {
    ConnectionInit { payload: Option<Map<String, Value>> },
    Ping { payload: Option<Map<String, Value>> },
    Pong,
    Subscribe { id: String, payload: Payload },
    Complete { id: String },
}

impl ClientMessage {
    /// # Errors
    /// What is wrong with it, in a few words.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let Ok(Value::Object(mut message)) = serde_json::from_str(text) else { return Err("it is no JSON object".to_owned()) };
        let Some(Value::String(kind)) = message.remove("type") else { return Err("`type` is missing or no string".to_owned()) };
        match kind.as_str() {
            "connection_init" => Ok(Self::ConnectionInit { payload: details(&mut message)? }),
            "ping" => Ok(Self::Ping { payload: details(&mut message)? }),
            "pong" => details(&mut message).map(|_| Self::Pong),
            "subscribe" => {
                let id = id(&mut message)?;
                let payload = message.remove("payload").ok_or("`payload` is missing")?;
                Ok(Self::Subscribe { id, payload: Payload::from_json(payload)? })
            }
            "complete" => Ok(Self::Complete { id: id(&mut message)? }),
            _ => Err("no client sends this `type`".to_owned()),
        }
    }
}

/// The payload of a message that need not have one.
fn details(message: &mut Map<String, Value>) -> Result<Option<Map<String, Value>>, String> {
    match message.remove("payload") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(details)) => Ok(Some(details)),
        Some(_) => Err("`payload` is no object".to_owned()),
    }
}

fn id(message: &mut Map<String, Value>) -> Result<String, String> {
    match message.remove("id") {
        Some(Value::String(id)) if !id.is_empty() => Ok(id),
        _ => Err("`id` is missing, empty or no string".to_owned()),
    }
}
