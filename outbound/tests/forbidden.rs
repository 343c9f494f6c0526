//! Local servers at addresses that are allowed and at one that is not: whatever a customer, a name or a server says, no connection reaches
//! the one that is not.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Method, header};
use slipway_outbound::{Answer, Lookup, Outbound, OutboundError, Policy, ResolveError, Sent};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// Answers every request alike, and counts connections.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn at(ip: &str, port: u16, answer: String) -> Self {
        let listener = TcpListener::bind((ip, port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, requests) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (counted, heard) = (Arc::clone(&connections), Arc::clone(&requests));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                let (answer, heard) = (answer.clone(), Arc::clone(&heard));
                tokio::spawn(async move {
                    let mut bytes = vec![0; 8192];
                    let count = stream.read(&mut bytes).await.unwrap_or(0);
                    heard.lock().unwrap().push(String::from_utf8_lossy(&bytes[..count]).into_owned());
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { address, connections, requests }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn found(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

fn moved(status: u16, to: &str) -> String {
    format!("HTTP/1.1 {status} Moved\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

/// Gives each question the next answer, and the last one from then on.
struct Names {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
}

impl Lookup for Names {
    fn lookup<'a>(&'a self, _name: &'a str, _port: u16) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst).min(self.answers.len() - 1);
        Box::pin(async move { Ok(self.answers[number].clone()) })
    }
}

fn names(answers: &[&[&str]]) -> Arc<Names> {
    let answers = answers.iter().map(|addresses| addresses.iter().map(|text| text.parse().unwrap()).collect()).collect();
    Arc::new(Names { answers, asked: AtomicUsize::new(0) })
}

/// 127.0.0.1 stands for the public internet; everything else of this machine is forbidden.
fn outbound(lookup: Arc<Names>) -> Outbound {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Outbound::new("127.0.0.1".parse::<Policy>().unwrap(), reqwest::Client::builder)
        .with_lookup(lookup)
        .with_limits(Duration::from_secs(5), 1000)
}

async fn get(outbound: &Outbound, url: &str) -> Result<Answer, OutboundError> {
    outbound.send(Sent { method: Method::GET, url: url.parse().unwrap(), headers: HeaderMap::new(), body: Bytes::new() }).await
}

fn is_forbidden(result: &Result<Answer, OutboundError>) -> bool {
    matches!(result, Err(OutboundError::Resolve(ResolveError::Forbidden(_))))
}

#[tokio::test]
async fn a_name_is_asked_about_once_and_one_that_changes_its_mind_leads_nowhere() {
    let inside = Server::at("127.0.0.2", 0, found("secret")).await;
    let outside = Server::at("127.0.0.1", inside.address.port(), found("hello")).await;
    let names = names(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let outbound = outbound(Arc::clone(&names));
    let answer = get(&outbound, &format!("http://rebind.example:{}/", outside.address.port())).await.unwrap();
    assert_eq!((&answer.body[..], names.asked.load(Ordering::SeqCst)), (&b"hello"[..], 1));
    assert!(is_forbidden(&get(&outbound, &format!("http://rebind.example:{}/", outside.address.port())).await));
    assert_eq!((outside.connections(), inside.connections()), (1, 0));
}

#[tokio::test]
async fn redirects_are_judged_like_the_first_address() {
    let inside = Server::at("127.0.0.2", 0, found("secret")).await;
    let port = inside.address.port();
    for status in [301, 302, 303, 307, 308] {
        for to in [
            format!("http://127.0.0.2:{port}/"),
            format!("//127.0.0.2:{port}/"),
            format!("http://2130706434:{port}/"),
            "http://[::1]/".to_owned(),
        ] {
            let outside = Server::at("127.0.0.1", 0, moved(status, &to)).await;
            let result = get(&outbound(names(&[&["127.0.0.1"]])), &format!("http://{}/", outside.address)).await;
            assert!(is_forbidden(&result), "{status} {to}: {result:?}");
        }
    }
    // A name that leads inside only when it is asked about for the redirect.
    let outside = Server::at("127.0.0.1", 0, moved(302, &format!("http://b.example:{port}/"))).await;
    let result = get(&outbound(names(&[&["127.0.0.1"], &["127.0.0.2"]])), &format!("http://a.example:{}/", outside.address.port())).await;
    assert!(is_forbidden(&result), "{result:?}");
    let outside = Server::at("127.0.0.1", 0, moved(302, "file:///etc/passwd")).await;
    let result = get(&outbound(names(&[&["127.0.0.1"]])), &format!("http://{}/", outside.address)).await;
    assert!(matches!(result, Err(OutboundError::Resolve(ResolveError::Scheme(_)))), "{result:?}");
    assert_eq!(inside.connections(), 0, "not one packet");
}

#[tokio::test]
async fn no_spelling_of_an_address_reaches_what_is_inside() {
    let inside = Server::at("127.0.0.2", 0, found("secret")).await;
    let port = inside.address.port();
    let outbound = outbound(names(&[&["127.0.0.2"]]));
    for host in [
        "127.0.0.2",
        "2130706434",
        "0177.0.0.2",
        "0x7f000002",
        "127.2",
        "[::ffff:127.0.0.2]",
        "[::ffff:7f00:2]",
        "inside.example",
        "127.0.0.2.",
    ] {
        let result = get(&outbound, &format!("http://{host}:{port}/")).await;
        assert!(is_forbidden(&result), "{host}: {result:?}");
    }
    assert_eq!(inside.connections(), 0);
}

#[tokio::test]
async fn what_opens_one_host_is_not_shown_to_another_and_a_post_becomes_a_get() {
    let second = Server::at("127.0.0.1", 0, found("there")).await;
    let first = Server::at("127.0.0.1", 0, moved(302, &format!("http://{}/next", second.address))).await;
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, "Bearer secret".parse().unwrap());
    headers.insert("x-kept", "yes".parse().unwrap());
    let sent = Sent { method: Method::POST, url: format!("http://{}/", first.address).parse().unwrap(), headers, body: "payload".into() };
    let answer = outbound(names(&[&["127.0.0.1"]])).send(sent).await.unwrap();
    assert_eq!((&answer.body[..], answer.url.path()), (&b"there"[..], "/next"));
    let (before, after) = (first.requests.lock().unwrap()[0].clone(), second.requests.lock().unwrap()[0].clone());
    assert!(before.starts_with("POST / ") && before.contains("Bearer secret") && before.ends_with("payload"), "{before}");
    assert!(after.starts_with("GET /next ") && !after.contains("secret") && after.contains("x-kept: yes"), "{after}");
}

#[tokio::test]
async fn endless_redirects_long_answers_and_silence_end() {
    let names = || names(&[&["127.0.0.1"]]);
    let endless = Server::at("127.0.0.1", 0, moved(302, "/again")).await;
    let result = get(&outbound(names()), &format!("http://{}/", endless.address)).await;
    assert!(matches!(result, Err(OutboundError::TooManyRedirects(_))), "{result:?}");
    assert_eq!(endless.connections(), 6);
    let long = Server::at("127.0.0.1", 0, found(&"x".repeat(2000))).await;
    let result = get(&outbound(names()), &format!("http://{}/", long.address)).await;
    assert!(matches!(result, Err(OutboundError::TooLong(1000))), "{result:?}");
    let silent = Server::at("127.0.0.1", 0, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n".to_owned()).await;
    let short = outbound(names()).with_limits(Duration::from_millis(300), 1000);
    let result = get(&short, &format!("http://{}/", silent.address)).await;
    assert!(matches!(result, Err(OutboundError::TimedOut { .. } | OutboundError::Failed { .. })), "{result:?}");
}
