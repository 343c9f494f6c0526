//! The graphql-transport-ws protocol: its messages, its close codes and its limits.

use std::time::Instant;

use serde_json::{Value, json};
use slipway_core::{changes::Changed, seed};
use slipway_model::{
    Clock, DeploymentId, Role, Viewer,
    state::{DeploymentStatus, DeploymentTrigger},
};
use slipway_store::{build_logs, deployments, memberships};
use tokio::net::TcpSocket;
use tokio_tungstenite::{
    MaybeTlsStream, client_async,
    tungstenite::{client::IntoClientRequest, http::HeaderValue},
};

use crate::world::{Socket, World, receive, send};

fn subscribe(id: &str, query: &str) -> Value {
    json!({"type": "subscribe", "id": id, "payload": {"query": query}})
}

#[tokio::test]
async fn a_query_is_answered_and_completed() {
    let world = World::new().await;
    for path in ["/graphql/ws", "/graphql"] {
        let mut socket = world.socket(path).await;
        send(&mut socket, json!({"type": "connection_init"})).await;
        assert_eq!(receive(&mut socket).await, json!({"type": "connection_ack"}));
        send(&mut socket, subscribe("1", "{ __typename }")).await;
        assert_eq!(receive(&mut socket).await, json!({"type": "next", "id": "1", "payload": {"data": {"__typename": "Query"}}}));
        assert_eq!(receive(&mut socket).await, json!({"type": "complete", "id": "1"}));
        send(&mut socket, json!({"type": "ping", "payload": {"x": 1}})).await;
        assert_eq!(receive(&mut socket).await, json!({"type": "pong", "payload": {"x": 1}}));
    }
}

#[tokio::test]
async fn watching_begins_with_what_is_and_goes_on_with_what_changes() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let id = world.application(&ada, "Shop").await;
    let mut socket = world.open(&ada.token).await;
    let query = format!("subscription {{ applicationChanged(id: \"{id}\") {{ name }} }}");
    send(&mut socket, subscribe("1", &query)).await;
    assert_eq!(receive(&mut socket).await["payload"]["data"]["applicationChanged"]["name"], "Shop");

    send(&mut socket, subscribe("1", &query)).await;
    assert_eq!(receive(&mut socket).await, json!({"closed": 4409}));

    let mut socket = world.open(&ada.token).await;
    send(&mut socket, subscribe("1", &query)).await;
    receive(&mut socket).await;
    world.mutate(&ada.token, "applicationUpdate", json!({"id": id, "name": "Store"}), "").await;
    assert_eq!(receive(&mut socket).await["payload"]["data"]["applicationChanged"]["name"], "Store");

    // A completed one says nothing more, not even that it is complete.
    send(&mut socket, json!({"type": "complete", "id": "1"})).await;
    send(&mut socket, json!({"type": "ping"})).await;
    assert_eq!(receive(&mut socket).await, json!({"type": "pong"}));
    world.mutate(&ada.token, "applicationUpdate", json!({"id": id, "name": "Third"}), "").await;
    send(&mut socket, json!({"type": "ping"})).await;
    assert_eq!(receive(&mut socket).await, json!({"type": "pong"}));
}

#[tokio::test]
async fn a_revoked_token_closes_its_sockets_at_once() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let made = world.mutate(&ada.token, "apiTokenCreate", json!({"name": "ci"}), "secret apiToken { id prefix }").await;
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with(made["apiToken"]["prefix"].as_str().unwrap()));
    let mut socket = world.open(secret).await;
    let started = Instant::now();
    let revoked = world.mutate(&ada.token, "apiTokenRevoke", json!({"id": made["apiToken"]["id"]}), "revokedId").await;
    assert_eq!(revoked["revokedId"], made["apiToken"]["id"]);
    assert_eq!(receive(&mut socket).await, json!({"closed": 4403}));
    assert!(started.elapsed().as_millis() < 1_000);
    let answer = world.http.post(world.url("/graphql")).bearer_auth(secret).json(&json!({"query": "{ __typename }"})).send().await.unwrap();
    assert_eq!(answer.status(), 401);
}

/// A deployment that is being built, and that no worker knows of.
async fn building(world: &World, customer: &crate::world::Customer) -> deployments::Deployment {
    let application = world.application(customer, "Shop").await;
    let now = world.clock.now();
    let deployment = deployments::Deployment {
        id: DeploymentId::new(&world.clock),
        organization_id: customer.organization,
        application_id: application.parse().unwrap(),
        number: 1,
        status: DeploymentStatus::Building,
        status_reason: None,
        failure: None,
        trigger: DeploymentTrigger::Manual,
        source: json!({}),
        commit_sha: None,
        commit_message: None,
        branch: None,
        release_id: None,
        rollback_of: None,
        node_id: None,
        plan: None,
        plan_digest: None,
        tool_lock: None,
        attempt: 1,
        created_by: None,
        created_at: now,
        started_at: Some(now),
        finished_at: None,
    };
    let mut tx = world.platform().db.begin().await.unwrap();
    deployments::insert(&mut tx, &deployment).await.unwrap();
    tx.commit().await.unwrap();
    deployment
}

async fn log(world: &World, deployment: &deployments::Deployment, lines: std::ops::Range<usize>) {
    let lines: Vec<String> = lines.map(|n| format!("line {n}")).collect();
    let mut tx = world.platform().db.begin().await.unwrap();
    build_logs::append(&mut tx, deployment.id, None, world.clock.now(), &lines).await.unwrap();
    tx.commit().await.unwrap();
    world.platform().changes.publish(Some(deployment.organization_id), Changed::BuildLog(deployment.id));
}

#[tokio::test]
async fn a_build_log_resumes_without_losing_or_repeating_a_line() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let deployment = building(&world, &ada).await;
    log(&world, &deployment, 1..1001).await;
    let follow = |after: Value, tail: usize| {
        let query = "subscription($id: ID!, $after: String, $tail: Int) { buildLogs(deploymentId: $id, after: $after, tail: $tail) {
            lines { message cursor stream } endCursor droppedLines } }";
        let variables = json!({"id": deployment.id.to_string(), "after": after, "tail": tail});
        json!({"type": "subscribe", "id": "log", "payload": {"query": query, "variables": variables}})
    };
    let mut seen = Vec::new();
    let mut cursor = Value::Null;
    let mut take = |message: Value| {
        let batch = &message["payload"]["data"]["buildLogs"];
        let lines = batch["lines"].as_array().unwrap_or_else(|| panic!("{message}"));
        assert!(lines.len() <= 256);
        seen.extend(lines.iter().map(|line| line["message"].as_str().unwrap().to_owned()));
        (seen.clone(), batch["endCursor"].clone())
    };

    // The first reader begins 600 lines before the end, and goes in the middle of them.
    let mut socket = world.open(&ada.token).await;
    send(&mut socket, follow(Value::Null, 600)).await;
    for _ in 0..2 {
        cursor = take(receive(&mut socket).await).1;
    }
    drop(socket);

    // The next one goes on where that stopped, and then hears what is new.
    let mut socket = world.open(&ada.token).await;
    send(&mut socket, follow(cursor, 100)).await;
    take(receive(&mut socket).await);
    log(&world, &deployment, 1001..1011).await;
    let (seen, _) = take(receive(&mut socket).await);
    let expected: Vec<String> = (401..1011).map(|n| format!("line {n}")).collect();
    assert_eq!(seen, expected);

    // It ends with its deployment.
    let mut tx = world.platform().db.begin().await.unwrap();
    let ended = deployments::Deployment { status: DeploymentStatus::Failed, ..deployment.clone() };
    deployments::update(&mut tx, &ended).await.unwrap();
    tx.commit().await.unwrap();
    world.platform().changes.publish(Some(deployment.organization_id), Changed::Deployment(deployment.id));
    assert_eq!(receive(&mut socket).await, json!({"type": "complete", "id": "log"}));
}

#[tokio::test]
async fn a_flood_on_one_stream_does_not_starve_another() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let deployment = building(&world, &ada).await;
    log(&world, &deployment, 1..20_001).await;
    let mut socket = world.open(&ada.token).await;
    let query = format!("subscription {{ buildLogs(deploymentId: \"{}\", after: \"0\") {{ endCursor }} }}", deployment.id);
    send(&mut socket, subscribe("flood", &query)).await;
    send(&mut socket, subscribe("quiet", "{ __typename }")).await;
    let mut before = 0;
    loop {
        let message = receive(&mut socket).await;
        if message["id"] == "quiet" {
            break;
        }
        before += 1;
    }
    assert!(before < 40, "the quiet one waited for {before} of 79 batches");
}

/// A client of little patience: it takes a few kilobytes from the wire and then no more.
async fn open_and_do_not_read(world: &World, token: &str) -> Socket {
    let wire = TcpSocket::new_v4().unwrap();
    wire.set_recv_buffer_size(4096).unwrap();
    let stream = wire.connect(world.core.address()).await.unwrap();
    let mut request = format!("ws://{}/graphql/ws", world.core.address()).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("graphql-transport-ws"));
    let (mut socket, _) = client_async(request, MaybeTlsStream::Plain(stream)).await.unwrap();
    send(&mut socket, json!({"type": "connection_init", "payload": {"token": token}})).await;
    assert_eq!(receive(&mut socket).await, json!({"type": "connection_ack"}));
    socket
}

/// Of this process, in MiB.
fn anonymous_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// The next message that is not the server's own ping.
async fn no_ping(socket: &mut Socket) -> Value {
    loop {
        let message = receive(socket).await;
        if message != json!({"type": "ping"}) {
            return message;
        }
    }
}

const IDLE: u64 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_never_read_are_let_go_and_hold_up_nobody() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let deployment = building(&world, &ada).await;
    let wide = "x".repeat(200);
    let mut tx = world.platform().db.begin().await.unwrap();
    for _ in 0..20 {
        let lines: Vec<String> = (0..1_000).map(|n| format!("{n} {wide}")).collect();
        build_logs::append(&mut tx, deployment.id, None, world.clock.now(), &lines).await.unwrap();
    }
    tx.commit().await.unwrap();
    let query = format!("subscription {{ buildLogs(deploymentId: \"{}\", after: \"0\") {{ lines {{ message }} }} }}", deployment.id);
    let before = anonymous_memory();
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        let mut socket = open_and_do_not_read(&world, &ada.token).await;
        send(&mut socket, subscribe("flood", &query)).await;
        idle.push(socket);
    }

    // Meanwhile another one is served as ever.
    let mut other = world.open(&ada.token).await;
    let (started, mut most) = (Instant::now(), 0);
    while started.elapsed().as_secs() < 35 {
        let asked = Instant::now();
        send(&mut other, subscribe("q", "{ viewer { email } }")).await;
        assert_eq!(no_ping(&mut other).await["type"], "next");
        assert_eq!(no_ping(&mut other).await["type"], "complete");
        assert!(asked.elapsed().as_secs() < 5, "it waited {:?}", asked.elapsed());
        most = most.max(anonymous_memory().saturating_sub(before));
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(most < IDLE, "{most} MiB are kept for {IDLE} who do not read");

    // What was on its way is still there, then nothing.
    let mut batches = 0;
    for mut socket in idle {
        while receive(&mut socket).await.get("closed").is_none() {
            batches += 1;
        }
    }
    assert!(batches < IDLE * 20, "{batches} of the 79 batches of each were kept for {IDLE} who did not read");
}

#[tokio::test]
async fn who_may_no_longer_see_it_hears_no_more_of_it() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let id = world.application(&ada, "Shop").await;
    let mut socket = world.open(&ada.token).await;
    let query = format!("subscription {{ applicationChanged(id: \"{id}\") {{ name }} }}");
    send(&mut socket, subscribe("1", &query)).await;
    assert_eq!(receive(&mut socket).await["payload"]["data"]["applicationChanged"]["name"], "Shop");

    let mut tx = world.platform().db.begin().await.unwrap();
    let membership = memberships::of_users(&mut tx, &[ada.user]).await.unwrap()[&ada.user][0].id;
    memberships::delete(&mut tx, &Viewer::Platform, membership).await.unwrap();
    tx.commit().await.unwrap();
    world.platform().changes.publish(Some(ada.organization), Changed::Application(id.parse().unwrap()));
    let last = receive(&mut socket).await;
    assert_eq!((&last["type"], &last["id"]), (&json!("complete"), &json!("1")), "{last}");
    assert!(!last.to_string().contains("Shop"));
}

#[tokio::test]
async fn a_session_that_is_ended_closes_its_sockets_and_no_others() {
    let world = World::new().await;
    let password = std::fs::read_to_string(world.config.data_dir.join(seed::PASSWORD_FILE)).unwrap();
    let input = json!({"email": seed::ADMIN_EMAIL, "password": password.trim()});
    let query = "mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { token } }";
    let token = world.ask(None, query, json!({"input": input})).await["data"]["sessionCreate"]["token"].take();
    let token = token.as_str().unwrap();
    let mut socket = world.open(token).await;
    let mut other = world.open(&world.admin).await;
    let viewer = world.data(token, "{ viewer { sessions { id current } } }", json!({})).await;
    let id = viewer["viewer"]["sessions"].as_array().unwrap().iter().find(|session| session["current"] == true).unwrap()["id"].clone();
    world.mutate(&world.admin, "sessionRevoke", json!({"id": id}), "revokedId").await;
    assert_eq!(receive(&mut socket).await, json!({"closed": 4403}));
    send(&mut other, json!({"type": "ping"})).await;
    assert_eq!(receive(&mut other).await, json!({"type": "pong"}));
}
