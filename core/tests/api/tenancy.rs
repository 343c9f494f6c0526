//! A foreign id and a missing id are the same answer, and nothing foreign is changed.

use serde_json::{Value, json};
use slipway_model::Role;

use crate::world::{World, receive, send};

/// Every mutation on a customer's thing, with that id where the id goes.
fn mutations(application: &str, deployment: &str, variable: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("applicationUpdate", json!({"id": application, "name": "taken over"})),
        ("applicationRestart", json!({"id": application})),
        ("applicationStop", json!({"id": application})),
        ("applicationStart", json!({"id": application})),
        ("applicationScale", json!({"id": application, "instances": 2})),
        ("applicationDelete", json!({"id": application, "confirmSlug": "shop"})),
        ("applicationDeploy", json!({"id": application})),
        ("sourceUploadCreate", json!({"applicationId": application, "sizeBytes": "1", "sha256": "0".repeat(64)})),
        ("variablesSet", json!({"applicationId": application, "variables": [{"key": "A", "value": "x"}]})),
        ("variablesUnset", json!({"applicationId": application, "keys": ["A"]})),
        ("variableReveal", json!({"id": variable})),
        ("deploymentCancel", json!({"id": deployment})),
        ("deploymentRollback", json!({"id": deployment})),
        ("deploymentRedeploy", json!({"id": deployment})),
    ]
}

#[tokio::test]
async fn what_is_anothers_is_as_if_it_were_not() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let eve = world.customer("eve", Role::Owner).await;
    let mut input = world.new_application(&ada, "Shop").await;
    input["source"] = json!({"git": {"repositoryUrl": "https://example.org/a.git", "branch": "main"}});
    input["variables"] = json!([{"key": "A", "value": "canary"}]);
    let made = world.mutate(&ada.token, "applicationCreate", input, "application { id variables { id } }").await;
    let application = made["application"]["id"].as_str().unwrap();
    let variable = made["application"]["variables"][0]["id"].as_str().unwrap();
    let deployed =
        world.mutate(&ada.token, "applicationDeploy", json!({"id": application}), "deployment { id build { id } } operation { id }").await;
    let deployment = deployed["deployment"]["id"].as_str().unwrap();
    let operation = deployed["operation"]["id"].as_str().unwrap();
    let build = deployed["deployment"]["build"]["id"].as_str().unwrap();
    let organization = ada.organization.to_string();
    let user = ada.user.to_string();
    let state = async || {
        let query = "query($id: ID!) { application(id: $id) { name version desiredInstances variables { key fingerprint version }
            deployments { nodes { id } } } }";
        world.data(&ada.token, query, json!({"id": application})).await
    };
    let before = state().await;

    // Reading, by every way that takes an id.
    for id in [application, variable, deployment, operation, build, &organization, &user] {
        let missing = format!("{}_00000000000000000000000000", id.split('_').next().unwrap());
        let ask = async |id: &str| {
            let query = "query($id: ID!) { node(id: $id) { id } application(id: $id) { id } organization(id: $id) { id }
                deployment(id: $id) { id } build(id: $id) { id } operation(id: $id) { id } nodes(ids: [$id]) { id } }";
            world.ask(Some(&eve.token), query, json!({"id": id})).await
        };
        assert_eq!(ask(id).await, ask(&missing).await, "{id}");
        assert_eq!(world.data(&ada.token, "query($id: ID!) { node(id: $id) { id } }", json!({"id": id})).await["node"]["id"], *id);
    }
    let listed = "query($id: ID!) { applications(organizationId: $id) { nodes { id } } organizations { nodes { slug } } }";
    let listed = world.data(&eve.token, listed, json!({"id": organization})).await;
    assert_eq!(listed, json!({"applications": {"nodes": []}, "organizations": {"nodes": [{"slug": "eve"}]}}));
    assert_eq!(world.data(&eve.token, "{ application(slug: \"shop\") { id } }", json!({})).await["application"], Value::Null);

    // Changing.
    let missing = |id: &str| format!("{}_00000000000000000000000000", id.split('_').next().unwrap());
    let absent = mutations(&missing(application), &missing(deployment), &missing(variable));
    for ((field, input), (_, absent)) in mutations(application, deployment, variable).into_iter().zip(absent) {
        let foreign = world.mutate(&eve.token, field, input, "").await;
        assert_eq!(foreign["errors"][0]["code"], "NOT_FOUND", "{field}: {foreign}");
        assert_eq!(foreign, world.mutate(&eve.token, field, absent, "").await, "{field}");
    }
    assert_eq!(state().await, before);

    // Watching.
    let mut socket = world.open(&eve.token).await;
    for (id, field) in [
        (application, "applicationChanged(id: $id) { id }"),
        (deployment, "deploymentChanged(id: $id) { id }"),
        (operation, "operationChanged(id: $id) { id }"),
        (deployment, "buildLogs(deploymentId: $id) { endCursor }"),
        (application, "applicationLogs(applicationId: $id) { endCursor }"),
    ] {
        let mut answers = Vec::new();
        for id in [id.to_owned(), missing(id)] {
            let payload = json!({"query": format!("subscription($id: ID!) {{ {field} }}"), "variables": {"id": id}});
            send(&mut socket, json!({"type": "subscribe", "id": "1", "payload": payload})).await;
            answers.push(receive(&mut socket).await);
        }
        assert_eq!(answers[0]["type"], "error", "{field}: {}", answers[0]);
        assert_eq!(answers[0], answers[1], "{field}");
    }
}

#[tokio::test]
async fn who_is_taken_out_of_an_organization_sees_it_no_longer() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let id = world.application(&ada, "Shop").await;
    let mut socket = world.open(&ada.token).await;
    let query = format!("subscription {{ applicationChanged(id: \"{id}\") {{ name }} }}");
    send(&mut socket, json!({"type": "subscribe", "id": "1", "payload": {"query": query}})).await;
    assert_eq!(receive(&mut socket).await["type"], "next");

    let platform = world.platform();
    let mut tx = platform.db.begin().await.unwrap();
    let everybody = slipway_model::Viewer::Platform;
    let memberships = slipway_store::memberships::of_users(&mut tx, &[ada.user]).await.unwrap();
    assert!(slipway_store::memberships::delete(&mut tx, &everybody, memberships[&ada.user][0].id).await.unwrap());
    tx.commit().await.unwrap();

    assert_eq!(world.refusals(&ada.token, "applicationUpdate", json!({"id": id, "name": "x"})).await, ["NOT_FOUND id"]);
    assert_eq!(world.data(&ada.token, "query($id: ID!) { node(id: $id) { id } }", json!({"id": id})).await["node"], Value::Null);
    let id = id.parse().unwrap();
    platform.changes.publish(Some(ada.organization), slipway_core::changes::Changed::Application(id));
    assert_eq!(receive(&mut socket).await, json!({"type": "complete", "id": "1"}));
}
