//! How containers end: which signals they were sent, as the engine itself reports.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use serde_json::Value;
use tempfile::NamedTempFile;

/// Listens to the engine until it is dropped.
pub struct Endings {
    events: NamedTempFile,
    listener: Child,
}

/// One container's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    pub container: String,
    /// In order, by number.
    pub signals: Vec<String>,
    /// `None`: it has not ended.
    pub exit_code: Option<i64>,
}

impl Ending {
    /// Whether it ended by itself within its grace period, when it was asked to.
    #[must_use]
    pub fn is_graceful(&self) -> bool {
        self.exit_code.is_some() && !self.signals.is_empty() && !self.signals.iter().any(|signal| signal == "9")
    }
}

impl Endings {
    /// # Errors
    /// When the engine's command line cannot be started.
    pub fn of_node(node: &str) -> Result<Self> {
        let events = NamedTempFile::new()?;
        let listener = Command::new("docker")
            .args(["events", "--filter", "type=container", "--filter", "event=kill", "--filter", "event=die"])
            .args(["--filter", &format!("label=slipway.node={node}"), "--format", "{{json .}}"])
            .stdin(Stdio::null())
            .stdout(File::create(events.path())?)
            .spawn()
            .context("docker")?;
        Ok(Self { events, listener })
    }

    /// What was seen of a container so far.
    ///
    /// # Errors
    /// When what was heard cannot be read.
    pub fn of(&self, container: &str) -> Result<Ending> {
        let mut ending = Ending { container: container.to_owned(), signals: Vec::new(), exit_code: None };
        for line in fs::read_to_string(self.events.path())?.lines() {
            // The last line may be half written.
            let Ok(event) = serde_json::from_str::<Value>(line) else { continue };
            if event["id"] != container {
                continue;
            }
            let attributes = &event["Actor"]["Attributes"];
            match event["Action"].as_str() {
                Some("kill") => ending.signals.push(attributes["signal"].as_str().unwrap_or_default().to_owned()),
                Some("die") => ending.exit_code = attributes["exitCode"].as_str().and_then(|code| code.parse().ok()),
                _ => {}
            }
        }
        Ok(ending)
    }
}

impl Drop for Endings {
    fn drop(&mut self) {
        let _ = self.listener.kill();
        let _ = self.listener.wait();
    }
}
