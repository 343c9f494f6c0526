//! Who may call what: strangers, members of each role, administrators; and how people sign in.

use chrono::TimeDelta;
use serde_json::{Value, json};
use slipway_core::seed;
use slipway_model::Role;

use crate::world::World;

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("none")
}

#[tokio::test]
async fn strangers_are_told_to_sign_in() {
    let world = World::new().await;
    for query in [
        "{ viewer { id } }",
        "{ applications { nodes { id } } }",
        "{ workerNodes { nodes { id } } }",
        "mutation { organizationCreate(input: {name: \"x\"}) { organization { id } } }",
        "mutation { variableReveal(input: {id: \"x\"}) { value } }",
    ] {
        let answer = world.ask(None, query, json!({})).await;
        assert_eq!(code(&answer), "UNAUTHENTICATED", "{query}: {answer}");
    }
    for query in
        ["{ plans { nodes { slug } } }", "{ regions(availableOnly: false) { nodes { slug } } }", "{ serverInfo { version database } }"]
    {
        let answer = world.ask(None, query, json!({})).await;
        assert_eq!(answer.get("errors"), None, "{query}");
    }
}

#[tokio::test]
async fn what_is_the_administrators_is_forbidden_to_customers() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    for query in [
        "{ workerNodes { nodes { id } } }",
        "{ nodeEnrollmentTokens { nodes { id } } }",
        "{ platformOperations { nodes { id } } }",
        "{ plugins { nodes { id } } }",
        "mutation { planDelete(input: {id: \"pln_x\"}) { deletedId } }",
        "mutation { regionCreate(input: {slug: \"x\", name: \"x\"}) { region { id } } }",
        "mutation { pluginSetEnabled(input: {id: \"plg_x\", enabled: false}) { plugin { id } } }",
        "mutation { nodeUpdate(input: {id: \"nod_x\", cordoned: true}) { workerNode { id } } }",
    ] {
        let answer = world.ask(Some(&ada.token), query, json!({})).await;
        assert_eq!(code(&answer), "FORBIDDEN", "{query}: {answer}");
    }
}

#[tokio::test]
async fn one_refused_field_does_not_blank_the_others() {
    let world = World::new().await;
    let answer = world.ask(None, "{ serverInfo { version } viewer { id } }", json!({})).await;
    assert_eq!(answer["data"]["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((answer["data"]["viewer"].is_null(), &answer["errors"][0]["path"]), (true, &json!(["viewer"])));
}

#[tokio::test]
async fn a_lesser_role_looks_but_does_not_touch() {
    let world = World::new().await;
    let looker = world.customer("looker", Role::Viewer).await;
    let owner = world.customer("owner", Role::Owner).await;
    let input = world.new_application(&looker, "Shop").await;
    let query = "mutation($input: ApplicationCreateInput!) { applicationCreate(input: $input) { application { id } errors { code } } }";
    let answer = world.ask(Some(&looker.token), query, json!({"input": input})).await;
    assert_eq!(code(&answer), "FORBIDDEN");
    // Who is not even a member learns nothing.
    assert_eq!(world.refusals(&owner.token, "applicationCreate", input).await, ["NOT_FOUND organizationId"]);
}

#[tokio::test]
async fn a_member_may_not_reveal_what_an_administrator_may() {
    let world = World::new().await;
    for (name, role, may) in [("member", Role::Member, false), ("chief", Role::Admin, true)] {
        let customer = world.customer(name, role).await;
        let id = world.application(&customer, name).await;
        let variables = json!({"applicationId": id, "variables": [{"key": "A", "value": "secret-value"}]});
        let set = world.mutate(&customer.token, "variablesSet", variables, "variables { id value }").await;
        let variable = &set["variables"][0]["id"];
        let query = "mutation($id: ID!) { variableReveal(input: {id: $id}) { value errors { code } } }";
        let answer = world.ask(Some(&customer.token), query, json!({"id": variable})).await;
        if may {
            assert_eq!(answer["data"]["variableReveal"]["value"], "secret-value");
        } else {
            assert_eq!(code(&answer), "FORBIDDEN", "{answer}");
        }
    }
}

#[tokio::test]
async fn the_first_administrator_signs_in_with_the_written_password() {
    let world = World::new().await;
    let password = std::fs::read_to_string(world.config.data_dir.join(seed::PASSWORD_FILE)).unwrap();
    let query = "mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { token user { email isPlatformAdmin } errors { code message } } }";
    let sign_in = async |email: &str, password: &str| {
        let answer = world.ask(None, query, json!({"input": {"email": email, "password": password}})).await;
        answer["data"]["sessionCreate"].clone()
    };
    let wrong = sign_in(seed::ADMIN_EMAIL, "wrong").await;
    assert_eq!((&wrong["token"], &wrong["errors"][0]["code"]), (&Value::Null, &json!("INVALID")));
    assert_eq!(sign_in("nobody@example.org", "wrong").await["errors"], wrong["errors"], "who exists is not told");

    let session = sign_in(" ADMIN@localhost ", password.trim()).await;
    let token = session["token"].as_str().unwrap();
    assert_eq!((&session["user"]["isPlatformAdmin"], &session["user"]["email"]), (&json!(true), &json!("admin@localhost")));
    let viewer = world.data(token, "{ viewer { sessions { id current } } }", json!({})).await;
    assert_eq!(viewer["viewer"]["sessions"][0]["current"], true);

    let id = &viewer["viewer"]["sessions"][0]["id"];
    assert_eq!(world.mutate(token, "sessionRevoke", json!({"id": id}), "revokedId").await["revokedId"], *id);
    let after = world.ask(Some(token), "{ viewer { id } }", json!({})).await;
    assert_eq!(code(&after), "UNAUTHENTICATED");
}

#[tokio::test]
async fn guessing_passwords_is_slowed_down() {
    let world = World::new().await;
    let guess = async || {
        world
            .ask(None, "mutation { sessionCreate(input: {email: \"admin@localhost\", password: \"x\"}) { errors { code } } }", json!({}))
            .await
    };
    for _ in 0..5 {
        assert_eq!(guess().await["data"]["sessionCreate"]["errors"][0]["code"], "INVALID");
    }
    assert_eq!(code(&guess().await), "RATE_LIMITED");
    world.clock.advance(TimeDelta::minutes(6));
    assert_eq!(guess().await["data"]["sessionCreate"]["errors"][0]["code"], "INVALID");
}

#[tokio::test]
async fn credentials_end_by_time() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let expires_at = (slipway_model::Clock::now(&world.clock) + TimeDelta::hours(1)).to_rfc3339();
    let made = world.mutate(&ada.token, "apiTokenCreate", json!({"name": "ci", "expiresAt": expires_at}), "secret").await;
    let secret = made["secret"].as_str().unwrap();
    assert!(world.data(secret, "{ viewer { email } }", json!({})).await["viewer"]["email"].is_string());
    world.clock.advance(TimeDelta::hours(2));
    assert_eq!(code(&world.ask(Some(secret), "{ viewer { email } }", json!({})).await), "UNAUTHENTICATED");
    assert_eq!(
        world.refusals(&ada.token, "apiTokenCreate", json!({"name": "late", "expiresAt": "2020-01-01T00:00:00Z"})).await,
        ["INVALID expiresAt"]
    );
}

#[tokio::test]
async fn a_token_of_one_organization_opens_nothing_else() {
    let world = World::new().await;
    let organization = world.data(&world.admin, "{ organization(slug: \"default\") { id } }", json!({})).await["organization"]["id"].take();
    let made = world.mutate(&world.admin, "apiTokenCreate", json!({"name": "ci", "organizationId": organization}), "secret").await;
    let narrow = made["secret"].as_str().unwrap();
    assert_eq!(
        world.data(narrow, "{ organizations { nodes { slug } } }", json!({})).await["organizations"]["nodes"],
        json!([{"slug": "default"}])
    );
    for query in ["{ workerNodes { nodes { id } } }", "mutation { organizationCreate(input: {name: \"More\"}) { organization { id } } }"] {
        assert_eq!(code(&world.ask(Some(narrow), query, json!({})).await), "FORBIDDEN", "{query}");
    }
    // Nor does a token that it makes.
    let child = world.mutate(narrow, "apiTokenCreate", json!({"name": "child"}), "secret").await;
    let answer = world.ask(child["secret"].as_str(), "{ plugins { nodes { id } } }", json!({})).await;
    assert_eq!(code(&answer), "FORBIDDEN");
}
