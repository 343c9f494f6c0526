//! How people come into an organization, what they may become there, and how they leave.

use chrono::TimeDelta;
use serde_json::{Value, json};
use slipway_model::Role;

use crate::world::{Customer, World};

const ACCEPT: &str = "mutation($input: InvitationAcceptInput!) { invitationAccept(input: $input) {
    membership { id role organization { slug } user { email name } } errors { code path } } }";

async fn invite(world: &World, by: &Customer, email: &str, role: &str) -> Value {
    let input = json!({"organizationId": by.organization.to_string(), "email": email, "role": role});
    world.mutate(&by.token, "invitationCreate", input, "invitation { id email role expiresAt organization { slug } } token").await
}

async fn accept(world: &World, token: Option<&str>, input: Value) -> Value {
    let mut answer = world.ask(token, ACCEPT, json!({"input": input})).await;
    assert_eq!(answer.get("errors"), None, "{answer}");
    answer["data"]["invitationAccept"].take()
}

fn codes(payload: &Value) -> Vec<String> {
    let errors = payload["errors"].as_array().into_iter().flatten();
    errors.map(|error| format!("{} {}", error["code"].as_str().unwrap(), error["path"][0].as_str().unwrap_or(""))).collect()
}

#[tokio::test]
async fn somebody_new_joins_with_a_password_and_signs_in() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let invited = invite(&world, &ada, " Bob@Example.org ", "ORG_MEMBER").await;
    assert_eq!(invited["invitation"]["email"], "bob@example.org");
    let token = invited["token"].as_str().unwrap();

    // Whoever holds the token reads where it leads, and nothing of what lies there.
    let shown = "query($token: Secret!) { invitation(token: $token) { email role organization { slug } } }";
    let answer = world.ask(None, shown, json!({"token": token})).await;
    assert_eq!(answer["data"]["invitation"], json!({"email": "bob@example.org", "role": "ORG_MEMBER", "organization": {"slug": "ada"}}));
    let deeper = "query($token: Secret!) { invitation(token: $token) { organization { applications { nodes { id } } } } }";
    let answer = world.ask(None, deeper, json!({"token": token})).await;
    assert_eq!(answer["data"]["invitation"]["organization"], Value::Null);
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");

    assert_eq!(codes(&accept(&world, None, json!({"token": token})).await), ["REQUIRED password"]);
    let short = accept(&world, None, json!({"token": token, "password": "short", "name": ""})).await;
    assert_eq!(codes(&short), ["INVALID name", "INVALID password"]);
    let input = json!({"token": token, "password": "a long enough one", "name": "Bob"});
    let accepted = accept(&world, None, input.clone()).await;
    let bob = json!({"email": "bob@example.org", "name": "Bob"});
    assert_eq!((&accepted["membership"]["user"], &accepted["membership"]["role"]), (&bob, &json!("ORG_MEMBER")), "{accepted}");
    assert_eq!(codes(&accept(&world, None, input).await), ["NOT_FOUND token"], "once");

    let query = "mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { token } }";
    let answer = world.ask(None, query, json!({"input": {"email": "bob@example.org", "password": "a long enough one"}})).await;
    let session = answer["data"]["sessionCreate"]["token"].as_str().unwrap();
    let seen = world.data(session, "{ organizations { nodes { slug viewerRole } } }", json!({})).await;
    assert_eq!(seen["organizations"]["nodes"], json!([{"slug": "ada", "viewerRole": "ORG_MEMBER"}]));
}

#[tokio::test]
async fn an_invitation_is_for_one_address_for_a_week_and_can_be_taken_back() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let bob = world.customer("bob", Role::Owner).await;
    let eve = world.customer("eve", Role::Owner).await;
    let token = async || invite(&world, &ada, "bob@example.org", "VIEWER").await;

    let first = token().await;
    assert_eq!(codes(&accept(&world, Some(&eve.token), json!({"token": first["token"]})).await), ["INVALID token"]);
    // Who has an account signs in with it.
    let again = json!({"token": first["token"], "password": "another password"});
    assert_eq!(codes(&accept(&world, None, again).await), ["ALREADY_EXISTS token"]);
    // A second invitation takes the place of the first.
    let second = token().await;
    assert_eq!(codes(&accept(&world, Some(&bob.token), json!({"token": first["token"]})).await), ["NOT_FOUND token"]);
    let listed = "query($id: ID!) { organization(id: $id) { invitations { nodes { id } } } }";
    let id = json!({"id": ada.organization.to_string()});
    let open = world.data(&ada.token, listed, id.clone()).await;
    assert_eq!(open["organization"]["invitations"]["nodes"], json!([{"id": second["invitation"]["id"]}]));
    let revoke = json!({"id": second["invitation"]["id"]});
    assert_eq!(world.refusals(&eve.token, "invitationRevoke", revoke.clone()).await, ["NOT_FOUND id"]);
    assert_eq!(world.refusals(&ada.token, "invitationRevoke", revoke.clone()).await, Vec::<String>::new());
    assert_eq!(world.refusals(&ada.token, "invitationRevoke", revoke).await, ["INVALID_STATE"]);
    assert_eq!(codes(&accept(&world, Some(&bob.token), json!({"token": second["token"]})).await), ["NOT_FOUND token"]);

    let third = token().await;
    world.clock.advance(TimeDelta::days(7));
    assert_eq!(codes(&accept(&world, Some(&bob.token), json!({"token": third["token"]})).await), ["NOT_FOUND token"]);
    let fourth = token().await;
    let joined = accept(&world, Some(&bob.token), json!({"token": fourth["token"]})).await;
    assert_eq!(joined["membership"]["organization"]["slug"], "ada", "{joined}");
    assert_eq!(world.data(&ada.token, listed, id).await["organization"]["invitations"]["nodes"], json!([]));
    let member = json!({"organizationId": ada.organization.to_string(), "email": "bob@example.org", "role": "VIEWER"});
    assert_eq!(world.refusals(&ada.token, "invitationCreate", member).await, ["ALREADY_EXISTS email"]);
}

#[tokio::test]
async fn of_many_who_accept_at_once_one_joins() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let bob = world.customer("bob", Role::Owner).await;
    let token = invite(&world, &ada, "bob@example.org", "ORG_MEMBER").await["token"].take();
    let tries = (0..20).map(|_| accept(&world, Some(&bob.token), json!({"token": token})));
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| !answer["membership"].is_null()).count(), 1);
}

#[tokio::test]
async fn nobody_gives_a_role_above_their_own() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Admin).await;
    let mem = world.customer("mem", Role::Member).await;
    let input = |customer: &Customer, role: &str| json!({"organizationId": customer.organization.to_string(), "email": "x@example.org", "role": role});
    assert_eq!(world.refusals(&ada.token, "invitationCreate", input(&ada, "ORG_OWNER")).await, ["INVALID role"]);
    for role in ["ANYONE", "PLATFORM_ADMIN"] {
        assert_eq!(world.refusals(&ada.token, "invitationCreate", input(&ada, role)).await, ["INVALID role"]);
    }
    assert_eq!(world.refusals(&ada.token, "invitationCreate", input(&ada, "ORG_ADMIN")).await, Vec::<String>::new());
    assert_eq!(world.refusals(&ada.token, "invitationCreate", input(&mem, "VIEWER")).await, ["NOT_FOUND organizationId"]);
    let query = "mutation($input: InvitationCreateInput!) { invitationCreate(input: $input) { token } }";
    let answer = world.ask(Some(&mem.token), query, json!({"input": input(&mem, "VIEWER")})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
}

#[tokio::test]
async fn the_last_owner_stays_and_others_come_and_go() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let bob = world.customer("bob", Role::Owner).await;
    let members = async |token: &str| {
        let query = "query($id: ID!) { organization(id: $id) { memberships { nodes { id role user { email } } } } }";
        world.data(token, query, json!({"id": ada.organization.to_string()})).await["organization"]["memberships"]["nodes"].take()
    };
    let first = members(&ada.token).await[0]["id"].take();
    for (field, input) in [("membershipUpdate", json!({"id": first, "role": "VIEWER"})), ("membershipRemove", json!({"id": first}))] {
        assert_eq!(world.refusals(&ada.token, field, input).await, ["INVALID_STATE"], "{field}");
    }
    let token = invite(&world, &ada, "bob@example.org", "ORG_ADMIN").await["token"].take();
    let second = accept(&world, Some(&bob.token), json!({"token": token})).await["membership"]["id"].take();
    // An administrator neither promotes nor removes an owner.
    let query = "mutation($id: ID!) { membershipRemove(input: {id: $id}) { removedId } }";
    let answer = world.ask(Some(&bob.token), query, json!({"id": first})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
    let promoted = world.mutate(&ada.token, "membershipUpdate", json!({"id": second, "role": "ORG_OWNER"}), "membership { role }").await;
    assert_eq!(promoted["membership"]["role"], "ORG_OWNER");

    // Of two owners who leave at once, one stays.
    let made = world.mutate(&bob.token, "apiTokenCreate", json!({"name": "ci", "organizationId": ada.organization.to_string()}), "secret");
    let narrow = made.await["secret"].as_str().unwrap().to_owned();
    let leave = async |token: &str, id: &Value| world.refusals(token, "membershipRemove", json!({"id": id})).await.is_empty();
    let (one, other) = tokio::join!(leave(&ada.token, &first), leave(&bob.token, &second));
    assert!(one != other, "{one} {other}");
    let left = members(if one { &bob.token } else { &ada.token }).await;
    assert_eq!((left.as_array().unwrap().len(), &left[0]["role"]), (1, &json!("ORG_OWNER")));
    if other {
        let answer = world.ask(Some(&narrow), "{ viewer { id } }", json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "their token for it ended");
    }
}

#[tokio::test]
async fn an_organization_is_renamed_and_deleted_when_it_is_empty() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    world.customer("bob", Role::Owner).await;
    let id = ada.organization.to_string();
    let rename = |name: &str, slug: &str| json!({"id": id, "name": name, "slug": slug});
    assert_eq!(world.refusals(&ada.token, "organizationUpdate", rename("", "A B")).await, ["INVALID name", "INVALID slug"]);
    assert_eq!(world.refusals(&ada.token, "organizationUpdate", rename("Ada", "bob")).await, ["ALREADY_EXISTS slug"]);
    let renamed = world.mutate(&ada.token, "organizationUpdate", rename("Ada & Co", "ada-co"), "organization { name slug }").await;
    assert_eq!(renamed["organization"], json!({"name": "Ada & Co", "slug": "ada-co"}));

    let token = invite(&world, &ada, "carl@example.org", "VIEWER").await["token"].take();
    let application = world.application(&ada, "Shop").await;
    let delete = |slug: &str| json!({"id": id, "confirmSlug": slug});
    assert_eq!(world.refusals(&ada.token, "organizationDelete", delete("ada")).await, ["INVALID confirmSlug"]);
    assert_eq!(world.refusals(&ada.token, "organizationDelete", delete("ada-co")).await, ["IN_USE"]);
    let mut tx = world.platform().db.begin().await.unwrap();
    let everybody = slipway_model::Viewer::Platform;
    slipway_store::applications::delete(&mut tx, &everybody, application.parse().unwrap(), slipway_model::Clock::now(&world.clock))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(world.mutate(&ada.token, "organizationDelete", delete("ada-co"), "deletedId").await["deletedId"], id);
    assert_eq!(world.data(&ada.token, "{ organizations { nodes { id } } }", json!({})).await["organizations"]["nodes"], json!([]));
    assert_eq!(codes(&accept(&world, None, json!({"token": token, "password": "a long enough one"})).await), ["NOT_FOUND token"]);
    assert_eq!(world.refusals(&ada.token, "organizationCreate", json!({"name": "Again", "slug": "ada-co"})).await, Vec::<String>::new());
}
