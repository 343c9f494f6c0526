//! What the engine says while it builds: JSON messages, one a line, most of which carry BuildKit's own status.

use std::time::Duration;

use bollard::moby::buildkit::v1::StatusResponse;
use bollard::models::{BuildInfo, BuildInfoAux};
use serde::Deserialize;

/// Longest message. BuildKit sends the output of commands in small pieces.
const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildEvent {
    Vertex(Vertex),
    Log(VertexLog),
}

/// A step of the build, sent again whenever something about it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vertex {
    /// Names the step.
    pub digest: String,
    pub name: String,
    pub cached: bool,
    pub started: bool,
    /// How long it took, once it has ended.
    pub took: Option<Duration>,
    /// Empty unless it failed.
    pub error: String,
}

/// A piece of a step's output, cut anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VertexLog {
    pub vertex: String,
    /// 1 is standard output, 2 standard error.
    pub stream: i64,
    pub bytes: Vec<u8>,
}

/// Gathers the pieces of the stream to messages.
#[derive(Default)]
pub struct Messages {
    partial: Vec<u8>,
    error: Option<String>,
}

impl Messages {
    /// The events in `bytes` and in what was left over before.
    ///
    /// # Errors
    /// What arrives is no such stream.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<BuildEvent>, String> {
        self.partial.extend_from_slice(bytes);
        let mut events = Vec::new();
        let mut rest = self.partial.as_slice();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            rest = after;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            // Before the whole message, whose other parts may be of a newer engine.
            if let Ok(Failed { error_detail: Some(detail), .. }) = serde_json::from_slice(line) {
                self.error = Some(detail.message);
                continue;
            }
            if let Ok(BuildInfo { aux: Some(BuildInfoAux::BuildKit(status)), .. }) = serde_json::from_slice(line) {
                events.extend(events_of(status));
            }
        }
        self.partial = rest.to_vec();
        if self.partial.len() > MAX_MESSAGE_BYTES {
            return Err("the engine sent a message that is too long".into());
        }
        Ok(events)
    }

    /// Whether the build went well, once the stream has ended.
    pub fn end(self) -> Result<(), String> {
        let last = self.partial.trim_ascii();
        if let Ok(Failed { error_detail: Some(detail), .. }) = serde_json::from_slice(last) {
            return Err(detail.message);
        }
        self.error.map_or(Ok(()), Err)
    }
}

#[derive(Deserialize)]
struct Failed {
    #[serde(rename = "errorDetail")]
    error_detail: Option<Detail>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    message: String,
}

/// The message in the body of an answer that is an error.
pub fn error_message(body: &[u8]) -> String {
    match serde_json::from_slice(body) {
        Ok(Failed { message: Some(message), .. }) => message,
        _ => String::from_utf8_lossy(&body[..body.len().min(1000)]).into_owned(),
    }
}

fn events_of(status: StatusResponse) -> impl Iterator<Item = BuildEvent> {
    let vertexes = status.vertexes.into_iter().map(|vertex| {
        let took = vertex.started.zip(vertex.completed).map(|(from, to)| {
            let milliseconds = (to.seconds - from.seconds) * 1000 + i64::from(to.nanos - from.nanos) / 1_000_000;
            Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
        });
        BuildEvent::Vertex(Vertex {
            took,
            digest: vertex.digest,
            name: vertex.name,
            cached: vertex.cached,
            started: vertex.started.is_some(),
            error: vertex.error,
        })
    });
    let logs = status.logs.into_iter().map(|log| BuildEvent::Log(VertexLog { vertex: log.vertex, stream: log.stream, bytes: log.msg }));
    vertexes.chain(logs)
}
