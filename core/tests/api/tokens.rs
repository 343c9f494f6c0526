//! A token opens what it was made for: never more than that, and never more than its owner may do.

use serde_json::{Value, json};
use slipway_model::{Permission, Role};

use crate::{
    introspected::{Plainly, Schema, declared},
    world::{World, receive, send},
};

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("none")
}

async fn token(world: &World, by: &str, input: Value) -> String {
    let made = world.mutate(by, "apiTokenCreate", input, "secret").await;
    made["secret"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

/// Fields that no token opens which is not for everything: they are about people and their own credentials.
const FOR_PEOPLE: &[&str] =
    &["userUpdate", "twoFactorEnable", "twoFactorDisable", "sessionRevoke", "apiTokenCreate", "apiTokenRevoke", "organizationCreate"];
const OPEN: &[&str] = &["viewer", "node", "nodes", "organization", "organizations", "rateLimit"];

#[tokio::test]
#[expect(clippy::print_stdout, reason = "how much was tried is worth seeing")]
async fn a_token_opens_the_fields_that_name_its_permission_and_no_others() {
    let world = World::new().await;
    let schema = Schema::of(&world).await;
    let fields = declared();
    for field in fields.iter().filter(|field| field.role != "ANYONE" && field.permission.is_none()) {
        let expected = if field.root == "Query" { OPEN } else { FOR_PEOPLE };
        assert!(expected.contains(&field.field.as_str()), "{} names no permission", field.field);
    }
    let mut calls = 0;
    for permission in Permission::ALL {
        let name = permission.to_string().to_uppercase();
        let token = token(&world, &world.admin, json!({"name": name, "permissions": [name]})).await;
        for field in fields.iter().filter(|field| field.root != "Subscription") {
            let declared = schema.fields(field.root).into_iter().find(|found| found.name == field.field).unwrap();
            let call = schema.call(field.root, &declared, &Plainly);
            let answer = world.ask(Some(&token), &call.document, call.variables).await;
            let needed = field.permission.as_ref().map(|needed| needed.to_lowercase().parse::<Permission>().unwrap());
            let may = field.role == "ANYONE"
                || needed.is_some_and(|needed| permission.includes(needed))
                || (field.root == "Query" && OPEN.contains(&field.field.as_str()));
            assert_eq!(code(&answer) != "FORBIDDEN", may, "{name} {}: {answer}", field.field);
            calls += 1;
        }
    }
    println!("{calls} calls with tokens of {} permissions", Permission::ALL.len());
    assert!(calls > 900, "{calls}");
}

#[tokio::test]
async fn what_a_token_may_not_see_it_does_not_see_by_another_way() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let id = world.application(&ada, "Shop").await;
    let narrow = token(&world, &ada.token, json!({"name": "books", "permissions": ["BILLING_READ"]})).await;
    let organization = ada.organization.to_string();
    let by_id = "query($app: ID!) { node(id: $app) { id __typename } nodes(ids: [$app]) { ... on Application { slug } } }";
    assert_eq!(world.data(&narrow, by_id, json!({"app": id})).await, json!({"node": null, "nodes": [null]}));
    for query in [
        "query($app: ID!, $org: ID!) { organization(id: $org) { applications { nodes { slug } } } node(id: $app) { __typename } }",
        "query($app: ID!, $org: ID!) { viewer { apiTokens { prefix } } organization(id: $org) { id } node(id: $app) { __typename } }",
        "query($app: ID!, $org: ID!) { organization(id: $org) { auditEvents { nodes { action } } } node(id: $app) { __typename } }",
    ] {
        let answer = world.ask(Some(&narrow), query, json!({"app": id, "org": organization})).await;
        assert_eq!(code(&answer), "FORBIDDEN", "{query}: {answer}");
        assert!(!answer.to_string().contains("shop"), "{answer}");
    }
    let mut socket = world.open(&narrow).await;
    let query = format!("subscription {{ applicationChanged(id: \"{id}\") {{ name }} }}");
    send(&mut socket, json!({"type": "subscribe", "id": "1", "payload": {"query": query}})).await;
    assert_eq!(receive(&mut socket).await["payload"][0]["extensions"]["code"], "FORBIDDEN");
}

#[tokio::test]
async fn the_token_of_one_application_opens_that_one_alone() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let shop = world.application(&ada, "Shop").await;
    let blog = world.application(&ada, "Blog").await;
    let set = json!({"applicationId": blog, "variables": [{"key": "A", "value": "x"}]});
    let other = world.mutate(&ada.token, "variablesSet", set, "variables { id }").await["variables"][0]["id"].take();
    let one = token(&world, &ada.token, json!({"name": "ci", "applicationId": shop})).await;

    let seen = "{ applications { nodes { slug } } organizations { nodes { slug memberships { nodes { id } } } } }";
    let seen = world.data(&one, seen, json!({})).await;
    assert_eq!(seen["applications"]["nodes"], json!([{"slug": "shop"}]));
    assert_eq!(seen["organizations"]["nodes"], json!([{"slug": "ada", "memberships": {"nodes": []}}]));
    for id in [&json!(blog), &other] {
        assert_eq!(world.data(&one, "query($id: ID!) { node(id: $id) { id } }", json!({"id": id})).await["node"], Value::Null);
    }
    let changed = json!({"applicationId": shop, "variables": [{"key": "B", "value": "y"}]});
    assert_eq!(world.refusals(&one, "variablesSet", changed).await, Vec::<String>::new());
    assert_eq!(world.refusals(&one, "applicationUpdate", json!({"id": shop, "name": "Mine"})).await, Vec::<String>::new());
    for (field, input) in [
        ("applicationUpdate", json!({"id": blog, "name": "Mine"})),
        ("applicationDeploy", json!({"id": blog})),
        ("applicationDelete", json!({"id": blog, "confirmSlug": "blog"})),
        ("variableReveal", json!({"id": other})),
        ("sourceUploadCreate", json!({"applicationId": blog, "sizeBytes": "1", "sha256": "0".repeat(64)})),
    ] {
        let refusals = world.refusals(&one, field, input).await;
        assert!(refusals[0].starts_with("NOT_FOUND"), "{field}: {refusals:?}");
    }
    // As an owner's, and yet not for the organization.
    let organization = ada.organization.to_string();
    for (field, input) in [
        ("invitationCreate", json!({"organizationId": organization, "email": "x@example.org", "role": "VIEWER"})),
        ("organizationUpdate", json!({"id": organization, "name": "x"})),
        ("organizationDelete", json!({"id": organization, "confirmSlug": "ada"})),
        ("applicationCreate", world.new_application(&ada, "More").await),
        ("apiTokenCreate", json!({"name": "more"})),
    ] {
        let kind = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
        let query = format!("mutation($input: {kind}!) {{ {field}(input: $input) {{ errors {{ code }} }} }}");
        let answer = world.ask(Some(&one), &query, json!({"input": input})).await;
        assert_eq!(code(&answer), "FORBIDDEN", "{field}: {answer}");
    }
}

#[tokio::test]
async fn what_a_token_is_for_is_checked_when_it_is_made() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let eve = world.customer("eve", Role::Owner).await;
    let id = world.application(&ada, "Shop").await;
    for (input, expected) in [
        (json!({"name": "x", "permissions": []}), "INVALID permissions"),
        (json!({"name": "x", "applicationId": id, "permissions": ["APP_READ", "ORG_WRITE"]}), "INVALID permissions"),
        (json!({"name": "x", "applicationId": "app_00000000000000000000000000"}), "NOT_FOUND applicationId"),
        (json!({"name": "x", "applicationId": id, "organizationId": eve.organization.to_string()}), "NOT_FOUND organizationId"),
    ] {
        assert_eq!(world.refusals(&ada.token, "apiTokenCreate", input.clone()).await[0], expected, "{input}");
    }
    assert_eq!(world.refusals(&eve.token, "apiTokenCreate", json!({"name": "x", "applicationId": id})).await, ["NOT_FOUND applicationId"]);
    let selection = "apiToken { permissions application { slug } organization { slug } }";
    let input = json!({"name": "x", "applicationId": id, "permissions": ["APP_DEPLOY", "APP_READ", "APP_READ"]});
    let made = world.mutate(&ada.token, "apiTokenCreate", input, selection).await;
    assert_eq!(
        made["apiToken"],
        json!({"permissions": ["APP_READ", "APP_DEPLOY"], "application": {"slug": "shop"}, "organization": {"slug": "ada"}})
    );
}

#[tokio::test]
async fn a_token_never_does_more_than_its_owner_may() {
    let world = World::new().await;
    let mem = world.customer("mem", Role::Member).await;
    let id = world.application(&mem, "Shop").await;
    let all = token(&world, &mem.token, json!({"name": "all", "permissions": ["APP_READ", "APP_WRITE", "APP_SECRETS", "ORG_WRITE"]})).await;
    let read = token(&world, &mem.token, json!({"name": "read", "permissions": ["APP_READ"]})).await;
    let can = async |token: &str| {
        let query = "query($id: ID!) { application(id: $id) { read: viewerCan(permission: APP_READ) write: viewerCan(permission: APP_WRITE)
            deploy: viewerCan(permission: APP_DEPLOY) secrets: viewerCan(permission: APP_SECRETS) organization: viewerCan(permission: ORG_WRITE)
            nodes: viewerCan(permission: NODE_READ) } }";
        let answer = world.data(token, query, json!({"id": id})).await;
        let answer = answer["application"].as_object().unwrap().clone();
        answer.into_iter().filter(|(_, may)| *may == json!(true)).map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(can(&mem.token).await, ["deploy", "read", "write"]);
    assert_eq!(can(&all).await, ["read", "write"]);
    assert_eq!(can(&read).await, ["read"]);
    let set = json!({"applicationId": id, "variables": [{"key": "A", "value": "x"}]});
    let variable = world.mutate(&all, "variablesSet", set, "variables { id }").await["variables"][0]["id"].take();
    let reveal = "mutation($id: ID!) { variableReveal(input: {id: $id}) { value } }";
    assert_eq!(code(&world.ask(Some(&all), reveal, json!({"id": variable})).await), "FORBIDDEN");

    // The owner becomes less, and so does the token, at once.
    let mut tx = world.platform().db.begin().await.unwrap();
    let everybody = slipway_model::Viewer::Platform;
    let membership = slipway_store::memberships::of_users(&mut tx, &[mem.user]).await.unwrap()[&mem.user][0].id;
    slipway_store::memberships::set_role(&mut tx, &everybody, membership, Role::Viewer).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(can(&all).await, ["read"]);
    let update = "mutation($id: ID!) { applicationUpdate(input: {id: $id, name: \"x\"}) { errors { code } } }";
    assert_eq!(code(&world.ask(Some(&all), update, json!({"id": id})).await), "FORBIDDEN");
}

#[tokio::test]
async fn a_revoked_token_closes_what_it_opened_within_a_second() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let id = world.application(&ada, "Shop").await;
    let made = world.mutate(&ada.token, "apiTokenCreate", json!({"name": "ci", "applicationId": id}), "secret apiToken { id }").await;
    let mut socket = world.open(made["secret"].as_str().unwrap()).await;
    let query = format!("subscription {{ applicationChanged(id: \"{id}\") {{ name }} }}");
    send(&mut socket, json!({"type": "subscribe", "id": "1", "payload": {"query": query}})).await;
    assert_eq!(receive(&mut socket).await["type"], "next");
    let started = std::time::Instant::now();
    world.mutate(&ada.token, "apiTokenRevoke", json!({"id": made["apiToken"]["id"]}), "").await;
    assert_eq!(receive(&mut socket).await, json!({"closed": 4403}));
    assert!(started.elapsed() < std::time::Duration::from_secs(1), "{:?}", started.elapsed());
}
