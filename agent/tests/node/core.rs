//! A tiny core: a certificate authority, HTTPS for what is fetched, and the agent's WebSocket, all over real TLS.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ed25519_dalek::{SigningKey, Verifier};
use futures::{SinkExt, StreamExt};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use slipway_agent::{Identity, Timing};
use slipway_model::{Clock, NodeId, Secret, Sha256Digest};
use slipway_protocol::{AgentMessage, CoreMessage, Hello, TaskEvent, Welcome, challenge_payload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct TinyCore {
    pub ca_pem: String,
    pub ca_digest: Sha256Digest,
    pub url: url::Url,
    listener: TcpListener,
    tls: TlsAcceptor,
}

impl TinyCore {
    pub async fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let leaf_key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&leaf_key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::from_pem_slice(leaf_key.serialize_pem().as_bytes()).unwrap())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
        Self { ca_pem: ca.pem(), ca_digest: Sha256Digest::of(ca.der()), url, listener, tls: TlsAcceptor::from(Arc::new(config)) }
    }

    /// An identity that believes this core, kept in the agent's folder; and the public half of its key.
    pub fn enrolled(&self, folder: &std::path::Path, clock: &dyn Clock) -> (NodeId, ed25519_dalek::VerifyingKey) {
        let mut seed = [0; 32];
        clock.fill(&mut seed);
        let (node, key) = (NodeId::new(clock), SigningKey::from_bytes(&seed));
        Identity::new(node, self.ca_pem.clone(), key.clone()).save(folder).unwrap();
        (node, key.verifying_key())
    }

    async fn accept(&self) -> Option<TlsStream<TcpStream>> {
        let (stream, _) = self.listener.accept().await.unwrap();
        self.tls.accept(stream).await.ok()
    }

    /// The next agent that gets through TLS, before anything is said.
    pub async fn socket(&self) -> Peer {
        let waiting = async {
            loop {
                if let Some(stream) = self.accept().await
                    && let Ok(socket) = tokio_tungstenite::accept_async(stream).await
                {
                    return Peer { socket };
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("no agent came")
    }

    /// The next session, greeted.
    pub async fn session(&self, clock: &dyn Clock) -> (Peer, Hello) {
        let mut peer = self.socket().await;
        let hello = peer.greet(clock).await;
        (peer, hello)
    }

    /// Whether nobody comes for this long.
    pub async fn is_left_alone(&self, time: Duration) -> bool {
        tokio::time::timeout(time, self.listener.accept()).await.is_err()
    }

    /// Answers plain HTTPS requests, one per connection, and remembers them (request line and body).
    pub fn serve(self, answer: impl Fn(&str, &str) -> (u16, Vec<u8>) + Send + Sync + 'static) -> Served {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, url, ca_pem, ca_digest) = (Arc::clone(&requests), self.url.clone(), self.ca_pem.clone(), self.ca_digest);
        let handle = tokio::spawn(async move {
            loop {
                let Some(mut stream) = self.accept().await else { continue };
                let mut bytes = Vec::new();
                let (mut head_end, mut length) = (None, 0);
                while head_end.is_none_or(|end: usize| bytes.len() < end + length) {
                    let mut chunk = [0; 4096];
                    match stream.read(&mut chunk).await {
                        Ok(0) | Err(_) => break,
                        Ok(count) => bytes.extend_from_slice(&chunk[..count]),
                    }
                    if head_end.is_none()
                        && let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n")
                    {
                        head_end = Some(end + 4);
                        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
                        let header = head.lines().find_map(|line| line.strip_prefix("content-length:"));
                        length = header.map_or(0, |value| value.trim().parse().unwrap());
                    }
                }
                let Some(end) = head_end else { continue };
                let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
                let body = String::from_utf8_lossy(&bytes[end..]).into_owned();
                let (status, content) = answer(&head, &body);
                seen.lock().unwrap().push((head.lines().next().unwrap_or_default().to_owned(), body));
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(&content).await;
                let _ = stream.shutdown().await;
            }
        });
        Served { url, ca_pem, ca_digest, requests, handle }
    }
}

pub struct Served {
    pub url: url::Url,
    pub ca_pem: String,
    pub ca_digest: Sha256Digest,
    pub requests: Arc<Mutex<Vec<(String, String)>>>,
    handle: tokio::task::JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// The core's side of one connection.
pub struct Peer {
    socket: WebSocketStream<TlsStream<TcpStream>>,
}

impl Peer {
    pub async fn greet(&mut self, clock: &dyn Clock) -> Hello {
        let hello = self.challenge(&"ab".repeat(32)).await;
        let welcome =
            Welcome { protocol_version: 1, core_version: "test".into(), session_token: Secret::new("session-token"), now: clock.now() };
        self.send(CoreMessage::Welcome(welcome)).await;
        hello
    }

    pub async fn challenge(&mut self, nonce: &str) -> Hello {
        self.send(CoreMessage::Challenge { nonce: nonce.to_owned() }).await;
        match self.next().await {
            Some(AgentMessage::Hello(hello)) => hello,
            other => panic!("a hello was expected, not {other:?}"),
        }
    }

    pub async fn send(&mut self, message: CoreMessage) {
        self.socket.send(Message::text(serde_json::to_string(&message).unwrap())).await.unwrap();
    }

    /// `None` once the connection is closed.
    pub async fn next(&mut self) -> Option<AgentMessage> {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("the agent says nothing");
            match frame? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(text.as_str()).unwrap()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// The next message that `pick` takes.
    pub async fn until<T>(&mut self, pick: impl Fn(AgentMessage) -> Option<T>) -> T {
        let waiting = async {
            loop {
                let message = self.next().await.expect("the agent closed the connection");
                if let Some(found) = pick(message) {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("what was waited for did not come")
    }

    pub async fn event(&mut self) -> TaskEvent {
        self.until(|message| if let AgentMessage::Task(event) = message { Some(event) } else { None }).await
    }

    pub async fn close(mut self, code: u16) {
        let _ = self.socket.close(Some(CloseFrame { code: code.into(), reason: "because".into() })).await;
        while let Some(Ok(_)) = self.socket.next().await {}
    }
}

/// Whether the hello proves that it comes from the holder of this key.
pub fn proves(hello: &Hello, key: &ed25519_dalek::VerifyingKey, nonce: &str) -> bool {
    let signature: [u8; 64] = hex::decode(&hello.signature).unwrap().try_into().unwrap();
    key.verify(&challenge_payload(nonce, hello.node), &ed25519_dalek::Signature::from_bytes(&signature)).is_ok()
}

pub fn quick() -> Timing {
    Timing {
        heartbeat: Duration::from_millis(500),
        reconnect: (Duration::from_millis(20), Duration::from_millis(100)),
        resend: Duration::from_millis(300),
        settle: Duration::from_secs(2),
        reconcile: Duration::from_millis(200),
        sample: Duration::from_millis(200),
    }
}

/// For requests to applications and the ingress.
pub fn plain_http() -> reqwest::Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().use_preconfigured_tls(tls).no_proxy().timeout(Duration::from_secs(10)).build().unwrap()
}
