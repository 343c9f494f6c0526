//! Secrets are where they belong, and nowhere else.

use chrono::TimeDelta;
use serde_json::json;
use slipway_model::Role;

use crate::world::World;

const CANARY: &str = "canary-7f3a9c";

#[tokio::test]
async fn a_value_is_in_no_listing_no_refusal_no_event_and_no_file() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let id = world.application(&ada, "Shop").await;
    let set = json!({"applicationId": id, "variables": [{"key": "PASSWORD", "value": CANARY}]});
    let selection = "application { id version } variables { id key value fingerprint scope version updatedAt updatedBy { email } }";
    let mut seen = vec![world.mutate(&ada.token, "variablesSet", set, selection).await];
    // Refusals that are about the value, or beside it.
    for bad in [
        json!([{"key": "X", "value": format!("{CANARY}\u{0}")}]),
        json!([{"key": "bad key", "value": CANARY}]),
        json!([{"key": "PORT", "value": CANARY}]),
    ] {
        seen.push(world.mutate(&ada.token, "variablesSet", json!({"applicationId": id, "variables": bad}), selection).await);
    }
    // What the executor itself says about a value of the wrong form.
    let query = "mutation($input: VariablesSetInput!) { variablesSet(input: $input) { errors { message } } }";
    seen.push(
        world.ask(Some(&ada.token), query, json!({"input": {"applicationId": id, "variables": [{"key": "A", "value": [CANARY]}]}})).await,
    );
    seen.push(
        world
            .ask(Some(&ada.token), query, json!({"input": {"applicationId": id, "variables": [{"key": "A", "value": {"x": CANARY}}]}}))
            .await,
    );
    let everything = "query($id: ID!) { node(id: $id) { ... on Application { name variables { key value fingerprint }
        events { nodes { type message data } } operations { nodes { error } } deployments { nodes { statusReason } } } } }";
    seen.push(world.data(&ada.token, everything, json!({"id": id})).await);
    for answer in &seen {
        assert!(!answer.to_string().contains(CANARY), "{answer}");
    }

    // A stolen database yields neither the value nor a credential.
    let tokens = [CANARY, ada.token.as_str(), world.admin.as_str()];
    let bytes = world.stored_bytes().await;
    for token in tokens {
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()), "in the database");
    }

    world.clock.advance(TimeDelta::seconds(1));
    let variable = &seen[0]["variables"][0]["id"];
    let revealed = world.mutate(&ada.token, "variableReveal", json!({"id": variable}), "value").await;
    assert_eq!(revealed["value"], CANARY);
    let events = world.data(&ada.token, "query($id: ID!) { application(id: $id) { events { nodes { type } } } }", json!({"id": id})).await;
    assert_eq!(events["application"]["events"]["nodes"][0]["type"], "variable.revealed");
}
