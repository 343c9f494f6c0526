//! What happens, and worker nodes, watched.

use serde_json::{Value, json};
use slipway_core::changes::Changed;
use slipway_model::{Clock, EventId, NodeId, OrganizationId, Role};
use slipway_store::{
    events::{self, NewEvent},
    nodes,
};

use crate::world::{Socket, World, receive, send};

async fn happen(world: &World, organization: Option<OrganizationId>, kind: &str) -> i64 {
    let event = NewEvent {
        id: EventId::new(&world.clock),
        organization_id: organization,
        application_id: None,
        resource: None,
        kind: kind.to_owned(),
        message: "It happened.".to_owned(),
        data: None,
        created_at: world.clock.now(),
    };
    let mut tx = world.platform().db.begin().await.unwrap();
    let sequence = events::insert(&mut tx, &event).await.unwrap().sequence;
    tx.commit().await.unwrap();
    world.platform().changes.publish(organization, Changed::Events);
    sequence
}

async fn follow(world: &World, token: &str, subscription: &str) -> Socket {
    let mut socket = world.open(token).await;
    let payload = json!({"query": format!("subscription {{ {subscription} }}")});
    send(&mut socket, json!({"type": "subscribe", "id": "1", "payload": payload})).await;
    // What is asked after it is answered after it: the subscription has begun.
    send(&mut socket, json!({"type": "ping"})).await;
    socket
}

async fn next(socket: &mut Socket) -> Value {
    loop {
        let message = receive(socket).await;
        if message["type"] != "pong" && message["type"] != "ping" {
            return message;
        }
    }
}

async fn kinds(socket: &mut Socket, field: &str, count: usize) -> Vec<String> {
    let mut kinds = Vec::new();
    for _ in 0..count {
        let message = next(socket).await;
        kinds.push(message["payload"]["data"][field]["type"].as_str().unwrap_or_else(|| panic!("{message}")).to_owned());
    }
    kinds
}

#[tokio::test]
async fn what_happens_in_an_organization_is_followed_and_resumed_without_losing_or_repeating() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let bob = world.customer("bob", Role::Owner).await;
    let of = |after: Option<i64>| {
        let after = after.map(|after| format!(", afterSequence: \"{after}\"")).unwrap_or_default();
        format!("organizationChanged(id: \"{}\"{after}) {{ type sequence message createdAt }}", ada.organization)
    };
    let first = happen(&world, Some(ada.organization), "one").await;
    happen(&world, Some(bob.organization), "of-another").await;
    happen(&world, None, "of-the-platform").await;
    happen(&world, Some(ada.organization), "two").await;
    let mut socket = follow(&world, &ada.token, &of(Some(0))).await;
    assert_eq!(kinds(&mut socket, "organizationChanged", 2).await, ["one", "two"]);
    happen(&world, Some(ada.organization), "three").await;
    assert_eq!(kinds(&mut socket, "organizationChanged", 1).await, ["three"]);
    drop(socket);

    for number in 0..250 {
        happen(&world, Some(ada.organization), &format!("n{number}")).await;
    }
    let mut socket = follow(&world, &ada.token, &of(Some(first))).await;
    let expected: Vec<String> = ["two", "three"].map(str::to_owned).into_iter().chain((0..250).map(|n| format!("n{n}"))).collect();
    assert_eq!(kinds(&mut socket, "organizationChanged", 252).await, expected);

    let mut other = follow(&world, &bob.token, &of(Some(0))).await;
    let refused = next(&mut other).await;
    assert_eq!((&refused["type"], &refused["payload"][0]["extensions"]["code"]), (&json!("error"), &json!("NOT_FOUND")));
    let mut negative = follow(&world, &ada.token, &of(Some(-1))).await;
    assert_eq!(next(&mut negative).await["type"], "error");
}

#[tokio::test]
async fn who_leaves_an_organization_hears_nothing_more_of_it() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let (friend, token) = world.person("friend", false).await;
    let membership = world.join(friend, ada.organization, Role::Viewer).await;
    let mut socket =
        follow(&world, &token, &format!("organizationChanged(id: \"{}\", afterSequence: \"0\") {{ type }}", ada.organization)).await;
    happen(&world, Some(ada.organization), "one").await;
    assert_eq!(kinds(&mut socket, "organizationChanged", 1).await, ["one"]);
    let mut tx = world.platform().db.begin().await.unwrap();
    slipway_store::memberships::delete(&mut tx, &slipway_model::Viewer::Platform, membership).await.unwrap();
    tx.commit().await.unwrap();
    happen(&world, Some(ada.organization), "two").await;
    let message = next(&mut socket).await;
    assert!(message.to_string().contains("NOT_FOUND"), "{message}");
}

#[tokio::test]
async fn what_happens_to_the_platform_is_for_its_administrators() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let mut refused = follow(&world, &ada.token, "platformEvents { type }").await;
    assert_eq!(next(&mut refused).await["payload"][0]["extensions"]["code"], "FORBIDDEN");
    let after = happen(&world, None, "before").await;
    let mut socket = follow(&world, &world.admin, &format!("platformEvents(afterSequence: \"{after}\") {{ type }}")).await;
    happen(&world, Some(ada.organization), "of-an-organization").await;
    happen(&world, None, "node.offline").await;
    assert_eq!(kinds(&mut socket, "platformEvents", 1).await, ["node.offline"]);
}

#[tokio::test]
async fn nodes_are_watched_one_or_all_and_what_piles_up_is_told_once() {
    let world = World::new().await;
    let region = world.region().await.as_str().unwrap().parse().unwrap();
    let mut ids = Vec::new();
    for key in 1..3 {
        let blank = nodes::Node::blank(NodeId::new(&world.clock), region, world.clock.now());
        let node = nodes::Node { public_key: vec![key; 32], name: format!("node-{key}"), ..blank };
        let mut tx = world.platform().db.begin().await.unwrap();
        nodes::insert(&mut tx, &node).await.unwrap();
        tx.commit().await.unwrap();
        ids.push(node.id.to_string());
    }
    let name =
        |message: Value| message["payload"]["data"]["workerNodeChanged"]["name"].as_str().unwrap_or_else(|| panic!("{message}")).to_owned();
    let mut all = follow(&world, &world.admin, "workerNodeChanged { name }").await;
    let mut seen = vec![name(next(&mut all).await), name(next(&mut all).await)];
    seen.sort();
    assert_eq!(seen, ["node-1", "node-2"]);
    let mut one = follow(&world, &world.admin, &format!("workerNodeChanged(id: \"{}\") {{ name }}", ids[0])).await;
    assert_eq!(name(next(&mut one).await), "node-1");

    world.mutate(&world.admin, "nodeUpdate", json!({"id": ids[1], "name": "other"}), "").await;
    assert_eq!(name(next(&mut all).await), "other");
    world.mutate(&world.admin, "nodeUpdate", json!({"id": ids[0], "name": "first"}), "").await;
    assert_eq!((name(next(&mut all).await), name(next(&mut one).await)), ("first".to_owned(), "first".to_owned()));

    // It is gone: nothing more is to come of it.
    world.mutate(&world.admin, "nodeDelete", json!({"id": ids[0]}), "").await;
    assert_eq!(next(&mut one).await, json!({"type": "complete", "id": "1"}));
    let mut missing = follow(&world, &world.admin, &format!("workerNodeChanged(id: \"{}\") {{ name }}", ids[0])).await;
    assert_eq!(next(&mut missing).await["payload"][0]["extensions"]["code"], "NOT_FOUND");
}
