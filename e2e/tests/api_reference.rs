//! `docs/api.md`: every example in it is run, and answered as it says.

#![allow(clippy::print_stdout, reason = "how many examples were run is told")]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use slipway_e2e::{Clients, Server, printed, workspace};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest, http::HeaderValue};

/// One fenced block.
#[derive(Debug, Clone)]
struct Block {
    /// Such as `json variables`.
    kind: String,
    text: String,
    line: usize,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (at, line) in page.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(kind) => {
                open = true;
                found.push(Block { kind: kind.trim().to_owned(), text: String::new(), line: at + 1 });
            }
            None if open => {
                let block = found.last_mut().expect("a block is open");
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {}
        }
    }
    found
}

/// Whether an answer is what the page shows. `"..."` stands for anything, and at the end of a string for the rest of it.
fn is_as_shown(shown: &Value, seen: &Value) -> bool {
    match (shown, seen) {
        (Value::String(shown), _) if shown == "..." => !seen.is_null(),
        (Value::String(shown), Value::String(seen)) => match shown.strip_suffix("...") {
            Some(beginning) => seen.starts_with(beginning) && seen.len() > beginning.len(),
            None => shown == seen,
        },
        (Value::Array(shown), Value::Array(seen)) => {
            shown.len() == seen.len() && shown.iter().zip(seen).all(|(shown, seen)| is_as_shown(shown, seen))
        }
        (Value::Object(shown), Value::Object(seen)) => {
            shown.len() == seen.len() && shown.iter().all(|(key, shown)| seen.get(key).is_some_and(|seen| is_as_shown(shown, seen)))
        }
        (shown, seen) => shown == seen,
    }
}

struct Reader {
    server: Server,
    token: String,
    /// What `org_...` and the like stand for.
    ids: BTreeMap<&'static str, Value>,
}

impl Reader {
    async fn begin() -> Result<Self> {
        let server = Server::start(&[])?;
        let token = server.token()?;
        let mut reader = Self { server, token, ids: BTreeMap::new() };
        let query = "{ organization(slug: \"default\") { id } plan(slug: \"small\") { id } region(slug: \"local\") { id } }";
        let data = reader.post(query, json!({})).await?["data"].take();
        reader.ids.extend([
            ("org_...", data["organization"]["id"].clone()),
            ("pln_...", data["plan"]["id"].clone()),
            ("reg_...", data["region"]["id"].clone()),
        ]);
        let input = json!({"organizationId": "org_...", "name": "Example", "planId": "pln_...", "regionId": "reg_..."});
        let create =
            "mutation($input: ApplicationCreateInput!) { applicationCreate(input: $input) { application { id } errors { message } } }";
        let mut made = reader.post(create, reader.filled(json!({"input": input}))).await?;
        let application = made["data"]["applicationCreate"]["application"]["id"].take();
        ensure!(application.is_string(), "{made}");
        reader.ids.insert("app_...", application);
        Ok(reader)
    }

    /// With ids in place of those that the page leaves open.
    fn filled(&self, value: Value) -> Value {
        match value {
            Value::String(text) => self.ids.get(text.as_str()).cloned().unwrap_or(Value::String(text)),
            Value::Array(list) => list.into_iter().map(|value| self.filled(value)).collect(),
            Value::Object(members) => members.into_iter().map(|(key, value)| (key, self.filled(value))).collect(),
            other => other,
        }
    }

    async fn post(&self, query: &str, variables: Value) -> Result<Value> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build()?;
        let request = client.post(self.server.url("/graphql")).bearer_auth(&self.token);
        Ok(request.json(&json!({"query": query, "variables": variables})).send().await?.json().await?)
    }

    /// The first answer to a subscription.
    async fn subscribe(&self, query: &str, variables: Value) -> Result<Value> {
        let mut request = self.server.url("/graphql/ws").replacen("http", "ws", 1).into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
        let init = json!({"type": "connection_init", "payload": {"Authorization": format!("Bearer {}", self.token)}});
        let subscribe = json!({"type": "subscribe", "id": "1", "payload": {"query": query, "variables": variables}});
        for message in [init, subscribe] {
            socket.send(Message::text(message.to_string())).await?;
        }
        loop {
            let message = tokio::time::timeout(Duration::from_secs(10), socket.next()).await?.context("the socket was closed")??;
            let Message::Text(text) = message else { continue };
            let mut message: Value = serde_json::from_str(&text)?;
            match message["type"].as_str() {
                Some("connection_ack" | "ping") => {}
                Some("next") => return Ok(message["payload"].take()),
                _ => bail!("{message}"),
            }
        }
    }

    fn shell(&self, script: &str) -> Result<Value> {
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", script]);
        shell.env("SLIPWAY_URL", self.server.url("")).env("SLIPWAY_TOKEN", &self.token);
        let output = shell.output()?;
        ensure!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A part of a program: it has to load, and what it defines is used as a reader would.
    fn program(&self, text: &str) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let use_it = "\nconst ended = new Promise((resolve) => setTimeout(resolve, 500));\n\
                      const lines = follow(client, process.env.APPLICATION);\n\
                      lines.next().catch(() => process.exit(1));\n\
                      await ended;\nconsole.log('followed');\nprocess.exit(0);\n";
        std::fs::write(folder.path().join("example.mjs"), format!("{text}{use_it}"))?;
        let clients = Clients::install()?;
        let application = self.ids["app_..."].as_str().context("an id")?;
        let environment = [("SLIPWAY_URL", &*self.server.url("")), ("SLIPWAY_TOKEN", &self.token), ("APPLICATION", application)];
        let said =
            printed(&clients.node(&environment, &[(folder.path(), "/clients/example")], &["node", "example/example.mjs"])?.output()?);
        ensure!(said.trim() == "followed", "{said}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_answered_as_the_page_says() -> Result<()> {
    let page = std::fs::read_to_string(workspace().join("docs/api.md"))?;
    let mut blocks = blocks(&page).into_iter().peekable();
    let reader = Reader::begin().await?;
    let mut examples = 0;
    while let Some(block) = blocks.next() {
        let variables = match blocks.next_if(|next| next.kind == "json variables") {
            Some(variables) => reader.filled(serde_json::from_str(&variables.text)?),
            None => json!({}),
        };
        let seen = match block.kind.as_str() {
            "sh" => reader.shell(&block.text)?,
            "graphql" if block.text.starts_with("subscription") => reader.subscribe(&block.text, variables).await?,
            "graphql" => reader.post(&block.text, variables).await?,
            "js" => {
                reader.program(&block.text)?;
                examples += 1;
                continue;
            }
            kind => bail!("line {}: what is to be done with `{kind}`?", block.line),
        };
        let shown = blocks.next_if(|next| next.kind == "json").with_context(|| format!("line {}: no answer is shown", block.line))?;
        let shown: Value = serde_json::from_str(&shown.text).with_context(|| format!("line {}", shown.line))?;
        assert!(is_as_shown(&shown, &seen), "line {}: the page shows {shown:#}, the answer was {seen:#}", block.line);
        examples += 1;
    }
    println!("{examples} examples of docs/api.md were answered as it says");
    assert!(examples >= 9, "{examples}");
    Ok(())
}

#[test]
fn an_answer_is_compared_with_what_is_shown() {
    let shown = json!({"a": "slip_...", "b": [1, "..."], "c": null});
    assert!(is_as_shown(&shown, &json!({"a": "slip_x", "b": [1, {"any": 1}], "c": null})));
    for seen in [
        json!({"a": "slip_", "b": [1, 2], "c": null}),
        json!({"a": "slip_x", "b": [2, 2], "c": null}),
        json!({"a": "slip_x", "b": [1, null], "c": null}),
        json!({"a": "slip_x", "b": [1, 2], "c": null, "d": 1}),
        json!({"a": "slip_x", "b": [1, 2]}),
    ] {
        assert!(!is_as_shown(&shown, &seen), "{seen}");
    }
}
