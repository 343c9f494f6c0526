//! From a token to an identity.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use slipway_agent::{Config, EnrollError, Identity, IngressConfig, Timing, enroll};
use slipway_model::{NodeId, Sha256Digest, system_clock};
use slipway_protocol::{EnrollRefusal, EnrollRequest, EnrollResponse, EnrollmentToken};

use crate::core::TinyCore;

fn config(folder: &Path, core: &url::Url) -> Config {
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    Config {
        data_dir: folder.join("data"),
        core_url: core.clone(),
        docker_socket: folder.join("no.sock"),
        ingress: IngressConfig {
            traefik_binary: "traefik".into(),
            web_address: nowhere,
            websecure: None,
            internal_address: nowhere,
            proxies: BTreeMap::new(),
        },
        node_name: "worker-1".into(),
        ca_bundle: None,
        buildpack_compiler: None,
        allow_private_sources: false,
        allowed_sources: slipway_outbound::Policy::public(),
        public_address: None,
        timing: Timing::default(),
    }
}

fn token(ca: Sha256Digest) -> slipway_model::Secret {
    EnrollmentToken { ca, secret: [5; 32] }.to_secret()
}

#[tokio::test]
async fn a_machine_becomes_a_node_and_stays_it() {
    let (clock, folder) = (system_clock(), tempfile::tempdir().unwrap());
    let node = NodeId::new(&*clock);
    let core = TinyCore::new().await;
    let ca_pem = core.ca_pem.clone();
    let served = core.serve(move |head, _| match head.split(' ').nth(1) {
        Some("/agent/ca.pem") => (200, ca_pem.clone().into_bytes()),
        Some("/agent/enroll") => (200, serde_json::to_vec(&EnrollResponse { node_id: node }).unwrap()),
        _ => (404, Vec::new()),
    });
    let config = config(folder.path(), &served.url);
    let identity = enroll(&config, &token(served.ca_digest), &*clock).await.unwrap();
    assert_eq!(identity.node, node);

    let requests = served.requests.lock().unwrap().clone();
    let sent: EnrollRequest = serde_json::from_str(&requests[1].1).unwrap();
    assert_eq!((sent.name.as_str(), sent.token), ("worker-1", token(served.ca_digest)));
    assert!(sent.facts.memory_bytes > 0);
    let kept = Identity::load(&config.data_dir).unwrap().unwrap();
    assert_eq!((kept.node, kept.ca_pem.clone(), kept.sign("n")), (node, served.ca_pem.clone(), identity.sign("n")));
    let files: Vec<_> = std::fs::read_dir(&config.data_dir).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(files.len(), 1, "no key is left lying about");
    assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);

    let again = enroll(&config, &token(served.ca_digest), &*clock).await.unwrap_err();
    assert!(matches!(again, EnrollError::AlreadyEnrolled(same) if same == node), "{again}");
}

/// F21: a man in the middle sees neither the token nor a key.
#[tokio::test]
async fn a_token_is_not_sent_to_another_authority() {
    let (clock, folder) = (system_clock(), tempfile::tempdir().unwrap());
    let core = TinyCore::new().await;
    let ca_pem = core.ca_pem.clone();
    let served = core.serve(move |_, _| (200, ca_pem.clone().into_bytes()));
    let real = Sha256Digest::of(b"the real authority");
    let error = enroll(&config(folder.path(), &served.url), &token(real), &*clock).await.unwrap_err();
    assert!(matches!(error, EnrollError::WrongAuthority { .. }), "{error}");
    assert_eq!(served.requests.lock().unwrap().len(), 1, "only the CA was asked for");
}

#[tokio::test]
async fn a_refusal_is_told_and_the_next_attempt_has_the_same_key() {
    let (clock, folder) = (system_clock(), tempfile::tempdir().unwrap());
    let core = TinyCore::new().await;
    let ca_pem = core.ca_pem.clone();
    let refusal = EnrollRefusal { code: "TOKEN_INVALID".into(), message: "The token was used already.".into() };
    let body = serde_json::to_vec(&refusal).unwrap();
    let served = core.serve(move |head, _| if head.starts_with("GET") { (200, ca_pem.clone().into_bytes()) } else { (403, body.clone()) });
    let config = config(folder.path(), &served.url);
    for _ in 0..2 {
        let error = enroll(&config, &token(served.ca_digest), &*clock).await.unwrap_err();
        assert!(matches!(&error, EnrollError::Refused(told) if *told == refusal), "{error}");
    }
    assert!(Identity::load(&config.data_dir).unwrap().is_none());
    let requests = served.requests.lock().unwrap().clone();
    let key = |index: usize| serde_json::from_str::<EnrollRequest>(&requests[index].1).unwrap().public_key;
    assert_eq!(key(1), key(3), "an attempt whose answer was lost can be repeated");
}

#[tokio::test]
async fn nonsense_and_silence_are_told_apart() {
    let (clock, folder) = (system_clock(), tempfile::tempdir().unwrap());
    let nobody: url::Url = "https://127.0.0.1:1".parse().unwrap();
    let config = config(folder.path(), &nobody);
    let error = enroll(&config, &slipway_model::Secret::new("slipway_join_nonsense"), &*clock).await.unwrap_err();
    assert!(matches!(error, EnrollError::Token(_)), "{error}");
    let error = enroll(&config, &token(Sha256Digest::of(b"")), &*clock).await.unwrap_err();
    assert!(matches!(error, EnrollError::Unreachable { .. }), "{error}");
}
