//! Documents made to hurt are refused, and the process goes on.

use std::{fmt::Write, time::Instant};

use serde_json::{Value, json};

use crate::world::World;

fn corpus() -> Vec<(&'static str, String)> {
    let fields = |unit: &str, n: usize| format!("{{ {} }}", (0..n).map(|i| unit.replace('#', &i.to_string())).collect::<String>());
    let mut fragments = String::from("{ ...f0 }\n");
    for i in 0..25 {
        writeln!(fragments, "fragment f{i} on Query {{ ...f{0} ...f{0} }}", i + 1).unwrap();
    }
    fragments.push_str("fragment f25 on Query { __typename }");
    let mut chain = String::from("{ ...f0 }\n");
    for i in 0..300 {
        writeln!(chain, "fragment f{i} on Query {{ ...f{} }}", i + 1).unwrap();
    }
    chain.push_str("fragment f300 on Query { __typename }");
    vec![
        ("selections", format!("{}{}", "{a".repeat(8_000), "}".repeat(8_000))),
        ("lists", format!("{{ a(b: {}{}) }}", "[".repeat(15_000), "]".repeat(15_000))),
        ("objects", format!("{{ a(b: {}1{}) }}", "{c:".repeat(8_000), "}".repeat(8_000))),
        ("list types", format!("query($v: {}Int{}) {{ a }}", "[".repeat(15_000), "]".repeat(15_000))),
        ("unclosed", "{a(b:".repeat(6_000)),
        ("doubling fragments", fragments),
        ("a chain of fragments", chain),
        ("a fragment in itself", "{ ...a } fragment a on Query { ...a }".to_owned()),
        ("aliases", fields("a#: __typename ", 500)),
        ("root fields", fields("serverInfo { version } ", 100)),
        ("directives", fields("__typename @skip(if: false) @include(if: true) ", 20)),
        ("tokens", fields("a ", 10_000)),
        ("bytes", format!("{{ a }} # {}", "x".repeat(60_000))),
        ("costly lists", "{ organizations(first: 100) { nodes { applications(first: 100) { nodes { id } } } } }".to_owned()),
        ("several operations", "query A { __typename } query B { __typename }".to_owned()),
    ]
}

#[tokio::test]
async fn bombs_are_refused_and_the_process_lives() {
    let world = World::new().await;
    for (name, query) in corpus() {
        let started = Instant::now();
        let answer = world.ask(Some(&world.admin), &query, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "QUERY_REJECTED", "{name}: {answer}");
        assert_eq!(answer.get("data"), None, "{name}");
        assert!(started.elapsed().as_millis() < 2_000, "{name} took {:?}", started.elapsed());
    }
    assert_eq!(world.ask(None, "{ serverInfo { version } }", json!({})).await["data"]["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn large_and_deep_json_is_refused() {
    let world = World::new().await;
    let post = |body: String| world.http.post(world.url("/graphql")).header("content-type", "application/json").body(body);
    let large = json!({"query": "{ __typename }", "variables": {"x": "x".repeat(2 << 20)}}).to_string();
    assert_eq!(post(large).send().await.unwrap().status(), 413);
    let variables = json!({"query": "{ __typename }", "variables": {"x": "x".repeat(300 << 10)}}).to_string();
    let answer: Value = post(variables).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["errors"][0]["extensions"]["code"], "QUERY_REJECTED");
    let deep = format!("{{\"query\": \"{{ __typename }}\", \"variables\": {}{}}}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    assert_eq!(post(deep).send().await.unwrap().status(), 400);
    assert!(world.ask(None, "{ __typename }", json!({})).await["data"]["__typename"].is_string());
}

#[tokio::test]
async fn strangers_learn_nothing_of_the_schema() {
    let world = World::new().await;
    let answer = world.ask(None, "{ __schema { types { name } } }", json!({})).await;
    assert!(!answer.to_string().contains("Application"), "{answer}");
    for query in ["{ serverInf { version } }", "{ serverInfo { versio } }", "{ plan(slugg: \"x\") { id } }"] {
        let answer = world.ask(None, query, json!({})).await;
        assert!(answer["errors"][0]["message"].is_string() && !answer.to_string().contains("Did you mean"), "{answer}");
        let answer = world.ask(Some(&world.admin), query, json!({})).await;
        assert!(answer.to_string().contains("Did you mean"), "who may introspect is helped: {answer}");
    }
    let answer = world.ask(Some(&world.admin), "{ __schema { types { name } } }", json!({})).await;
    assert!(answer.to_string().contains("Application"));
}

#[tokio::test]
async fn a_document_full_of_mistakes_gets_a_short_answer() {
    let world = World::new().await;
    let query = format!("{{ viewer {{ {} }} }}", (0..1_500).map(|n| format!("x{n} ")).collect::<String>());
    let answer = world.ask(Some(&world.admin), &query, json!({})).await;
    assert_eq!((answer["errors"].as_array().unwrap().len(), answer.get("data")), (20, None));
}
