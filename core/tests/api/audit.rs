//! Every mutation is written down: who, from where, what, and what came of it; and nothing of that can be changed unseen.

use chrono::TimeDelta;
use serde_json::{Value, json};
use slipway_core::seed;
use slipway_model::Role;
use slipway_store::{execute, fetch_one};

use crate::{
    introspected::{Plainly, Schema},
    world::World,
};

const EVENTS: &str = "query($action: String) { auditEvents(first: 100, action: $action) { nodes {
    action outcome actor { email } organization { slug } actorIp userAgent credentialId actorTokenPrefix
    resource { __typename } resourceId data } } }";

async fn events(world: &World, action: Option<&str>) -> Vec<Value> {
    let data = world.data(&world.admin, EVENTS, json!({"action": action})).await;
    data["auditEvents"]["nodes"].as_array().unwrap().clone()
}

async fn chain(world: &World) -> Value {
    world.data(&world.admin, "{ auditChain { intact events brokenAt headHash } }", json!({})).await["auditChain"].take()
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "how much was tried is worth seeing")]
async fn no_mutation_goes_unwritten() {
    let world = World::new().await;
    let schema = Schema::of(&world).await;
    let fields = schema.fields("Mutation");
    assert!(fields.len() > 35, "{}", fields.len());
    let mut expected = 0;
    for field in &fields {
        let call = schema.call("Mutation", field, &Plainly);
        for token in [None, Some(world.admin.as_str())] {
            // Events stand in the order of their times.
            world.clock.advance(TimeDelta::milliseconds(1));
            let answer = world.ask(token, &call.document, call.variables.clone()).await;
            let rejected = answer["errors"][0]["extensions"]["code"] == "QUERY_REJECTED";
            assert!(!rejected, "{}: {answer}", field.name);
            expected += 1;
            let written = events(&world, Some(&field.name)).await;
            assert_eq!(written.len(), if token.is_some() { 2 } else { 1 }, "{}", field.name);
            let outcome = written[0]["outcome"].as_str().unwrap();
            match answer["errors"][0]["extensions"]["code"].as_str() {
                Some("UNAUTHENTICATED" | "FORBIDDEN" | "RATE_LIMITED") => assert_eq!(outcome, "DENIED", "{}", field.name),
                Some(_) => assert_eq!(outcome, "FAILED", "{}", field.name),
                None => {
                    let refused = answer["data"][&field.name]["errors"].as_array().is_some_and(|errors| !errors.is_empty());
                    assert_eq!(outcome, if refused { "FAILED" } else { "ALLOWED" }, "{}: {answer}", field.name);
                }
            }
        }
    }
    let chain = chain(&world).await;
    assert_eq!((&chain["intact"], &chain["events"]), (&json!(true), &json!(expected.to_string())));
    println!("{} mutations, {expected} calls, {expected} rows", fields.len());
}

#[tokio::test]
async fn an_event_says_who_from_where_what_and_what_came_of_it() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let eve = world.customer("eve", Role::Owner).await;
    let id = world.application(&ada, "Shop").await;
    let rename = json!({"id": id, "name": "Another", "autoDeploy": false});
    let tick = || world.clock.advance(TimeDelta::milliseconds(1));
    tick();
    world.mutate(&ada.token, "applicationUpdate", rename.clone(), "").await;
    tick();
    assert_eq!(world.refusals(&eve.token, "applicationUpdate", rename).await, ["NOT_FOUND id"]);
    tick();
    assert_eq!(world.refusals(&ada.token, "applicationUpdate", json!({"id": id, "slug": "No Slug"})).await, ["INVALID slug"]);

    let made = events(&world, Some("applicationCreate")).await;
    assert_eq!(made[0]["resourceId"], id);
    let changed = events(&world, Some("applicationUpdate")).await;
    assert_eq!(
        changed[2],
        json!({
            "action": "applicationUpdate", "outcome": "ALLOWED", "actor": {"email": "ada@example.org"},
            // A token of an administrator opens no customer's organization.
            "organization": null, "resource": null,
            "actorIp": "127.0.0.1", "userAgent": null, "credentialId": changed[2]["credentialId"], "actorTokenPrefix": "slip_",
            "resourceId": id,
            "data": {"input": {"id": id, "name": "…", "autoDeploy": false}},
        })
    );
    assert!(changed[2]["credentialId"].as_str().unwrap().starts_with("tok_"));
    // A stranger's try is the platform's to see, and nothing that a customer can be bothered with.
    assert_eq!((&changed[1]["outcome"], &changed[1]["actor"]["email"]), (&json!("FAILED"), &json!("eve@example.org")));
    assert_eq!((&changed[0]["outcome"], &changed[0]["data"]["refused"]), (&json!("FAILED"), &json!(["Invalid slug"])));

    let own = "query($id: ID!) { organization(id: $id) { auditEvents { nodes {
        action outcome actor { email } organization { slug } resource { __typename } } } } }";
    let own = world.data(&ada.token, own, json!({"id": ada.organization.to_string()})).await;
    let own = own["organization"]["auditEvents"]["nodes"].as_array().unwrap();
    let told = |event: &Value| format!("{} {} {}", event["action"], event["actor"]["email"], event["outcome"]).replace('"', "");
    assert_eq!(
        own.iter().map(told).collect::<Vec<_>>(),
        [
            "applicationUpdate ada@example.org FAILED",
            "applicationUpdate ada@example.org ALLOWED",
            "applicationCreate ada@example.org ALLOWED"
        ]
    );
    assert_eq!((&own[0]["organization"]["slug"], &own[0]["resource"]["__typename"]), (&json!("ada"), &json!("Application")));
}

#[tokio::test]
async fn who_tried_to_sign_in_is_known_and_what_they_typed_is_not() {
    let world = World::new().await;
    let query = "mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { token } }";
    let sign_in = async |email: &str, password: &str| {
        world.clock.advance(TimeDelta::milliseconds(1));
        world.ask(None, query, json!({"input": {"email": email, "password": password}})).await
    };
    sign_in("my-password-in-the-wrong-place@x", "x").await;
    sign_in(seed::ADMIN_EMAIL, "wrong").await;
    let password = std::fs::read_to_string(world.config.data_dir.join(seed::PASSWORD_FILE)).unwrap();
    sign_in(seed::ADMIN_EMAIL, password.trim()).await;
    for _ in 0..6 {
        sign_in(seed::ADMIN_EMAIL, "wrong again").await;
    }
    let tries = events(&world, Some("sessionCreate")).await;
    let outcomes: Vec<_> = tries.iter().map(|event| event["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["DENIED", "FAILED", "FAILED", "FAILED", "FAILED", "FAILED", "ALLOWED", "FAILED", "FAILED"]);
    assert_eq!((&tries[6]["actor"]["email"], &tries[6]["actorIp"]), (&json!(seed::ADMIN_EMAIL), &json!("127.0.0.1")));
    assert_eq!(tries[7]["resource"]["__typename"], "User", "whose account it was");
    assert_eq!(tries[8]["resourceId"], Value::Null);
    assert!(!format!("{tries:?}").contains("wrong"));
}

#[tokio::test]
async fn only_administrators_look_and_each_at_what_is_theirs() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let mem = world.customer("mem", Role::Member).await;
    for query in ["{ auditEvents { nodes { id } } }", "{ auditChain { intact } }"] {
        let answer = world.ask(Some(&ada.token), query, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{query}");
    }
    let query = "query($id: ID!) { organization(id: $id) { slug auditEvents { nodes { id } } } }";
    let answer = world.ask(Some(&mem.token), query, json!({"id": mem.organization.to_string()})).await;
    assert_eq!((&answer["data"]["organization"]["slug"], &answer["data"]["organization"]["auditEvents"]), (&json!("mem"), &Value::Null));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
    world.application(&ada, "Shop").await;
    let seen = world.data(&ada.token, query, json!({"id": ada.organization.to_string()})).await;
    let id = &seen["organization"]["auditEvents"]["nodes"][0]["id"];
    let node = "query($id: ID!) { node(id: $id) { id } }";
    assert_eq!(&world.data(&ada.token, node, json!({"id": id})).await["node"]["id"], id);
    assert_eq!(world.data(&mem.token, node, json!({"id": id})).await["node"], Value::Null);
}

#[tokio::test]
async fn what_is_done_is_written_with_it_or_not_done() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    world.application(&ada, "Shop").await;
    let db = &world.platform().db;
    let mut tx = db.begin().await.unwrap();
    let (head,): (String,) = fetch_one!(tx, "SELECT hash FROM audit_head").unwrap();
    execute!(tx, "DELETE FROM audit_head").unwrap();
    tx.commit().await.unwrap();
    let query = "mutation($input: ApplicationCreateInput!) { applicationCreate(input: $input) { application { id } } }";
    let input = world.new_application(&ada, "Unseen").await;
    let answer = world.ask(Some(&ada.token), query, json!({"input": input})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL");
    let listed = world.data(&ada.token, "{ applications { nodes { slug } } }", json!({})).await;
    assert_eq!(listed["applications"]["nodes"], json!([{"slug": "shop"}]));

    let mut tx = db.begin().await.unwrap();
    execute!(tx, "INSERT INTO audit_head (sequence, hash) VALUES (1, $1)", head.as_str()).unwrap();
    tx.commit().await.unwrap();
    assert_eq!(chain(&world).await["intact"], true);
    let mut tx = db.begin().await.unwrap();
    execute!(tx, "UPDATE audit_events SET outcome = 'denied'").unwrap();
    tx.commit().await.unwrap();
    assert_eq!(chain(&world).await, json!({"intact": false, "events": "0", "brokenAt": "1", "headHash": null}));
    world.clock.advance(TimeDelta::seconds(1));
}
