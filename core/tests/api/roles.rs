//! The role matrix: of every root field, who gets in. What it is today stands in `roles.txt`; a change of it, or a new field, has to be
//! looked at and written down there: `SLIPWAY_WRITE_ROLES=1` writes it anew.

use std::{fmt::Write as _, path::Path};

use chrono::TimeDelta;
use serde_json::{Value, json};
use slipway_model::Role;

use crate::{
    fixture::{Fixture, Shared, kind_of, sensible},
    introspected::{Fill, Schema, declared},
    world::{World, receive, send},
};

struct Own<'a> {
    field: &'a str,
    fixture: &'a Fixture,
    shared: &'a Shared,
    /// Of whoever asks.
    session: &'a str,
}

impl Fill for Own<'_> {
    fn leaf(&self, kind: &str, path: &[&str]) -> Option<Value> {
        if kind != "ID" {
            return sensible(kind, path, &self.fixture.slug);
        }
        Some(json!(match kind_of(self.field, path)? {
            "pln" => self.shared.plan.to_string(),
            "reg" => self.shared.region.to_string(),
            "nod" => self.shared.node.to_string(),
            "ses" => self.session.to_owned(),
            kind => self.fixture.ids.get(kind)?.clone(),
        }))
    }
}

const WHO: [(&str, Option<Role>); 7] = [
    ("stranger", None),
    ("outsider", None),
    ("viewer", Some(Role::Viewer)),
    ("member", Some(Role::Member)),
    ("admin", Some(Role::Admin)),
    ("owner", Some(Role::Owner)),
    ("platform", None),
];

fn outcome(field: &str, answer: &Value) -> &'static str {
    match answer["errors"][0]["extensions"]["code"].as_str() {
        Some("UNAUTHENTICATED") => return "sign-in",
        Some("FORBIDDEN") => return "no",
        Some("NOT_FOUND") => return "nothing",
        Some(code) => panic!("{field}: {code}: {answer}"),
        None => {}
    }
    let payload = &answer["data"][field];
    match payload["errors"][0]["code"].as_str() {
        Some("NOT_FOUND") => "nothing",
        Some(_) => "yes",
        None if payload.is_null() => "nothing",
        None => "yes",
    }
}

#[tokio::test]
async fn who_gets_in_where_is_as_it_is_written_down() {
    compare(World::new().await).await;
}

/// What the first lock opens, the second does not keep shut.
#[tokio::test]
async fn who_gets_in_where_is_the_same_on_postgresql() {
    compare(World::on_postgres().await).await;
}

#[expect(clippy::print_stdout, reason = "how much was tried is worth seeing")]
async fn compare(world: World) {
    let shared = world.shared().await;
    let schema = Schema::of(&world).await;
    let mut text = String::from("# root field, as declared: who gets in. `no`: refused; `nothing`: as if it were not there.\n");
    let mut calls = 0;
    for declared in declared() {
        let field = schema.fields(declared.root).into_iter().find(|field| field.name == declared.field).unwrap();
        let permission = declared.permission.as_deref().unwrap_or("-");
        write!(text, "{}.{} {} {permission}:", declared.root, declared.field, declared.role).unwrap();
        for (who, role) in WHO {
            calls += 1;
            // Long enough for whoever tried too often to try again.
            world.clock.advance(TimeDelta::minutes(6));
            // Each has things of their own, so that what the one does is nothing to the other.
            let fixture = world.fixture(&crate::fixture::fresh("m", calls), &shared).await;
            let (user, token) = world.person(&format!("{who}-{calls}"), who == "platform").await;
            if let Some(role) = role {
                world.join(user, fixture.organization, role).await;
            }
            let session = token.trim_start_matches("slips_");
            let call = schema.call(declared.root, &field, &Own { field: &declared.field, fixture: &fixture, shared: &shared, session });
            let token = (who != "stranger").then_some(token.as_str());
            let answer = if declared.root == "Subscription" {
                let mut socket = match token {
                    Some(token) => world.open(token).await,
                    None => {
                        let mut socket = world.socket("/graphql/ws").await;
                        send(&mut socket, json!({"type": "connection_init"})).await;
                        receive(&mut socket).await;
                        socket
                    }
                };
                let payload = json!({"query": call.document, "variables": call.variables});
                send(&mut socket, json!({"type": "subscribe", "id": "1", "payload": payload})).await;
                // A log of nothing says nothing: whoever may follow it waits.
                match tokio::time::timeout(std::time::Duration::from_millis(400), receive(&mut socket)).await {
                    Ok(message) if message["type"] == "error" => json!({"errors": message["payload"]}),
                    Ok(message) if message["type"] == "next" => message["payload"].clone(),
                    // The log of something that has ended comes to its end at once.
                    Ok(message) if message["type"] != "complete" => panic!("{message}"),
                    Ok(_) | Err(_) => json!({"data": {&declared.field: {}}}),
                }
            } else {
                world.ask(token, &call.document, call.variables).await
            };
            write!(text, " {who}={}", outcome(&declared.field, &answer)).unwrap();
        }
        text.push('\n');
    }
    println!("{calls} calls");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/roles.txt");
    if std::env::var_os("SLIPWAY_WRITE_ROLES").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    let differing: Vec<_> = text.lines().filter(|line| !written.lines().any(|old| old == *line)).collect();
    assert!(written == text, "who gets in where has changed; look at it, then write it down:\n{}", differing.join("\n"));
}
