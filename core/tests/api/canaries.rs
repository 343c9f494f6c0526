//! A secret is planted in every place that takes one, and every secret that is given out is remembered. Then they are looked for
//! wherever they must not be: in answers, in log lines of every level, in events, in the audit log, and in the database's own bytes.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use slipway_core::seed;

use crate::{
    dump,
    fixture::{Fixture, Shared, kind_of, sensible},
    introspected::{Fill, Schema},
    plugin_life,
    world::World,
};

const CANARY: &str = "canary-2f9d17c4";

/// Keeps every log line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Planted<'a> {
    field: &'a str,
    fixture: &'a Fixture,
    shared: &'a Shared,
    secret: &'a str,
}

impl Fill for Planted<'_> {
    fn leaf(&self, kind: &str, path: &[&str]) -> Option<Value> {
        match kind {
            // In every place that takes one, needed or not.
            "Secret" => Some(json!(self.secret)),
            "ID" => Some(json!(match kind_of(self.field, path)? {
                "pln" => self.shared.plan.to_string(),
                "reg" => self.shared.region.to_string(),
                kind => self.fixture.ids.get(kind)?.clone(),
            })),
            _ if path.last() == Some(&"email") && self.field == "sessionCreate" => Some(json!(seed::ADMIN_EMAIL)),
            _ => sensible(kind, path, &self.fixture.slug),
        }
    }
}

fn takes_secret(schema: &Schema, kind: &Value, depth: usize) -> usize {
    let heart = schema.named(Schema::heart(kind));
    if heart["name"] == "Secret" {
        return 1;
    }
    if heart["kind"] != "INPUT_OBJECT" || depth == 0 {
        return 0;
    }
    heart["inputFields"].as_array().unwrap().iter().map(|field| takes_secret(schema, &field["type"], depth - 1)).sum()
}

fn found(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "how much was tried is worth seeing")]
async fn no_secret_is_found_where_it_must_not_be() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE).with_writer(move || writer.clone());
    subscriber.init();
    let world = World::new().await;
    let shared = world.shared().await;
    let schema = Schema::of(&world).await;
    let (user, token) = world.person("boss", true).await;
    let fixture = world.fixture("shop", &shared).await;
    world.join(user, fixture.organization, slipway_model::Role::Owner).await;

    // Everywhere that takes a secret: as it should be, too long, and in another form.
    let (mut places, mut seen) = (0, Vec::new());
    let long = CANARY.repeat(9_000);
    for root in ["Query", "Mutation"] {
        for field in schema.fields(root) {
            let here: usize = field.arguments.iter().map(|(_, kind)| takes_secret(&schema, kind, 5)).sum();
            if here == 0 {
                continue;
            }
            places += here;
            for secret in [CANARY, &long] {
                let call = schema.call(root, &field, &Planted { field: &field.name, fixture: &fixture, shared: &shared, secret });
                assert!(call.variables.to_string().contains(CANARY), "{}", field.name);
                seen.push(world.ask(Some(&token), &call.document, call.variables.clone()).await);
                seen.push(world.ask(None, &call.document, call.variables.clone()).await);
                // A list, where one is wanted: the executor must not repeat it.
                let bent = call.variables.to_string().replace(&format!("\"{secret}\""), &format!("[\"{secret}\"]"));
                seen.push(world.ask(Some(&token), &call.document, serde_json::from_str(&bent).unwrap()).await);
                // In the document itself.
                let literal =
                    format!("mutation {{ sessionCreate(input: {{email: \"x@example.org\", password: \"{CANARY}\"}}) {{ nothing }} }}");
                seen.push(world.ask(Some(&token), &literal, json!({})).await);
                world.clock.advance(chrono::TimeDelta::minutes(6));
            }
        }
    }
    // It did get in, where it is kept: sealed.
    let variables = "query($id: ID!) { application(id: $id) { variables { id key value } } }";
    let kept = world.data(&token, variables, json!({"id": fixture.ids["app"]})).await;
    assert_eq!(kept["application"]["variables"][0]["value"], Value::Null);
    let reveal = json!({"id": kept["application"]["variables"][0]["id"]});
    assert_eq!(world.mutate(&token, "variableReveal", reveal, "value").await["value"], CANARY);

    // A plugin is given one, and says it wherever it can.
    let id = world.install(plugin_life::evil("evil", "1.0.0")).await["plugin"]["id"].clone();
    for settings in [json!({ "token": CANARY }), json!({ "token": [CANARY] }), json!({ "port": CANARY }), json!({ "mood": "stubborn" })] {
        seen.push(world.on_plugin("pluginConfigure", json!({ "id": id, "settings": settings })).await);
    }
    seen.push(world.on_plugin("pluginSetEnabled", json!({ "id": id, "enabled": true })).await);
    for tool in ["token", "panic_token", "abort"] {
        seen.push(json!(world.resolve(tool).await.unwrap_err().to_string()));
    }
    seen.push(world.plugin("evil").await);

    // What is given out once.
    let mut given = vec![CANARY.to_owned()];
    let organization = fixture.organization.to_string();
    for (field, input, secrets) in [
        ("apiTokenCreate", json!({"name": "x"}), vec!["secret"]),
        ("invitationCreate", json!({"organizationId": organization, "email": "y@example.org", "role": "VIEWER"}), vec!["token"]),
        ("twoFactorEnable", json!({}), vec!["secret", "otpauthUri"]),
    ] {
        let made = world.mutate(&token, field, input, &secrets.join(" ")).await;
        given.extend(secrets.iter().map(|secret| made[*secret].as_str().unwrap_or_else(|| panic!("{field}: {made}")).to_owned()));
    }
    let input = json!({"regionId": shared.region.to_string()});
    let made = world.mutate(&token, "nodeEnrollmentTokenCreate", input, "install { token }").await;
    given.push(made["install"]["token"].as_str().unwrap().to_owned());
    let password = std::fs::read_to_string(world.config.data_dir.join(seed::PASSWORD_FILE)).unwrap().trim().to_owned();
    let sign_in = "mutation($input: SessionCreateInput!) { sessionCreate(input: $input) { token } }";
    let answer = world.ask(None, sign_in, json!({"input": {"email": seed::ADMIN_EMAIL, "password": password}})).await;
    given.push(answer["data"]["sessionCreate"]["token"].as_str().unwrap().to_owned());
    given.extend([password, world.admin.clone(), token.clone()]);

    let everything = "{ auditEvents(first: 100) { nodes { action data resourceId userAgent credentialId } } }";
    seen.push(world.ask(Some(&token), everything, json!({})).await);
    let events =
        "query($id: ID!) { application(id: $id) { events(first: 100) { nodes { message data } } operations { nodes { error } } } }";
    seen.push(world.ask(Some(&token), events, json!({"id": fixture.ids["app"]})).await);
    let rows: Vec<String> = dump::of(&world.platform().db).await.into_values().collect();
    let mut tx = world.platform().db.read().await.unwrap();
    let audited: Vec<(Option<String>, Option<String>)> =
        tx.fetch_all(slipway_store::Sql::new("SELECT data, subject FROM audit_events")).await.unwrap();
    drop(tx);
    let bytes = world.stored_bytes().await;
    let log = lines.0.lock().unwrap().clone();
    assert!(log.len() > 10_000 && bytes.len() > 20_000, "they were looked at at all: {} {}", log.len(), bytes.len());
    for secret in &given {
        for answer in &seen {
            assert!(!answer.to_string().contains(secret.as_str()), "an answer repeats a secret: {answer}");
        }
        assert!(!rows.iter().any(|rows| rows.contains(secret.as_str())), "a row has {secret}");
        assert!(!format!("{audited:?}").contains(secret.as_str()), "the audit log has {secret}");
        assert!(!found(&bytes, secret), "the database's file has {secret}");
        if found(&log, secret) {
            let text = String::from_utf8_lossy(&log);
            let line = text.lines().find(|line| line.contains(secret.as_str())).unwrap_or_default();
            panic!("a log line has {secret}: {}", line.chars().take(600).collect::<String>());
        }
    }
    println!(
        "{places} places that take a secret, {} answers, {} secrets looked for in {} bytes of log and {} of database",
        seen.len(),
        given.len(),
        log.len(),
        bytes.len()
    );
    assert!(places >= 10, "{places}");
}
