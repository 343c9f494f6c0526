//! Hostile text in every place of the schema that takes text: nothing breaks, nothing is executed, nothing is lost.

use serde_json::{Value, json};

use crate::{
    fixture::{Fixture, Shared, kind_of, sensible},
    introspected::{Fill, Schema},
    world::World,
};

/// What would leave a file, drop a table, leave a directory, or break a line, if somebody were to execute it or paste it somewhere.
fn payloads(canary: &str) -> Vec<String> {
    vec![
        String::new(),
        format!("$(touch {canary})"),
        format!("`touch {canary}`"),
        format!("; touch {canary} #"),
        format!("| touch {canary}"),
        format!("\n touch {canary}\n"),
        format!("--upload-pack=touch {canary}"),
        "'; DROP TABLE users; --".into(),
        "' OR '1'='1".into(),
        "\" UNION SELECT password_hash FROM users --".into(),
        "$1".into(),
        "?".into(),
        "%_\\%".into(),
        "../../../../etc/passwd".into(),
        "/proc/self/environ".into(),
        "file:///etc/passwd".into(),
        "http://169.254.169.254/latest/meta-data".into(),
        "a\u{0}b".into(),
        "a\r\nSet-Cookie: x=y\r\n\r\n".into(),
        "`) || Host(`evil.example".into(),
        "{{7*7}} ${7*7} <script>alert(1)</script>".into(),
        "%s%n%x".into(),
        "\u{202e}\u{feff}\u{200b}\u{1f4a9}ﷺ".into(),
        "-1".into(),
        "NaN".into(),
        "9".repeat(400),
        "[[[[[[[[".into(),
        "{\"a\":{\"b\":[1e999]}}".into(),
        "x".repeat(70_000),
        "é".repeat(40_000),
    ]
}

struct Hostile<'a> {
    field: &'a str,
    place: &'a [&'a str],
    text: &'a str,
    fixture: &'a Fixture,
    shared: &'a Shared,
}

impl Fill for Hostile<'_> {
    fn leaf(&self, kind: &str, path: &[&str]) -> Option<Value> {
        if path == self.place {
            return Some(json!(self.text));
        }
        if kind != "ID" {
            return sensible(kind, path, &self.fixture.slug);
        }
        Some(json!(match kind_of(self.field, path)? {
            "pln" => self.shared.plan.to_string(),
            "reg" => self.shared.region.to_string(),
            "nod" => self.shared.node.to_string(),
            kind => self.fixture.ids.get(kind)?.clone(),
        }))
    }
}

fn places(schema: &Schema, kind: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let heart = schema.named(Schema::heart(kind));
    match heart["kind"].as_str().unwrap() {
        "SCALAR" if !matches!(heart["name"].as_str().unwrap(), "Int" | "Float" | "Boolean") => found.push(path.clone()),
        "INPUT_OBJECT" if path.len() < 6 => {
            for field in heart["inputFields"].as_array().unwrap() {
                path.push(field["name"].as_str().unwrap().to_owned());
                places(schema, &field["type"], path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "how much was tried is worth seeing")]
async fn hostile_text_is_text_wherever_it_stands() {
    let world = World::new().await;
    let shared = world.shared().await;
    let schema = Schema::of(&world).await;
    let (user, token) = world.person("boss", true).await;
    let canaries = tempfile::tempdir().unwrap();
    let canary = canaries.path().join("canary").display().to_string();
    let (mut calls, mut found_places) = (0, 0);
    for root in ["Query", "Mutation"] {
        for field in schema.fields(root) {
            let mut found = Vec::new();
            for (name, kind) in &field.arguments {
                places(&schema, kind, &mut vec![name.clone()], &mut found);
            }
            found_places += found.len();
            for place in &found {
                // Things of their own for each place: a call before may have removed them.
                let fixture = world.fixture(&crate::fixture::fresh("h", calls), &shared).await;
                world.join(user, fixture.organization, slipway_model::Role::Owner).await;
                let place: Vec<&str> = place.iter().map(String::as_str).collect();
                for text in payloads(&canary) {
                    world.clock.advance(chrono::TimeDelta::seconds(1));
                    let fill = Hostile { field: &field.name, place: &place, text: &text, fixture: &fixture, shared: &shared };
                    let call = schema.call(root, &field, &fill);
                    let answer = world.ask(Some(&token), &call.document, call.variables).await;
                    let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("none");
                    let shown: String = text.chars().take(40).collect();
                    assert!(!matches!(code, "INTERNAL" | "UNAVAILABLE"), "{} {place:?} {shown:?}: {answer}", field.name);
                    assert!(answer.to_string().len() < 100_000, "{} {place:?} {shown:?} is repeated", field.name);
                    calls += 1;
                }
            }
        }
    }
    assert_eq!(std::fs::read_dir(canaries.path()).unwrap().count(), 0, "something was executed");
    // Everything is still there, and says what it said.
    assert_eq!(world.data(&token, "{ viewer { email } }", json!({})).await["viewer"]["email"], "boss@example.org");
    let chain = world.data(&token, "{ auditChain { intact } }", json!({})).await;
    assert_eq!(chain["auditChain"]["intact"], true);
    println!("{found_places} places that take text, {} payloads: {calls} calls", payloads(&canary).len());
    assert!(found_places > 130 && calls > 4_000, "{found_places} {calls}");
}
