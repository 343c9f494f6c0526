//! How much an organization may have, and what becomes of an application that changes hands.

use serde_json::{Value, json};
use slipway_model::{Role, Viewer, state::ApplicationStatus};
use slipway_store_testing::TestDatabase;

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
    let database = TestDatabase::postgres().await;
    let url = database.url.clone();
    many_at_once(&World::with(|config| config.database_url = url).await).await;
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

/// Makes a customer somebody in another's organization.
async fn join(world: &World, who: &Customer, whose: &Customer, role: Role) {
    let mut tx = world.platform().db.begin().await.unwrap();
    let membership = slipway_store::memberships::Membership {
        id: slipway_model::MembershipId::new(&world.clock),
        organization_id: whose.organization,
        user_id: who.user,
        role,
        created_at: slipway_model::Clock::now(&world.clock),
    };
    slipway_store::memberships::insert(&mut tx, &membership).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_application_changes_hands_with_its_secrets_and_without_its_tokens() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let bob = world.customer("bob", Role::Owner).await;
    let id = world.application(&ada, "Shop").await;
    let set = json!({"applicationId": id, "variables": [{"key": "KEY", "value": "kept-secret"}]});
    let variable = world.mutate(&ada.token, "variablesSet", set, "variables { id fingerprint }").await["variables"][0].take();
    let token = world.mutate(&ada.token, "apiTokenCreate", json!({"name": "ci", "applicationId": id}), "secret").await["secret"].take();
    let to = |organization: &str| json!({"id": id, "organizationId": organization});
    let target = bob.organization.to_string();
    assert_eq!(world.refusals(&ada.token, "applicationTransfer", to(&target)).await, ["NOT_FOUND organizationId"]);
    assert_eq!(world.refusals(&bob.token, "applicationTransfer", to(&target)).await, ["NOT_FOUND id"]);
    assert_eq!(world.refusals(&ada.token, "applicationTransfer", to(&ada.organization.to_string())).await, ["INVALID organizationId"]);
    join(&world, &ada, &bob, Role::Admin).await;
    set_quota(&world, &bob, 0, 10).await;
    assert_eq!(world.refusals(&ada.token, "applicationTransfer", to(&target)).await, ["QUOTA_EXCEEDED"]);
    set_quota(&world, &bob, 1, 10).await;

    // What is under way holds it.
    let deploy =
        "mutation($id: ID!) { applicationDeploy(input: {id: $id, source: {image: \"nginx\"}}) { deployment { id } errors { code } } }";
    let deployed = world.data(&ada.token, deploy, json!({"id": id})).await["applicationDeploy"]["deployment"]["id"].take();
    assert_eq!(world.refusals(&ada.token, "applicationTransfer", to(&target)).await, ["INVALID_STATE"]);
    world.mutate(&ada.token, "deploymentCancel", json!({"id": deployed}), "").await;
    let mut moved = Value::Null;
    for _ in 0..100 {
        moved = world.mutate(&ada.token, "applicationTransfer", to(&target), "application { organization { slug } version }").await;
        if moved["errors"] == json!([]) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(moved["application"]["organization"]["slug"], "bob", "{moved}");

    let query = "query($id: ID!) { application(id: $id) { status variables { fingerprint } deployments { nodes { id } } events { nodes { type } } } }";
    let seen = world.data(&bob.token, query, json!({"id": id})).await;
    assert_eq!(seen["application"]["deployments"]["nodes"], json!([{"id": deployed}]));
    assert_ne!(seen["application"]["variables"][0]["fingerprint"], variable["fingerprint"], "marks are an organization's own");
    let revealed = world.mutate(&bob.token, "variableReveal", json!({"id": variable["id"]}), "value").await;
    assert_eq!(revealed["value"], "kept-secret");
    let answer = world.ask(token.as_str(), "{ viewer { id } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "the old owner's token for it ended");

    // Who is no administrator there any more sees it no longer.
    let mut tx = world.platform().db.begin().await.unwrap();
    let memberships = slipway_store::memberships::of_user(&mut tx, ada.user).await.unwrap();
    let guest = memberships.iter().find(|row| row.organization_id == bob.organization).unwrap();
    slipway_store::memberships::delete(&mut tx, &Viewer::Platform, guest.id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.data(&ada.token, query, json!({"id": id})).await["application"], Value::Null);
    let own = world.data(&ada.token, "{ applications { nodes { id } } }", json!({})).await;
    assert_eq!(own["applications"]["nodes"], json!([]));
    assert_ne!(seen["application"]["status"], json!(ApplicationStatus::Running.to_string().to_uppercase()));
}
