//! Its sessions: how it joins and says who it is, and what it hears and says until the network is cut.

use std::{
    collections::{HashMap, btree_map::Entry},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use ed25519_dalek::{Signer, SigningKey};
use futures::{SinkExt, StreamExt};
use slipway_model::{NodeId, Secret, system_clock};
use slipway_protocol::{
    AgentMessage, CA_PATH, CONNECT_PATH, CoreMessage, EnrollRequest, Heartbeat, Hello, LogBatch, NodeFacts, ObservedState,
    PROTOCOL_VERSIONS, TaskEventKind, Welcome, challenge_payload,
};
use tokio::{net::TcpStream, sync::mpsc};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config, tungstenite::Message};

use super::{
    Behaviour,
    machine::{PENDING, Record, observe, work},
};

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn facts() -> NodeFacts {
    NodeFacts {
        agent_version: "0.1.0".into(),
        docker_version: Some("20.10.24".into()),
        kernel_version: Some("6.18".into()),
        cpu_millis: 4000,
        memory_bytes: 8 << 30,
        storage_bytes: 100 << 30,
        public_address: Some("127.0.0.1".into()),
    }
}

/// TLS that trusts the control plane's authority alone.
pub async fn trusting(address: SocketAddr) -> (Arc<rustls::ClientConfig>, Vec<u8>) {
    let provider = || Arc::new(rustls::crypto::ring::default_provider());
    let _ = rustls::crypto::ring::default_provider().install_default();
    let blind = reqwest::Client::builder().danger_accept_invalid_certs(true).build().unwrap();
    let pem = blind.get(format!("https://{address}{CA_PATH}")).send().await.unwrap().bytes().await.unwrap();
    let certificate = rustls_pki_types::pem::PemObject::from_pem_slice(&pem).unwrap();
    let certificate: rustls_pki_types::CertificateDer<'static> = certificate;
    let der = certificate.to_vec();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(config), der)
}

pub fn http(tls: &Arc<rustls::ClientConfig>) -> reqwest::Client {
    reqwest::Client::builder().use_preconfigured_tls(rustls::ClientConfig::clone(tls)).build().unwrap()
}

pub fn new_key() -> SigningKey {
    let mut bytes = [0; 32];
    system_clock().fill(&mut bytes);
    SigningKey::from_bytes(&bytes)
}

pub fn enroll_request(token: &str, key: &SigningKey) -> EnrollRequest {
    EnrollRequest {
        token: Secret::new(token),
        public_key: data_encoding::HEXLOWER.encode(key.verifying_key().as_bytes()),
        name: "node-a".into(),
        facts: facts(),
    }
}

/// A socket that has heard the challenge and said nothing yet.
pub async fn challenged(address: SocketAddr, tls: &Arc<rustls::ClientConfig>) -> Option<(Socket, String)> {
    let url = format!("wss://{address}{CONNECT_PATH}");
    let connector = Connector::Rustls(tls.clone());
    let (mut socket, _) = connect_async_tls_with_config(url, None, true, Some(connector)).await.ok()?;
    match hear(&mut socket).await? {
        CoreMessage::Challenge { nonce } => Some((socket, nonce)),
        other => panic!("a challenge comes first: {other:?}"),
    }
}

pub fn hello(node: NodeId, key: &SigningKey, nonce: &str) -> Hello {
    Hello {
        node,
        protocol_versions: PROTOCOL_VERSIONS,
        signature: data_encoding::HEXLOWER.encode(&key.sign(&challenge_payload(nonce, node)).to_bytes()),
        facts: facts(),
        tasks: vec![],
        generation: 0,
    }
}

pub async fn hear(socket: &mut Socket) -> Option<CoreMessage> {
    loop {
        match socket.next().await? {
            Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

pub async fn say(socket: &mut Socket, message: &AgentMessage) -> Option<()> {
    socket.send(Message::Text(serde_json::to_string(message).unwrap().into())).await.ok()
}

pub(super) async fn open(
    address: SocketAddr,
    tls: &Arc<rustls::ClientConfig>,
    node: NodeId,
    key: &SigningKey,
    record: &Mutex<Record>,
) -> Option<(Socket, Welcome)> {
    let (mut socket, nonce) = challenged(address, tls).await?;
    let hello = {
        let record = record.lock().unwrap();
        Hello { tasks: record.tasks.keys().copied().collect(), generation: record.desired.generation, ..hello(node, key, &nonce) }
    };
    say(&mut socket, &AgentMessage::Hello(hello)).await?;
    match hear(&mut socket).await? {
        CoreMessage::Welcome(welcome) => Some((socket, welcome)),
        other => panic!("a welcome answers the hello: {other:?}"),
    }
}

/// What was written and not sent yet, of each open query.
fn logs(record: &mut Record) -> Vec<LogBatch> {
    let Record { output, queries, .. } = record;
    let mut batches = Vec::new();
    for (query, sent) in queries.values_mut() {
        let (mut lines, is_first) = (Vec::new(), sent.is_empty());
        for instance in &query.instances {
            let written = output.get(instance).map(Vec::as_slice).unwrap_or_default();
            let from = sent.insert(*instance, written.len()).unwrap_or_else(|| {
                let old = written.iter().take_while(|line| query.since.is_some_and(|since| line.at <= since)).count();
                query.tail.map_or(old, |tail| old.max(written.len().saturating_sub(tail as usize)))
            });
            lines.extend_from_slice(&written[from..]);
        }
        let live = query.follow && is_first && query.tail != Some(0);
        if !lines.is_empty() || live || !query.follow {
            batches.push(LogBatch { query: query.query, lines, dropped_lines: 0, live, end: !query.follow });
        }
    }
    queries.retain(|_, (query, _)| query.follow);
    batches
}

pub(super) async fn talk(
    mut socket: Socket,
    record: &Mutex<Record>,
    behaviour: &Mutex<Behaviour>,
    nudged: &mut mpsc::UnboundedReceiver<()>,
) {
    let mut beat = tokio::time::interval(Duration::from_secs(5));
    let mut turn = tokio::time::interval(Duration::from_millis(10));
    let mut is_first = true;
    // They belong to the session that is over.
    record.lock().unwrap().queries.clear();
    loop {
        let changed = tokio::select! {
            message = hear(&mut socket) => match message {
                Some(message) => take(message, &mut record.lock().unwrap()),
                None => return,
            },
            _ = beat.tick() => {
                if say(&mut socket, &AgentMessage::Heartbeat(heartbeat())).await.is_none() {
                    return;
                }
                false
            }
            _ = turn.tick() => false,
            Some(()) = nudged.recv() => true,
        };
        let behaviour = behaviour.lock().unwrap().clone();
        let (observed, events) = {
            let mut record = record.lock().unwrap();
            let moved = work(&mut record, &behaviour);
            let observed = (moved || changed || is_first).then(|| observe(&mut record, &behaviour));
            // Unacknowledged events are sent again now and then; this one sends them at every turn.
            (observed, record.tasks.values().flatten().cloned().collect::<Vec<_>>())
        };
        is_first = false;
        let mut messages: Vec<AgentMessage> = events.into_iter().map(AgentMessage::Task).collect();
        messages.extend(logs(&mut record.lock().unwrap()).into_iter().map(AgentMessage::Logs));
        messages.extend(std::mem::take(&mut record.lock().unwrap().samples).into_iter().map(AgentMessage::Samples));
        if behaviour.stutters {
            let reversed: Vec<_> = messages.iter().rev().cloned().collect();
            messages = reversed.into_iter().chain(messages).collect();
        }
        if let Some(observed) = observed {
            messages.push(AgentMessage::Observed(observed.clone()));
            if behaviour.stutters {
                // And old news after the new.
                let late = ObservedState { sequence: observed.sequence.saturating_sub(1), instances: vec![], ..observed };
                messages.push(AgentMessage::Observed(late));
            }
        }
        for message in messages {
            if say(&mut socket, &message).await.is_none() {
                return;
            }
        }
    }
}

fn heartbeat() -> Heartbeat {
    Heartbeat {
        at: system_clock().now(),
        cpu_percent: 5.0,
        memory_used_bytes: 1 << 30,
        memory_total_bytes: 8 << 30,
        storage_used_bytes: 1 << 30,
        storage_total_bytes: 100 << 30,
        containers: 0,
        docker_healthy: true,
    }
}

fn take(message: CoreMessage, record: &mut Record) -> bool {
    match message {
        CoreMessage::Desired(desired) if desired.generation > record.desired.generation => {
            record.desired = desired;
            true
        }
        CoreMessage::Task(task) => {
            if let Entry::Vacant(entry) = record.begun.entry(task.id) {
                entry.insert(0);
                record.tasks.insert(task.id, vec![]);
                PENDING.lock().unwrap().insert(task.id, task);
            }
            false
        }
        CoreMessage::TaskAck { task, sequence } => {
            if let Some(events) = record.tasks.get_mut(&task) {
                let is_over =
                    events.iter().any(|event| event.sequence <= sequence && matches!(event.event, TaskEventKind::Finished { .. }));
                events.retain(|event| event.sequence > sequence);
                if is_over {
                    record.tasks.remove(&task);
                }
            }
            false
        }
        CoreMessage::LogOpen(query) => {
            record.queries.insert(query.query, (query, HashMap::new()));
            false
        }
        CoreMessage::LogClose { query } => {
            record.queries.remove(&query);
            false
        }
        CoreMessage::CancelTask { task } => {
            record.tasks.remove(&task);
            PENDING.lock().unwrap().remove(&task);
            record.canceled.push(task);
            false
        }
        _ => false,
    }
}
