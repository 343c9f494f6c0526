use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::application;
use crate::client::Client;
use crate::exit::Failure;
use crate::subscription::{Event, Socket};
use crate::{Global, output};

#[derive(Args)]
pub struct Logs {
    /// Application.
    app: String,
    /// Keep following.
    #[arg(long, short)]
    follow: bool,
    /// Begin with this many of the newest lines.
    #[arg(long, short = 'n', default_value_t = 100)]
    tail: u32,
    /// Only lines that say they are at least so bad: in JSON, as `level=…`, or with a word such as `[ERROR]` at their beginning.
    #[arg(long, value_parser = ["debug", "info", "warn", "error"])]
    severity: Option<String>,
}

impl Logs {
    pub async fn run(self, global: &Global) -> Result<ExitCode> {
        let client = Client::new(global)?;
        let app = application(&client, &self.app, "slug").await?;
        let mut cursor = None;
        let mut failures = 0;
        loop {
            match self.stream(&client, &app, &mut cursor, global.json).await {
                Ok(()) => return Ok(ExitCode::SUCCESS),
                Err(error) if error.downcast_ref::<Failure>().is_some() || failures > 60 => return Err(error),
                Err(_) => {
                    failures += 1;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn stream(&self, client: &Client, app: &Value, cursor: &mut Option<String>, json_output: bool) -> Result<()> {
        let mut socket = Socket::open(client).await?;
        let document = "subscription($id: ID!, $after: String, $tail: Int, $severity: LogSeverity) { \
            applicationLogs(applicationId: $id, after: $after, tail: $tail, minSeverity: $severity) \
            { lines { timestamp stream severity instanceId message } endCursor droppedLines } }";
        let severity = self.severity.as_ref().map(|severity| severity.to_uppercase());
        let variables = json!({ "id": app["id"], "after": cursor, "tail": self.tail, "severity": severity });
        socket.subscribe("logs", document, variables).await?;
        loop {
            let event = match self.follow {
                true => socket.next().await?,
                // What there is comes at once; silence is the end of it.
                false => match tokio::time::timeout(Duration::from_millis(1500), socket.next()).await {
                    Ok(event) => event?,
                    Err(_) => return Ok(()),
                },
            };
            let Event::Next { data, .. } = event else { return Ok(()) };
            let batch = &data["applicationLogs"];
            for line in batch["lines"].as_array().into_iter().flatten() {
                if json_output {
                    output::json_line(line)
                } else {
                    println!("{} {}", output::text(line, "/timestamp"), output::text(line, "/message"))
                }
            }
            if batch["droppedLines"].as_u64().unwrap_or_default() > 0 {
                eprintln!("({} lines left out: they came faster than they could be read)", batch["droppedLines"]);
            }
            if let Some(end) = batch["endCursor"].as_str() {
                *cursor = Some(end.to_owned());
            }
        }
    }
}
