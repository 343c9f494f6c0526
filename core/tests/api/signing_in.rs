//! How people sign in: with a password and, if they want, with codes; and how that ends.

use chrono::TimeDelta;
use data_encoding::BASE32_NOPAD;
use serde_json::{Value, json};
use slipway_core::seed;
use slipway_model::{Clock, Role};

use crate::world::World;

const SIGN_IN: &str = "mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { token errors { code path message } } }";

async fn sign_in(world: &World, input: Value) -> Value {
    let mut answer = world.ask(None, SIGN_IN, json!({"input": input})).await;
    answer["data"]["sessionCreate"].take()
}

/// The administrator, as a person.
async fn session(world: &World) -> (String, String) {
    let password = std::fs::read_to_string(world.config.data_dir.join(seed::PASSWORD_FILE)).unwrap().trim().to_owned();
    let signed_in = sign_in(world, json!({"email": seed::ADMIN_EMAIL, "password": password})).await;
    (signed_in["token"].as_str().unwrap_or_else(|| panic!("{signed_in}")).to_owned(), password)
}

fn code(world: &World, secret: &str) -> String {
    let secret = BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).with_account_name("x").build().unwrap();
    totp.generate(world.clock.now().timestamp().unsigned_abs()).to_string()
}

fn refusal(payload: &Value) -> String {
    format!("{} {}", payload["errors"][0]["code"].as_str().unwrap_or("none"), payload["errors"][0]["path"][0].as_str().unwrap_or(""))
}

#[tokio::test]
async fn codes_are_asked_for_once_they_are_confirmed_and_taken_once() {
    let world = World::new().await;
    let (token, password) = session(&world).await;
    let begun = world.mutate(&token, "twoFactorEnable", json!({}), "secret otpauthUri recoveryCodes user { id }").await;
    let secret = begun["secret"].as_str().unwrap();
    assert!(begun["otpauthUri"].as_str().unwrap().contains(secret), "{begun}");
    assert_eq!((&begun["recoveryCodes"], &begun["user"]), (&Value::Null, &Value::Null));
    let with = |otp: Option<&str>| json!({"email": seed::ADMIN_EMAIL, "password": password, "otp": otp});
    assert!(sign_in(&world, with(None)).await["token"].is_string(), "what is only begun is not asked for");
    assert_eq!(world.refusals(&token, "twoFactorEnable", json!({"otp": "000000"})).await, ["INVALID otp"]);

    let confirmed =
        world.mutate(&token, "twoFactorEnable", json!({"otp": code(&world, secret)}), "recoveryCodes user { twoFactorEnabled }").await;
    assert_eq!(confirmed["user"]["twoFactorEnabled"], true, "{confirmed}");
    let recovery: Vec<String> =
        confirmed["recoveryCodes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    assert_eq!(recovery.len(), 10);
    for input in [json!({}), json!({"otp": code(&world, secret)})] {
        assert_eq!(world.refusals(&token, "twoFactorEnable", input).await, ["INVALID_STATE"]);
    }

    assert_eq!(refusal(&sign_in(&world, with(None)).await), "REQUIRED otp");
    assert_eq!(refusal(&sign_in(&world, with(Some("000000"))).await), "INVALID otp");
    // The code that confirmed was used by that.
    assert_eq!(refusal(&sign_in(&world, with(Some(&code(&world, secret)))).await), "INVALID otp");
    world.clock.advance(TimeDelta::seconds(30));
    let fresh = code(&world, secret);
    assert!(sign_in(&world, with(Some(&fresh))).await["token"].is_string());
    assert_eq!(refusal(&sign_in(&world, with(Some(&fresh))).await), "INVALID otp", "once");
    // Of many who send one code at once, one is let in.
    world.clock.advance(TimeDelta::minutes(6));
    let fresh = code(&world, secret);
    let answers = futures::future::join_all((0..4).map(|_| sign_in(&world, with(Some(&fresh))))).await;
    assert_eq!(answers.iter().filter(|answer| answer["token"].is_string()).count(), 1);

    world.clock.advance(TimeDelta::minutes(6));
    assert!(sign_in(&world, with(Some(&recovery[0].to_uppercase()))).await["token"].is_string());
    assert_eq!(refusal(&sign_in(&world, with(Some(&recovery[0]))).await), "INVALID otp", "a recovery code is taken once too");
    // A stolen database has no code that opens anything.
    let bytes = world.stored_bytes().await;
    for hidden in [secret, &recovery[1], &recovery[1].replace('-', "")] {
        assert!(!bytes.windows(hidden.len()).any(|window| window == hidden.as_bytes()), "in the database");
    }

    let disable = |password: &str, otp: &str| json!({"password": password, "otp": otp});
    assert_eq!(world.refusals(&token, "twoFactorDisable", disable("wrong", &recovery[1])).await, ["INVALID"]);
    assert_eq!(world.refusals(&token, "twoFactorDisable", disable(&password, "000000")).await, ["INVALID"]);
    assert_eq!(world.refusals(&token, "twoFactorDisable", disable(&password, &recovery[1])).await, Vec::<String>::new());
    assert!(sign_in(&world, with(None)).await["token"].is_string());
    assert_eq!(world.refusals(&token, "twoFactorDisable", disable(&password, &recovery[2])).await, ["INVALID_STATE"]);
}

#[tokio::test]
async fn codes_are_not_guessed() {
    let world = World::new().await;
    let (token, _) = session(&world).await;
    world.mutate(&token, "twoFactorEnable", json!({}), "secret").await;
    let query = "mutation { twoFactorEnable(input: {otp: \"000000\"}) { errors { code } } }";
    let mut limited = false;
    for _ in 0..8 {
        let answer = world.ask(Some(&token), query, json!({})).await;
        limited |= answer["errors"][0]["extensions"]["code"] == "RATE_LIMITED";
    }
    assert!(limited);
    let tries = "{ auditEvents(action: \"twoFactorEnable\") { nodes { outcome } } }";
    let tries = world.data(&token, tries, json!({})).await["auditEvents"]["nodes"].take();
    let denied = tries.as_array().unwrap().iter().filter(|event| event["outcome"] == "DENIED").count();
    assert_eq!((tries.as_array().unwrap().len(), denied), (9, 3), "{tries}");
    // A program does not change how its owner signs in.
    let answer = world.ask(Some(&world.admin), "mutation { twoFactorEnable(input: {}) { secret } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let world = World::new().await;
    let (here, password) = session(&world).await;
    let (there, _) = session(&world).await;
    let mut socket = world.open(&there).await;
    let id = world.data(&here, "{ viewer { id } }", json!({})).await["viewer"]["id"].take();
    for (input, expected) in [
        (json!({"id": id, "newPassword": "short"}), "INVALID newPassword"),
        (json!({"id": id, "newPassword": "x".repeat(2000)}), "TOO_LONG newPassword"),
        (json!({"id": id, "newPassword": "a long enough one"}), "REQUIRED currentPassword"),
        (json!({"id": id, "newPassword": "a long enough one", "currentPassword": "wrong"}), "INVALID currentPassword"),
        (json!({"id": id, "name": ""}), "INVALID name"),
        (json!({"id": "usr_00000000000000000000000000", "name": "x"}), "NOT_FOUND id"),
    ] {
        assert_eq!(world.refusals(&here, "userUpdate", input.clone()).await, [expected], "{input}");
    }
    let input = json!({"id": id, "name": "Boss", "newPassword": "a long enough one", "currentPassword": password});
    assert_eq!(world.mutate(&here, "userUpdate", input, "user { name }").await["user"]["name"], "Boss");
    assert_eq!(crate::world::receive(&mut socket).await, json!({"closed": 4403}));
    assert_eq!(world.ask(Some(&there), "{ viewer { id } }", json!({})).await["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    assert_eq!(world.data(&here, "{ viewer { name } }", json!({})).await["viewer"]["name"], "Boss");
    assert!(sign_in(&world, json!({"email": seed::ADMIN_EMAIL, "password": password})).await["token"].is_null());
    assert!(sign_in(&world, json!({"email": seed::ADMIN_EMAIL, "password": "a long enough one"})).await["token"].is_string());
}

#[tokio::test]
async fn who_is_disabled_is_let_in_no_longer() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    let users = "query($search: String) { users(search: $search) { nodes { id email disabledAt } } }";
    let found = world.data(&world.admin, users, json!({"search": "ADA@"})).await["users"]["nodes"].take();
    assert_eq!(found, json!([{"id": ada.user.to_string(), "email": "ada@example.org", "disabledAt": null}]));
    assert_eq!(world.ask(Some(&ada.token), users, json!({})).await["errors"][0]["extensions"]["code"], "FORBIDDEN");

    let mut socket = world.open(&ada.token).await;
    let disable = |disabled: bool| json!({"id": ada.user.to_string(), "disabled": disabled});
    let disabled = world.mutate(&world.admin, "userDisable", disable(true), "user { disabledAt }").await;
    assert!(disabled["user"]["disabledAt"].is_string());
    assert_eq!(crate::world::receive(&mut socket).await, json!({"closed": 4403}));
    assert_eq!(world.ask(Some(&ada.token), "{ viewer { id } }", json!({})).await["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    world.mutate(&world.admin, "userDisable", disable(false), "").await;
    assert_eq!(world.data(&ada.token, "{ viewer { email } }", json!({})).await["viewer"]["email"], "ada@example.org");

    let own = world.data(&world.admin, "{ viewer { id } }", json!({})).await["viewer"]["id"].take();
    assert_eq!(world.refusals(&world.admin, "userDisable", json!({"id": own})).await, ["INVALID_STATE"]);
    let missing = json!({"id": "usr_00000000000000000000000000"});
    assert_eq!(world.refusals(&world.admin, "userDisable", missing).await, ["NOT_FOUND id"]);
}
