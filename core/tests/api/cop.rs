//! The checks of graphql-cop, an auditor of GraphQL servers: each asks as it does, and finds what it would find.

#![allow(clippy::print_stdout, reason = "how many checks there were is told")]

use std::fmt::Write;

use serde_json::{Value, json};

use crate::world::{World, receive, send};

/// Asks as a stranger with a Python script: no header but those that it must have.
struct Cop<'a>(&'a World);

impl Cop<'_> {
    async fn post(&self, body: Value) -> Value {
        self.0.http.post(self.0.url("/graphql")).json(&body).send().await.unwrap().json().await.unwrap()
    }

    async fn query(&self, query: &str) -> Value {
        self.post(json!({"query": query, "operationName": "cop"})).await
    }

    async fn get(&self, query: &str) -> Value {
        let answer = self.0.http.get(self.0.url("/graphql")).query(&[("query", query)]).send().await.unwrap();
        answer.json().await.unwrap_or_default()
    }

    /// The names of what was found, and how many checks there were.
    async fn findings(&self) -> (Vec<&'static str>, usize) {
        let mut aliases = String::new();
        for n in 0..101 {
            writeln!(aliases, "alias{n}: __typename").unwrap();
        }
        let aliases = self.query(&format!("query cop {{ {aliases} }}")).await;
        let batch = self.post(json!(vec![json!({"query": "query cop { __typename }"}); 10])).await;
        let directives = self.query(&format!("query cop {{ __typename {} }}", "@aa".repeat(10))).await;
        let known = self.query(&format!("query cop {{ __typename {} }}", "@skip(if: false)".repeat(10))).await;
        let duplicates = self.query(&format!("query cop {{ {} }}", "__typename ".repeat(500))).await;
        let fragments = self.query("query cop { ...A } fragment A on Query { ...B } fragment B on Query { ...A }").await;
        let circle = format!("query cop {{ __schema {{ types {{ {} name {} }} }} }}", "fields { type { ".repeat(4), "} }".repeat(4));
        let circle = self.query(&circle).await;
        let introspection = self.query("query cop { __schema { types { name fields { name } } } }").await;
        let suggestion = self.query("query cop { __schema { directive } }").await;
        let of_field = self.query("query cop { serverInf { version } }").await;
        let of_argument = self.query("query cop { plan(slugg: \"x\") { id } }").await;
        let page = self.0.http.get(self.0.url("/graphql")).header("accept", "text/html").send().await.unwrap().text().await.unwrap();
        let form = self.0.http.post(self.0.url("/graphql")).header("content-type", "application/x-www-form-urlencoded");
        let form: Value = form.body("query=query+cop+%7B+__typename+%7D").send().await.unwrap().json().await.unwrap_or_default();
        let trace = self.query("query cop { __typename }").await;
        let unhandled = self.query("qwerty cop { abc }").await;
        let tells = |answer: &Value, word: &str| answer.to_string().to_lowercase().contains(word);

        let checks = [
            ("alias overloading", !aliases["data"]["alias100"].is_null()),
            ("array-based query batching", batch.as_array().is_some_and(|answers| answers.len() >= 10)),
            ("directive overloading", directives["errors"].as_array().is_none_or(|errors| errors.len() > 1) || known.get("data").is_some()),
            ("field duplication", !duplicates["data"]["__typename"].is_null()),
            ("circular fragments", fragments.get("data").is_some()),
            ("introspection-based circular query", !circle["data"]["__schema"].is_null()),
            ("introspection", !introspection["data"]["__schema"].is_null()),
            ("field suggestions", [&suggestion, &of_field, &of_argument].iter().any(|answer| tells(answer, "did you mean"))),
            ("GraphQL IDE", ["graphiql", "playground", "altair"].iter().any(|name| page.to_lowercase().contains(name))),
            ("queries by GET", !self.get("query cop { __typename }").await["data"].is_null()),
            ("mutations by GET", !self.get("mutation cop { __typename }").await["data"].is_null()),
            ("urlencoded POST", !form["data"].is_null()),
            ("trace mode", tells(&trace, "tracing") || trace.get("extensions").is_some()),
            ("unhandled errors", ["exception", "stack", "panicked", ".rs:"].iter().any(|word| tells(&unhandled, word))),
        ];
        let found = checks.iter().filter(|(_, found)| *found).map(|(name, _)| *name).collect();
        (found, checks.len())
    }
}

#[tokio::test]
async fn in_production_the_auditor_finds_nothing() {
    let world = World::new().await;
    let (found, checks) = Cop(&world).findings().await;
    println!("{} findings by {checks} checks of graphql-cop", found.len());
    assert_eq!(found, Vec::<&str>::new());
}

/// What development offers, and no more: it also shows that the checks find something.
#[tokio::test]
async fn in_development_it_finds_what_development_is_for() {
    let world = World::with(|config| config.development = true).await;
    let (found, _) = Cop(&world).findings().await;
    assert_eq!(found, ["introspection", "field suggestions", "GraphQL IDE", "queries by GET"]);
}

#[tokio::test]
async fn what_goes_wrong_inside_is_not_told_outside() {
    let world = World::new().await;
    world.platform().db.close().await;
    let tells = |answer: &Value| ["sqlx", "sqlite", "pool", "panicked", ".rs:"].into_iter().find(|word| answer.to_string().contains(word));
    let answer = Cop(&world).query("query cop { plans { nodes { id } } }").await;
    let code = answer["errors"][0]["extensions"]["code"].as_str().unwrap();
    assert!(matches!(code, "UNAVAILABLE" | "INTERNAL") && tells(&answer).is_none(), "{answer}");

    let signed_in = world.http.post(world.url("/graphql")).bearer_auth(&world.admin).json(&json!({"query": "{ __typename }"}));
    let signed_in = signed_in.send().await.unwrap();
    assert_eq!(signed_in.status(), 503, "a token that cannot be looked up is not a wrong one");
    let answer: Value = signed_in.json().await.unwrap();
    assert!(answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE" && tells(&answer).is_none(), "{answer}");

    let mut socket = world.socket("/graphql/ws").await;
    send(&mut socket, json!({"type": "connection_init", "payload": {"token": world.admin}})).await;
    assert_eq!(receive(&mut socket).await, json!({"closed": 1013}), "nor on a socket");
}
