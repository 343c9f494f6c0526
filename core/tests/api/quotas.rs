//! How much an organization may have, and what becomes of an application that changes hands.

use serde_json::{Value, json};
use slipway_model::{Role, Viewer};
use slipway_store::{Location, execute};

use crate::world::{Customer, World};

const CREATE: &str = "mutation($input: ApplicationCreateInput!) { applicationCreate(input: $input) {
    application { id } errors { __typename code path ... on QuotaExceededError { limit used } } } }";

async fn set_quota(world: &World, customer: &Customer, applications: i64, instances: i64) {
    let organization = customer.organization.to_string();
    let input = json!({"organizationId": organization, "maxApplications": applications, "maxInstances": instances});
    let set = world.mutate(&world.admin, "organizationQuotaUpdate", input, "quota { maxApplications maxInstances }").await;
    assert_eq!(set["quota"], json!({"maxApplications": applications, "maxInstances": instances}), "{set}");
}

async fn many_at_once(world: &World) {
    let ada = world.customer("ada", Role::Owner).await;
    set_quota(world, &ada, 7, 1000).await;
    let input = world.new_application(&ada, "App").await;
    let inputs = (0..100).map(|i| {
        let mut input = input.clone();
        input["slug"] = json!(format!("app-{i}"));
        input
    });
    let token = ada.token.as_str();
    let tries = inputs.map(|input| async move { world.ask(Some(token), CREATE, json!({"input": input})).await });
    let tries: Vec<Value> = futures::future::join_all(tries).await;
    let made = tries.iter().filter(|answer| answer["data"]["applicationCreate"]["application"]["id"].is_string()).count();
    let refused = tries.iter().filter(|answer| answer["data"]["applicationCreate"]["errors"][0]["code"] == "QUOTA_EXCEEDED").count();
    assert_eq!((made, refused), (7, 93), "{:?}", tries.iter().find(|answer| !answer["errors"].is_null()));
    let refusal = tries.iter().find_map(|answer| answer["data"]["applicationCreate"]["errors"].get(0)).unwrap();
    assert_eq!(refusal, &json!({"__typename": "QuotaExceededError", "code": "QUOTA_EXCEEDED", "path": null, "limit": "7", "used": "8"}));
    let query = "query($id: ID!) { organization(id: $id) { quota { usedApplications usedInstances } } }";
    let used = world.data(&ada.token, query, json!({"id": ada.organization.to_string()})).await;
    assert_eq!(used["organization"]["quota"], json!({"usedApplications": 7, "usedInstances": 7}));
}

#[tokio::test]
async fn of_many_at_once_no_more_are_made_than_there_may_be() {
    many_at_once(&World::new().await).await;
}

#[tokio::test]
async fn of_many_at_once_no_more_are_made_on_postgresql_either() {
    many_at_once(&World::on_postgres().await).await;
}

#[tokio::test]
async fn instances_are_counted_over_all_applications() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    set_quota(&world, &ada, 10, 3).await;
    let first = world.application(&ada, "One").await;
    world.application(&ada, "Two").await;
    let scale = |count: i64| json!({"id": first, "instances": count});
    assert_eq!(world.refusals(&ada.token, "applicationScale", scale(3)).await, ["QUOTA_EXCEEDED instances"]);
    assert_eq!(world.refusals(&ada.token, "applicationScale", scale(2)).await, Vec::<String>::new());
    let mut third = world.new_application(&ada, "Three").await;
    assert_eq!(world.refusals(&ada.token, "applicationCreate", third.clone()).await, ["QUOTA_EXCEEDED instances"]);
    // Less is always allowed, and what is there stays when the quota shrinks.
    set_quota(&world, &ada, 1, 1).await;
    assert_eq!(world.refusals(&ada.token, "applicationScale", scale(1)).await, Vec::<String>::new());
    third["instances"] = json!(1);
    let both = ["QUOTA_EXCEEDED", "QUOTA_EXCEEDED instances"];
    assert_eq!(world.refusals(&ada.token, "applicationCreate", third).await, both);
    for (input, expected) in [
        (json!({"organizationId": ada.organization.to_string(), "maxApplications": -1}), "INVALID maxApplications"),
        (json!({"organizationId": "org_00000000000000000000000000", "maxInstances": 1}), "NOT_FOUND organizationId"),
    ] {
        assert_eq!(world.refusals(&world.admin, "organizationQuotaUpdate", input).await, [expected]);
    }
}

#[tokio::test]
async fn an_application_changes_hands_with_its_secrets_and_without_its_tokens() {
    let world = World::new().await;
    let shared = world.shared().await;
    let shop = world.fixture("shop", &shared).await;
    let (id, variable) = (&shop.ids["app"], &shop.ids["var"]);
    let ada = world.sign_in(shop.owner).await.1;
    let bob = world.customer("bob", Role::Owner).await;
    let token = world.mutate(&ada, "apiTokenCreate", json!({"name": "ci", "applicationId": id}), "secret").await["secret"].take();
    let to = |organization: &str| json!({"id": id, "organizationId": organization});
    let target = bob.organization.to_string();
    assert_eq!(world.refusals(&ada, "applicationTransfer", to(&target)).await, ["NOT_FOUND organizationId"]);
    assert_eq!(world.refusals(&bob.token, "applicationTransfer", to(&target)).await, ["NOT_FOUND id"]);
    assert_eq!(world.refusals(&ada, "applicationTransfer", to(&shop.ids["org"])).await, ["INVALID organizationId"]);
    let guest = world.join(shop.owner, bob.organization, Role::Admin).await;
    set_quota(&world, &bob, 0, 10).await;
    assert_eq!(world.refusals(&ada, "applicationTransfer", to(&target)).await, ["QUOTA_EXCEEDED"]);
    set_quota(&world, &bob, 1, 10).await;

    // What runs would run among its old neighbours.
    let run = async |desired: bool, status: &str| {
        let mut tx = world.platform().db.begin().await.unwrap();
        let application: slipway_model::ApplicationId = id.parse().unwrap();
        execute!(tx, "UPDATE instances SET desired = $2, status = $3 WHERE application_id = $1", application, desired, status).unwrap();
        tx.commit().await.unwrap();
    };
    for (desired, status) in [(true, "healthy"), (false, "stopping")] {
        run(desired, status).await;
        assert_eq!(world.refusals(&ada, "applicationTransfer", to(&target)).await, ["INVALID_STATE"], "{status}");
    }
    run(false, "stopped").await;
    let moved = world.mutate(&ada, "applicationTransfer", to(&target), "application { organization { slug } version }").await;
    assert_eq!(moved["application"], json!({"organization": {"slug": "bob"}, "version": 2}), "{moved}");

    let query =
        "query($id: ID!) { application(id: $id) { variables { id fingerprint } deployments { nodes { id } } events { nodes { type } } } }";
    let seen = world.data(&bob.token, query, json!({"id": id})).await;
    assert_eq!(seen["application"]["deployments"]["nodes"], json!([{"id": shop.ids["dep"]}]));
    assert_eq!(seen["application"]["events"]["nodes"].as_array().unwrap().len(), 2);
    assert_ne!(seen["application"]["variables"][0]["fingerprint"], "f", "marks are an organization's own");
    let revealed = world.mutate(&bob.token, "variableReveal", json!({"id": variable}), "value").await;
    assert_eq!(revealed["value"], "value-of-shop");
    // What a release froze opens in its new place too.
    let mut tx = world.platform().db.read().await.unwrap();
    let application = id.parse().unwrap();
    let release = slipway_store::releases::newest(&mut tx, application, 1).await.unwrap().remove(0);
    drop(tx);
    let place = Location::new("releases", "variables_ciphertext", release.id, Some(bob.organization));
    assert_eq!(world.platform().keys.open(place, &release.variables_ciphertext).unwrap().expose(), r#"{"KEY":"frozen"}"#);
    let answer = world.ask(token.as_str(), "{ viewer { id } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "the old owner's token for it ended");

    // Who is no administrator there any more sees it no longer.
    let mut tx = world.platform().db.begin().await.unwrap();
    slipway_store::memberships::delete(&mut tx, &Viewer::Platform, guest).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.data(&ada, query, json!({"id": id})).await["application"], Value::Null);
    assert_eq!(world.data(&ada, "{ applications { nodes { id } } }", json!({})).await["applications"]["nodes"], json!([]));
}
