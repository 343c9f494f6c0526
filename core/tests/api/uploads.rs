//! Archives: announced, sent once to their ticket, and checked.

use chrono::TimeDelta;
use serde_json::{Value, json};
use slipway_model::{Role, Sha256Digest};

use crate::world::{Customer, World};

const ARCHIVE: &[u8] = b"an archive, as far as anybody looks at it here";

async fn announce(world: &World, customer: &Customer, application: &str, content: &[u8]) -> Value {
    let input =
        json!({"applicationId": application, "sizeBytes": content.len().to_string(), "sha256": Sha256Digest::of(content).to_string()});
    let mut payload =
        world.mutate(&customer.token, "sourceUploadCreate", input, "upload { id uploadUrl method expiresAt sha256 sizeBytes }").await;
    payload["upload"].take()
}

async fn put(world: &World, upload: &Value, body: impl Into<reqwest::Body>) -> (u16, Value) {
    // The platform's public name leads elsewhere in a test: only the path counts.
    let url = reqwest::Url::parse(upload["uploadUrl"].as_str().unwrap()).unwrap();
    let answer = world.http.put(world.url(url.path())).body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn an_archive_is_sent_once_and_kept_by_its_content() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let application = world.application(&ada, "Shop").await;
    let upload = announce(&world, &ada, &application, ARCHIVE).await;
    assert!(upload["uploadUrl"].as_str().unwrap().starts_with("http://slipway.example/uploads/"));
    let (status, body) = put(&world, &upload, ARCHIVE).await;
    assert_eq!((status, &body["id"]), (200, &upload["id"]), "{body}");
    let kept = world.config.data_dir.join("uploads").join(upload["sha256"].as_str().unwrap());
    assert_eq!(std::fs::read(kept).unwrap(), ARCHIVE);
    let (status, body) = put(&world, &upload, ARCHIVE).await;
    assert_eq!((status, &body["code"]), (409, &json!("UPLOAD_USED")));
    let seen = world
        .data(&ada.token, "query($id: ID!) { node(id: $id) { ... on SourceUpload { receivedAt uploadUrl } } }", json!({"id": upload["id"]}))
        .await;
    assert!(seen["node"]["receivedAt"].is_string() && seen["node"]["uploadUrl"].is_null(), "the ticket is shown once: {seen}");
}

#[tokio::test]
async fn what_was_not_announced_is_not_taken() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let application = world.application(&ada, "Shop").await;
    let upload = announce(&world, &ada, &application, ARCHIVE).await;
    let other = vec![b'x'; ARCHIVE.len()];
    let unknown = json!({"uploadUrl": "http://x/uploads/nothing"});
    for (upload, body, expected) in [
        (&upload, ARCHIVE[1..].to_vec(), (422, "TOO_SHORT")),
        (&upload, [ARCHIVE, b"x"].concat(), (413, "TOO_LONG")),
        (&upload, other, (422, "DIGEST_MISMATCH")),
        (&unknown, ARCHIVE.to_vec(), (404, "NOT_FOUND")),
    ] {
        let (status, body) = put(&world, upload, body).await;
        assert_eq!((status, body["code"].as_str().unwrap()), expected, "{body}");
    }
    // Without a length: a stream of unknown size.
    let stream = futures::stream::iter([Ok::<_, std::io::Error>(ARCHIVE)]);
    let (status, body) = put(&world, &upload, reqwest::Body::wrap_stream(stream)).await;
    assert_eq!((status, &body["code"]), (411, &json!("LENGTH_REQUIRED")));
    // None of it used the ticket up or left a file.
    assert_eq!(std::fs::read_dir(world.config.data_dir.join("uploads/tmp")).unwrap().count(), 0);
    world.clock.advance(TimeDelta::minutes(16));
    let (status, body) = put(&world, &upload, ARCHIVE).await;
    assert_eq!((status, &body["code"]), (410, &json!("UPLOAD_EXPIRED")));
}

#[tokio::test]
async fn an_announcement_is_checked() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let application = world.application(&ada, "Shop").await;
    for (size, sha256, expected) in [
        ("0", "0".repeat(64), "INVALID sizeBytes"),
        ("536870913", "0".repeat(64), "TOO_LONG sizeBytes"),
        ("10", "x".repeat(64), "INVALID sha256"),
        ("10", "0".repeat(63), "INVALID sha256"),
    ] {
        let input = json!({"applicationId": application, "sizeBytes": size, "sha256": sha256});
        assert_eq!(world.refusals(&ada.token, "sourceUploadCreate", input).await, [expected]);
    }
}

#[tokio::test]
async fn an_archive_that_nobody_deployed_goes_and_one_that_is_wanted_stays() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let application = world.application(&ada, "Shop").await;
    let sweep = async || slipway_core::uploads::sweep(world.platform()).await.unwrap();
    let sent = async |content: &'static [u8]| {
        let upload = announce(&world, &ada, &application, content).await;
        assert_eq!(put(&world, &upload, content).await.0, 200);
        upload
    };
    let kept = |content: &[u8]| world.config.data_dir.join("uploads").join(Sha256Digest::of(content).to_string()).exists();
    let deployed = sent(b"deployed").await;
    sent(b"forgotten").await;
    let input = json!({"id": application, "source": {"uploadId": deployed["id"]}});
    assert_eq!(world.refusals(&ada.token, "applicationDeploy", input).await, Vec::<String>::new());
    assert_eq!(sweep().await, 0);
    world.clock.advance(TimeDelta::minutes(16));
    // The same archive once more: its file is still wanted when the first ticket has run out.
    let again = announce(&world, &ada, &application, b"forgotten").await;
    assert_eq!(sweep().await, 1);
    assert!(kept(b"deployed") && kept(b"forgotten"));
    assert_eq!(put(&world, &again, &b"forgotten"[..]).await.0, 200);
    world.clock.advance(TimeDelta::minutes(16));
    assert_eq!(sweep().await, 1);
    assert!(kept(b"deployed") && !kept(b"forgotten"));
}
