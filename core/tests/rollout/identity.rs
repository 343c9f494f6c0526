//! Who a node is, and what it may have.

use futures::StreamExt;
use slipway_core::nodes;
use slipway_model::{NodeId, Sha256Digest, state::NodeStatus};
use slipway_protocol::{AgentMessage, BLOB_PATH, ENROLL_PATH, EnrollRefusal, EnrollResponse, EnrollmentToken, Hello, close};
use slipway_store_testing::on_both;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    agent::{Socket, challenged, enroll_request, hear, hello, http, new_key, say, trusting},
    world::{EVERYBODY, World, deploy, forward},
};

async fn close_code(mut socket: Socket) -> u16 {
    loop {
        match socket.next().await {
            Some(Ok(Message::Close(Some(frame)))) => return frame.code.into(),
            Some(Ok(_)) => {}
            other => panic!("a close frame with its code: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_with_one_token_one_joins() {
    on_both(async |database| {
        let world = World::on(database).await;
        let token = world.join_token().await;
        let address = world.core().agent_address();
        let (tls, certificate) = trusting(address).await;
        let parsed: EnrollmentToken = token.token.expose().parse().unwrap();
        assert_eq!(parsed.ca, Sha256Digest::of(&certificate), "the token names the authority");
        let client = http(&tls);
        let tries = (0..100).map(|_| {
            let (client, request) = (client.clone(), enroll_request(token.token.expose(), &new_key()));
            tokio::spawn(async move {
                let answer = client.post(format!("https://{address}{ENROLL_PATH}")).json(&request).send().await.unwrap();
                match answer.status().as_u16() {
                    200 => Some(answer.json::<EnrollResponse>().await.unwrap().node_id),
                    403 => {
                        assert_eq!(answer.json::<EnrollRefusal>().await.unwrap().code, "TOKEN_INVALID");
                        None
                    }
                    other => panic!("{other}"),
                }
            })
        });
        let mut joined = Vec::new();
        for tried in tries.collect::<Vec<_>>() {
            joined.extend(tried.await.unwrap());
        }
        assert_eq!(joined.len(), 1);
        let used = nodes::enrollment_tokens(&world.platform(), EVERYBODY, &slipway_store::Page::first(1)).await.unwrap().items.remove(0);
        assert_eq!(used.used_by, Some(joined[0]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_or_revoked_token_is_refused_like_an_unknown_one() {
    let world = World::new().await;
    let address = world.core().agent_address();
    let (tls, _) = trusting(address).await;
    let refused = async |token: &str| {
        let answer =
            http(&tls).post(format!("https://{address}{ENROLL_PATH}")).json(&enroll_request(token, &new_key())).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<EnrollRefusal>().await.unwrap())
    };
    let unknown = EnrollmentToken { ca: world.platform().fleet.authority_digest(), secret: [9; 32] };
    let unknown = refused(unknown.to_secret().expose()).await;
    let revoked = world.join_token().await;
    nodes::enrollment_token_revoke(&world.platform(), EVERYBODY, revoked.row.id).await.unwrap();
    assert_eq!(refused(revoked.token.expose()).await, unknown);
    let expired = world.join_token().await;
    forward(&world, 601);
    assert_eq!(refused(expired.token.expose()).await, unknown);
    assert_eq!(refused("nonsense").await, unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_an_unknown_node_and_a_revoked_one_are_cut_off() {
    let world = World::new().await;
    let mut agent = world.agent().await;
    agent.cut();
    let as_node = async |node: NodeId, key| {
        let (mut socket, nonce) = challenged(agent.address, &agent.tls).await.unwrap();
        say(&mut socket, &AgentMessage::Hello(hello(node, key, &nonce))).await.unwrap();
        close_code(socket).await
    };
    let stranger = new_key();
    assert_eq!(as_node(agent.node, &stranger).await, close::IDENTITY_REFUSED);
    assert!(world.platform_event_kinds().await.contains(&"node.identity_refused".into()), "an alarm rings");
    let nobody = NodeId::new(&*world.platform().clock);
    assert_eq!(as_node(nobody, &agent.key).await, close::IDENTITY_REFUSED);
    // A signature is bound to its challenge.
    let (mut socket, _) = challenged(agent.address, &agent.tls).await.unwrap();
    say(&mut socket, &AgentMessage::Hello(hello(agent.node, &agent.key, "00"))).await.unwrap();
    assert_eq!(close_code(socket).await, close::IDENTITY_REFUSED);
    // Revoking ends the open session too.
    let (mut socket, nonce) = challenged(agent.address, &agent.tls).await.unwrap();
    say(&mut socket, &AgentMessage::Hello(hello(agent.node, &agent.key, &nonce))).await.unwrap();
    hear(&mut socket).await.unwrap();
    let revoked = nodes::revoke(&world.platform(), EVERYBODY, agent.node).await.unwrap();
    assert_eq!(revoked.status, NodeStatus::Revoked);
    assert_eq!(close_code(socket).await, close::IDENTITY_REFUSED);
    assert_eq!(as_node(agent.node, &agent.key).await, close::IDENTITY_REFUSED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_renewed_and_the_one_before_opens_nothing_any_more() {
    use data_encoding::HEXLOWER;
    use ed25519_dalek::Signer;
    use slipway_protocol::{CoreMessage, renewal_payload};
    let world = World::new().await;
    let mut agent = world.agent().await;
    agent.cut();
    let p = world.platform();
    world.eventually("it is gone", async || (!p.fleet.is_connected(agent.node)).then_some(())).await;
    assert!(nodes::renew_key(&p, EVERYBODY, agent.node).await.is_err(), "it is not connected");
    let next = crate::agent::new_key();
    let talking = async |key: &ed25519_dalek::SigningKey| {
        let (mut socket, nonce) = challenged(agent.address, &agent.tls).await.unwrap();
        say(&mut socket, &AgentMessage::Hello(hello(agent.node, key, &nonce))).await.unwrap();
        match hear(&mut socket).await {
            Some(CoreMessage::Welcome(_)) => Some(socket),
            _ => None,
        }
    };
    let mut socket = talking(&agent.key).await.unwrap();
    world.eventually("it is connected", async || p.fleet.is_connected(agent.node).then_some(())).await;
    nodes::renew_key(&p, EVERYBODY, agent.node).await.unwrap();
    while !matches!(hear(&mut socket).await.unwrap(), CoreMessage::RenewKey) {}
    let public_key = HEXLOWER.encode(next.verifying_key().as_bytes());
    // Somebody else's key is not taken.
    let forged = HEXLOWER.encode(&agent.key.sign(&renewal_payload(&public_key, agent.node)).to_bytes());
    say(&mut socket, &AgentMessage::NextKey { public_key: public_key.clone(), signature: forged }).await.unwrap();
    while hear(&mut socket).await.is_some() {}
    assert!(talking(&next).await.is_none());
    let mut socket = talking(&agent.key).await.unwrap();
    let signature = HEXLOWER.encode(&next.sign(&renewal_payload(&public_key, agent.node)).to_bytes());
    say(&mut socket, &AgentMessage::NextKey { public_key: public_key.clone(), signature }).await.unwrap();
    loop {
        if let CoreMessage::NextKeyKept { public_key: kept } = hear(&mut socket).await.unwrap() {
            assert_eq!(kept, public_key);
            break;
        }
    }
    // Both hold until the node comes with the new one.
    assert!(talking(&agent.key).await.is_some());
    assert!(talking(&next).await.is_some());
    assert!(talking(&agent.key).await.is_none());
    assert!(talking(&next).await.is_some());
    assert!(world.platform_event_kinds().await.contains(&"node.key_renewed".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_break_the_protocol_has_its_close_code() {
    let world = World::new().await;
    let mut agent = world.agent().await;
    agent.cut();
    let (socket, nonce) = challenged(agent.address, &agent.tls).await.unwrap();
    let too_new = Hello { protocol_versions: [7, 9], ..hello(agent.node, &agent.key, &nonce) };
    let mut socket = socket;
    say(&mut socket, &AgentMessage::Hello(too_new)).await.unwrap();
    assert_eq!(close_code(socket).await, close::VERSION);

    let talking = async || {
        let (mut socket, nonce) = challenged(agent.address, &agent.tls).await.unwrap();
        say(&mut socket, &AgentMessage::Hello(hello(agent.node, &agent.key, &nonce))).await.unwrap();
        hear(&mut socket).await.unwrap();
        socket
    };
    use futures::SinkExt;
    let mut socket = talking().await;
    socket.send(Message::Text("{\"type\":\"nonsense\"}".into())).await.unwrap();
    assert_eq!(close_code(socket).await, close::BAD_MESSAGE);
    let mut socket = talking().await;
    socket.send(Message::Binary(vec![1, 2, 3].into())).await.unwrap();
    assert_eq!(close_code(socket).await, close::BAD_MESSAGE);

    let replaced = talking().await;
    let _newer = talking().await;
    assert_eq!(close_code(replaced).await, close::REPLACED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_downloads_only_what_its_unfinished_tasks_name() {
    let world = World::new().await;
    let agent = world.agent().await;
    agent.behave(|behaviour| behaviour.holds_tasks = true);
    let p = world.platform();
    let application = world.application("shop").await;
    let archive: &[u8] = b"an archive";
    let digest = Sha256Digest::of(archive);
    let new =
        slipway_core::uploads::NewUpload { application: application.id, size_bytes: archive.len() as i64, sha256: digest.to_string() };
    let (upload, ticket) = slipway_core::uploads::create(&p, EVERYBODY, new).await.unwrap();
    let body = futures::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"an archive"))]);
    slipway_core::uploads::receive(&p, ticket.expose(), Some(archive.len() as u64), body).await.unwrap();

    let get = async |token: &str, digest: &str| {
        let url = format!("https://{}{BLOB_PATH}/{digest}", agent.address);
        let answer = http(&agent.tls).get(url).bearer_auth(token).send().await.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap())
    };
    assert_eq!(get(&agent.token(), &digest.to_string()).await.0, 404, "no task names it yet");
    let source = Some(slipway_core::deployments::DeploySource::Upload(upload.id));
    let ask = slipway_core::deployments::DeployRequest { source, ..deploy(application.id) };
    let (deployment, _) = slipway_core::deployments::request(&p, EVERYBODY, ask).await.unwrap();
    world.deployment_is(deployment.id, slipway_model::state::DeploymentStatus::Building).await;
    assert_eq!(get(&agent.token(), &digest.to_string()).await, (200, bytes::Bytes::from_static(b"an archive")));
    let buildpack = p.plugins.get("runtime-node").unwrap().buildpack().unwrap().sha256.clone();
    assert_eq!(get(&agent.token(), &buildpack).await.0, 200);
    assert_eq!(get(&agent.token(), &Sha256Digest::of(b"other").to_string()).await.0, 404);
    assert_eq!(get(&agent.token(), "..%2Fsecret.key").await.0, 404);
    assert_eq!(get("guess", &digest.to_string()).await.0, 401);
    // Another node's token opens nothing of this one's.
    let stranger = world.agent().await;
    assert_eq!(get(&stranger.token(), &digest.to_string()).await.0, 404);
    slipway_core::deployments::cancel(&p, EVERYBODY, deployment.id).await.unwrap();
    assert_eq!(get(&agent.token(), &digest.to_string()).await.0, 404, "the task is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_speaks_of_anothers_instances_and_tasks_is_not_believed() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    world.deploy_live(application.id).await;
    let victim = world.serving(application.id).await.remove(0);
    agent.behave(|behaviour| behaviour.holds_tasks = true);
    let (deployment, _) = world.deploy(application.id).await;
    world.deployment_is(deployment.id, slipway_model::state::DeploymentStatus::Building).await;
    let mut tx = world.database.db.read().await.unwrap();
    let task = slipway_store::tasks::of_deployment(&mut tx, deployment.id).await.unwrap().remove(0);
    drop(tx);

    let mut liar = world.agent().await;
    liar.cut();
    let (mut socket, nonce) = challenged(liar.address, &liar.tls).await.unwrap();
    say(&mut socket, &AgentMessage::Hello(hello(liar.node, &liar.key, &nonce))).await.unwrap();
    let now = world.platform().now();
    let lie = slipway_protocol::ObservedInstance {
        id: victim.id,
        status: slipway_model::state::InstanceStatus::Exited,
        container_id: None,
        address: None,
        started_at: None,
        finished_at: None,
        exit_code: Some(1),
        oom_killed: false,
        restart_count: 9,
        reason: None,
        last_lines: vec![],
    };
    let route = slipway_protocol::ObservedRoute { application: application.id, revision_in_force: Some("x".into()), problem: None };
    let observed =
        slipway_protocol::ObservedState { generation: 9, sequence: 9, instances: vec![lie], routes: vec![route], ingress_problem: None };
    say(&mut socket, &AgentMessage::Observed(observed)).await.unwrap();
    let outcome = slipway_protocol::Outcome::Canceled;
    let event =
        slipway_protocol::TaskEvent { task: task.id, sequence: 1, at: now, event: slipway_protocol::TaskEventKind::Finished { outcome } };
    say(&mut socket, &AgentMessage::Task(event)).await.unwrap();
    world
        .eventually("two alarms", async || {
            let kinds = world.platform_event_kinds().await;
            (kinds.contains(&"node.foreign_instance".into()) && kinds.contains(&"node.foreign_task".into())).then_some(())
        })
        .await;
    assert_eq!(world.serving(application.id).await[0], victim);
    let mut tx = world.database.db.read().await.unwrap();
    assert!(!slipway_store::tasks::find(&mut tx, task.id).await.unwrap().unwrap().status.is_terminal());
    assert!(slipway_store::routes::find(&mut tx, liar.node, application.id).await.unwrap().is_none());
}
