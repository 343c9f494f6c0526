//! Open sockets: what an idle one and a subscription weigh, and one log followed by a thousand subscribers.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures::stream::{FuturesUnordered, SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use slipway_e2e::{Platform, Server, write_app};
use slipway_model::system_clock;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest, http::HeaderValue};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::sample::Sample;

const IDLE_SOCKETS: usize = 400;
const SUBSCRIBERS: usize = 1_000;
const SUBSCRIPTIONS_PER_SOCKET: usize = 100;
const FOLLOWED: Duration = Duration::from_secs(15);
/// More than is measured: it is the memory that counts here, not the limits.
const POINTS: &[&str] = &["--points-per-minute", "1000000"];

const PACKAGE: &str = r#"{ "name": "app", "version": "1.0.0", "private": true, "scripts": { "start": "node server.js" } }"#;
const SERVER: &str = "require('http').createServer((_, r) => r.end('ok\\n')).listen(process.env.PORT, '0.0.0.0', () => {
  let n = 0;
  setInterval(() => console.log(`line ${++n} ${Date.now()}`), 20);
});
";

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Socket {
    write: SplitSink<Stream, Message>,
    read: SplitStream<Stream>,
}

impl Socket {
    async fn open(url: &str, token: &str) -> Result<Self> {
        let mut request = url.replacen("http", "ws", 1).into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
        let (write, read) = connect_async(request).await?.0.split();
        let mut socket = Self { write, read };
        socket.send(json!({"type": "connection_init", "payload": {"token": token}})).await?;
        ensure!(socket.receive().await?["type"] == "connection_ack", "the socket was not taken");
        Ok(socket)
    }

    async fn send(&mut self, message: Value) -> Result<()> {
        Ok(self.write.send(Message::text(message.to_string())).await?)
    }

    async fn subscribe(&mut self, id: usize, query: &str) -> Result<()> {
        self.send(json!({"type": "subscribe", "id": id.to_string(), "payload": {"query": query}})).await
    }

    async fn receive(&mut self) -> Result<Value> {
        while let Some(message) = self.read.next().await {
            if let Message::Text(text) = message? {
                return Ok(serde_json::from_str(&text)?);
            }
        }
        bail!("the socket was closed");
    }
}

pub async fn measure() -> Result<()> {
    println!("\n## Sockets");
    weigh().await?;
    fan_out().await
}

async fn weigh() -> Result<()> {
    let server = Server::start(POINTS)?;
    let (url, token, pid) = (server.url("/graphql/ws"), server.token()?, server.pid());
    let application = application(&server).await?;
    let query = format!("subscription {{ applicationChanged(id: \"{application}\") {{ name status }} }}");

    // What the first of each kind brings with it is not counted.
    let mut first = Socket::open(&url, &token).await?;
    first.subscribe(0, &query).await?;
    first.receive().await?;
    let before = anonymous_bytes(pid)?;
    let mut idle = Vec::new();
    for _ in 0..IDLE_SOCKETS {
        idle.push(Socket::open(&url, &token).await?);
    }
    let after = settled(pid).await?;
    println!("an idle socket: {:.1} KB ({IDLE_SOCKETS} of them, goal 40 KB)", kilobytes(after, before) / IDLE_SOCKETS as f64);

    let before = after;
    for socket in idle.iter_mut().take(SUBSCRIBERS / SUBSCRIPTIONS_PER_SOCKET) {
        for id in 0..SUBSCRIPTIONS_PER_SOCKET {
            socket.subscribe(id, &query).await?;
            socket.receive().await?;
        }
    }
    let after = settled(pid).await?;
    println!("a subscription: {:.1} KB ({SUBSCRIBERS} of them)", kilobytes(after, before) / SUBSCRIBERS as f64);
    Ok(())
}

async fn application(server: &Server) -> Result<String> {
    let (url, token) = (server.url("/graphql"), server.token()?);
    let ask = async |query: &str, variables: Value| -> Result<Value> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let request = client.post(&url).bearer_auth(&token).json(&json!({"query": query, "variables": variables}));
        Ok(request.send().await?.json::<Value>().await?["data"].take())
    };
    let offered = "{ organization(slug: \"default\") { id } plan(slug: \"small\") { id } region(slug: \"local\") { id } }";
    let ids = ask(offered, json!({})).await?;
    let create = "mutation($input: ApplicationCreateInput!) { applicationCreate(input: $input) { application { id } } }";
    let input =
        json!({"organizationId": ids["organization"]["id"], "name": "Shop", "planId": ids["plan"]["id"], "regionId": ids["region"]["id"]});
    let made = ask(create, json!({"input": input})).await?;
    Ok(made["applicationCreate"]["application"]["id"].as_str().context("an id")?.to_owned())
}

async fn fan_out() -> Result<()> {
    let platform = Platform::start().await?;
    let pid = platform.pid().context("it runs")?;
    let app = write_app(&[("package.json", PACKAGE), ("server.js", SERVER)])?;
    let deployed = platform.deploy(app.path(), "shop").await?;
    ensure!(deployed.success, "{}\n{:#}", deployed.progress, deployed.report);
    let data = platform.query("{ application(slug: \"shop\") { id } }", json!({})).await?;
    let id = data["application"]["id"].as_str().context("an id")?.to_owned();
    let query = format!("subscription {{ applicationLogs(applicationId: \"{id}\", tail: 0) {{ lines {{ message }} droppedLines }} }}");

    let (url, token) = (platform.url("/graphql/ws"), platform.token()?);
    let mut sockets = Vec::new();
    for _ in 0..SUBSCRIBERS / SUBSCRIPTIONS_PER_SOCKET {
        let mut socket = Socket::open(&url, &token).await?;
        for id in 0..SUBSCRIPTIONS_PER_SOCKET {
            socket.subscribe(id, &query).await?;
        }
        sockets.push(socket);
    }
    let (cpu, begun) = (cpu_seconds(pid)?, Instant::now());
    let mut followers: FuturesUnordered<_> = sockets.into_iter().map(|socket| follow(socket, begun + FOLLOWED)).collect();
    let (mut lines, mut dropped, mut late) = (0, 0, Vec::new());
    while let Some(followed) = followers.next().await {
        let followed = followed?;
        lines += followed.lines;
        dropped += followed.dropped;
        late.extend(followed.late);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let cores = (cpu_seconds(pid)? - cpu) / seconds;
    println!(
        "one log of 50 lines a second, {SUBSCRIBERS} subscribers: {:.0} lines a second delivered, {dropped} dropped",
        lines as f64 / seconds
    );
    println!("from written to received: {}; {cores:.2} cores", Sample::new(late).describe());
    Ok(())
}

struct Followed {
    lines: usize,
    dropped: u64,
    /// Of each batch's newest line, from its writing to its arrival here.
    late: Vec<Duration>,
}

async fn follow(mut socket: Socket, until: Instant) -> Result<Followed> {
    let clock = system_clock();
    let mut followed = Followed { lines: 0, dropped: 0, late: Vec::new() };
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let Ok(message) = tokio::time::timeout(left, socket.receive()).await else { return Ok(followed) };
        let message = message?;
        match message["type"].as_str() {
            Some("ping") => socket.send(json!({"type": "pong"})).await?,
            Some("next") => {
                let batch = &message["payload"]["data"]["applicationLogs"];
                let lines = batch["lines"].as_array().with_context(|| message.to_string())?;
                followed.lines += lines.len();
                followed.dropped += batch["droppedLines"].as_u64().unwrap_or(0);
                let written = lines.last().and_then(|line| line["message"].as_str()?.rsplit(' ').next()?.parse::<i64>().ok());
                if let Some(written) = written {
                    let late = clock.now().timestamp_millis() - written;
                    followed.late.push(Duration::from_millis(late.max(0).unsigned_abs()));
                }
            }
            _ => bail!("{message}"),
        }
    }
}

fn kilobytes(after: u64, before: u64) -> f64 {
    after.saturating_sub(before) as f64 / 1000.0
}

/// Once what was freed has been given back.
async fn settled(pid: u32) -> Result<u64> {
    tokio::time::sleep(Duration::from_secs(3)).await;
    anonymous_bytes(pid)
}

fn anonymous_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).context("RssAnon in /proc")?;
    let kib: u64 = line.split_whitespace().nth(1).context("a figure")?.parse()?;
    Ok(kib * 1024)
}

/// Spent by the process in all.
fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may hold anything; what follows are numbers.
    let fields: Vec<&str> = stat.rsplit(')').next().context("fields")?.split_whitespace().collect();
    let ticks: f64 = fields.get(11..13).context("times")?.iter().filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}
