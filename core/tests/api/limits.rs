//! What a document may cost, and what somebody may ask in a minute.

use std::time::Duration;

use chrono::TimeDelta;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use slipway_core::{
    Config,
    graphql::{MAX_COMPLEXITY, sdl},
};
use slipway_model::{Clock, Role};
use slipway_store::Sql;
use slipway_store_testing::TestDatabase;

use crate::world::World;

fn header(answer: &Response, name: &str) -> u64 {
    answer.headers()[name].to_str().unwrap().parse().unwrap()
}

async fn with_usual_points() -> World {
    World::with(|config| config.points_per_minute = Config::USUAL_POINTS_PER_MINUTE).await
}

async fn post(world: &World, token: Option<&str>, body: Value) -> Response {
    let request = world.http.post(world.url("/graphql")).json(&body);
    match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
    .send()
    .await
    .unwrap()
}

/// What a document costs, as `rateLimit` says.
async fn cost(world: &World, selection: &str, variables: Value) -> u64 {
    let query = format!(
        "query($first: Int, $ids: [ID!] = []) {{ rateLimit(dryRun: true) {{ cost }} {selection} used: nodes(ids: $ids) {{ id }} }}"
    );
    let query = if selection.contains("$first") { query } else { query.replace("$first: Int, ", "") };
    let answer = world.ask(Some(&world.admin), &query, variables).await;
    answer["data"]["rateLimit"]["cost"].as_u64().unwrap_or_else(|| panic!("{selection}: {answer}"))
}

#[tokio::test]
async fn every_answer_tells_what_is_left() {
    let world = with_usual_points().await;
    let query = json!({"query": "{ __typename }"});
    for expected in [1_999, 1_998] {
        let answer = post(&world, Some(&world.admin), query.clone()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!((header(&answer, "ratelimit-limit"), header(&answer, "ratelimit-remaining")), (2_000, expected));
        assert_eq!(header(&answer, "ratelimit-reset"), 60);
    }
    // Somebody else, by another token or none, has points of their own.
    let ada = world.customer("ada", Role::Owner).await;
    assert_eq!(header(&post(&world, Some(&ada.token), query.clone()).await, "ratelimit-remaining"), 1_999);
    assert_eq!(header(&post(&world, None, query.clone()).await, "ratelimit-remaining"), 1_999);

    world.clock.advance(TimeDelta::seconds(20));
    assert_eq!(header(&post(&world, Some(&world.admin), query.clone()).await, "ratelimit-reset"), 40);
    world.clock.advance(TimeDelta::seconds(40));
    assert_eq!(header(&post(&world, Some(&world.admin), query).await, "ratelimit-remaining"), 1_999);
}

#[tokio::test]
async fn whatever_is_refused_is_paid_for() {
    let world = with_usual_points().await;
    let mut left = 2_000;
    for body in [json!({"query": "{"}), json!({"query": "{ nothing }"}), json!([]), json!({"query": "subscription { x }"})] {
        left -= 1;
        assert_eq!(header(&post(&world, None, body.clone()).await, "ratelimit-remaining"), left, "{body}");
    }
    let answer = post(&world, Some("slip_nobody"), json!({"query": "{ __typename }"})).await;
    assert_eq!((answer.status(), header(&answer, "ratelimit-remaining")), (StatusCode::UNAUTHORIZED, left - 1));
    let form = world.http.post(world.url("/graphql")).body("x").send().await.unwrap();
    assert_eq!((form.status().as_u16(), header(&form, "ratelimit-remaining")), (415, left - 2));
}

#[tokio::test]
async fn two_thousand_points_are_a_minutes_worth() {
    let world = with_usual_points().await;
    let query = json!({"query": "{ __typename }"});
    for n in 0..2_000 {
        let answer = post(&world, Some(&world.admin), query.clone()).await;
        assert_eq!(answer.status(), StatusCode::OK, "request {n}");
    }
    world.clock.advance(TimeDelta::seconds(25));
    for media in ["application/json", "application/graphql-response+json"] {
        let request = world.http.post(world.url("/graphql")).bearer_auth(&world.admin).header("accept", media).json(&query);
        let answer = request.send().await.unwrap();
        assert_eq!((answer.status(), header(&answer, "retry-after")), (StatusCode::TOO_MANY_REQUESTS, 35));
        assert_eq!((header(&answer, "ratelimit-remaining"), header(&answer, "ratelimit-reset")), (0, 35));
        let body: Value = answer.json().await.unwrap();
        let extensions = &body["errors"][0]["extensions"];
        assert_eq!((&extensions["code"], &extensions["retryAfterSeconds"]), (&json!("RATE_LIMITED"), &json!(35)), "{body}");
        assert_eq!(body.get("data"), None);
    }
    assert_eq!(post(&world, None, query.clone()).await.status(), StatusCode::OK, "a stranger has other points");
    world.clock.advance(TimeDelta::seconds(35));
    assert_eq!(post(&world, Some(&world.admin), query).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_document_that_costs_more_than_is_left_is_not_executed() {
    let world = World::with(|config| config.points_per_minute = 10).await;
    let many = json!({"query": "{ plans(first: 100) { nodes { id slug name active version } edges { cursor node { id slug name } } } }"});
    let answer = post(&world, Some(&world.admin), many.clone()).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS, "it costs 12");
    assert_eq!(header(&answer, "ratelimit-remaining"), 10, "and nothing was taken for it");
    let few = json!({"query": "{ plans(first: 10) { nodes { id slug } } }"});
    assert_eq!(post(&world, Some(&world.admin), few).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_schema_says_what_a_document_costs_and_that_is_what_is_taken() {
    let world = World::new().await;
    // One hundred of complexity is a point: a page counts what is selected in it as often as it may have elements.
    assert_eq!(cost(&world, "", json!({})).await, 1);
    assert_eq!(cost(&world, "plans(first: 1) { nodes { id } }", json!({})).await, 1);
    assert_eq!(cost(&world, "plans(first: 100) { nodes { id } }", json!({})).await, 3);
    assert_eq!(cost(&world, "plans(last: 100) { nodes { id } }", json!({})).await, 3);
    assert_eq!(cost(&world, "plans(first: $first) { nodes { id } }", json!({"first": 100})).await, 3);
    assert_eq!(cost(&world, "plans(first: $first) { nodes { id } }", json!({"first": null})).await, 1);
    assert_eq!(cost(&world, "plans { nodes { id slug name version active } }", json!({})).await, 2);
    assert_eq!(cost(&world, "... on Query { plans(first: 100) { nodes { id } } }", json!({})).await, 3);
    assert_eq!(cost(&world, "organizations(first: 10) { nodes { applications(first: 10) { nodes { id } } } }", json!({})).await, 3);
    let ids: Vec<String> = (0..100).map(|n| format!("pln_{n}")).collect();
    assert_eq!(cost(&world, "", json!({"ids": ids})).await, 2);

    let sdl = sdl();
    assert!(sdl.contains("directive @cost("), "{sdl}");
    let lines: Vec<&str> = sdl.lines().collect();
    let mut pages = 0;
    for (at, line) in lines.iter().enumerate() {
        // The end of a field that answers a page.
        if line.contains("Connection!") && !line.trim_start().starts_with('"') {
            assert!(line.contains("@cost(weight: 1, multiplier: [\"first\", \"last\"])"), "line {}: {line}", at + 1);
            pages += 1;
        }
    }
    assert!(pages >= 15, "{pages} pages");
}

#[tokio::test]
async fn a_dry_run_tells_the_cost_and_does_nothing_else() {
    let world = with_usual_points().await;
    let query = "query($dry: Boolean!) { a: rateLimit(dryRun: $dry) { cost limit remaining resetAt } plans(first: 100) { nodes { id } } }";
    let dry = world.ask(Some(&world.admin), query, json!({"dry": true})).await;
    assert_eq!(dry.get("errors"), None);
    let limit = &dry["data"]["a"];
    assert_eq!((&limit["cost"], &limit["limit"], &limit["remaining"]), (&json!(3), &json!(2_000), &json!(1_999)));
    assert_eq!(dry["data"].as_object().unwrap().len(), 1, "{dry}");
    let reset: chrono::DateTime<chrono::Utc> = limit["resetAt"].as_str().unwrap().parse().unwrap();
    assert_eq!((reset - world.clock.now()).num_seconds(), 60);

    let real = world.ask(Some(&world.admin), query, json!({"dry": false})).await;
    assert_eq!((&real["data"]["a"]["cost"], &real["data"]["a"]["remaining"]), (&json!(3), &json!(1_996)));
    assert!(!real["data"]["plans"]["nodes"].as_array().unwrap().is_empty());
    let stranger = world.ask(None, "{ rateLimit { cost } }", json!({})).await;
    assert_eq!(stranger["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
}

#[tokio::test]
async fn complexity_has_a_limit() {
    let world = World::new().await;
    let pages = |fields: usize| {
        let inner = "id ".repeat(fields);
        format!("{{ organizations(first: 40) {{ nodes {{ applications(first: 40) {{ nodes {{ {inner} }} }} }} }} }}")
    };
    // 1 + 40 * (1 + 1 + 40 * (1 + n)).
    let answer = world.ask(Some(&world.admin), &pages(2), json!({})).await;
    assert_eq!(answer.get("errors"), None, "4,881 of {MAX_COMPLEXITY}: {answer}");
    let answer = world.ask(Some(&world.admin), &pages(3), json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "QUERY_REJECTED");
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("6481"), "{answer}");
    // The size of a page cannot be hidden: not in a variable, not in its default, not in a fragment.
    let deep = "nodes { applications(first: 100) { nodes { id } } }";
    let instances = "nodes { instances(first: 100) { nodes { id } } }";
    for query in [
        format!("query($n: Int) {{ organizations(first: $n) {{ {deep} }} }}"),
        format!("query($n: Int = 100) {{ organizations(first: $n) {{ {deep} }} }}"),
        format!("query($n: Int) {{ ...F }} fragment F on Query {{ organizations(last: $n) {{ {deep} }} }}"),
        format!("query($n: Int) {{ viewer {{ memberships {{ organization {{ applications(first: $n) {{ {instances} }} }} }} }} }}"),
    ] {
        let variables = if query.contains("= 100") { json!({}) } else { json!({"n": 100}) };
        let answer = world.ask(Some(&world.admin), &query, variables).await;
        assert!(answer["errors"][0]["message"].as_str().unwrap_or_default().contains("complexity"), "{query}: {answer}");
    }
}

#[tokio::test]
async fn strangers_behind_a_proxy_count_apart_if_it_is_the_operators() {
    for (proxies, expected) in [(vec!["127.0.0.1".parse().unwrap()], [1, 1, 0]), (vec![], [1, 0, 0])] {
        let world = World::with(|config| (config.points_per_minute, config.trusted_proxies) = (2, proxies)).await;
        let mut left = Vec::new();
        for stranger in ["198.51.100.1", "198.51.100.2", "198.51.100.1"] {
            let request = world.http.post(world.url("/graphql")).header("x-forwarded-for", stranger);
            let answer = request.json(&json!({"query": "{ __typename }"})).send().await.unwrap();
            left.push(header(&answer, "ratelimit-remaining"));
        }
        assert_eq!(left, expected);
    }
}

#[tokio::test]
async fn what_takes_too_long_is_refused_and_leaves_nothing_behind() {
    let postgres = TestDatabase::postgres().await;
    let world =
        World::with(|config| (config.database_url, config.answer_within) = (postgres.url.clone(), Duration::from_millis(300))).await;
    let ada = world.customer("ada", Role::Owner).await;
    // Somebody works on the table for long.
    let mut busy = world.platform().db.begin().await.unwrap();
    busy.execute(Sql::new("LOCK TABLE plans IN ACCESS EXCLUSIVE MODE")).await.unwrap();
    let query = "{ plans(first: 1) { nodes { slug } } }";
    // More of them than there are connections: who waits for one is told the same.
    for _ in 0..20 {
        let answer = world.ask(Some(&ada.token), query, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{answer}");
        assert_eq!(answer["errors"][0]["message"], "This took longer than 0.3 seconds. Ask for less, or try again later.");
    }
    busy.rollback().await.unwrap();
    let answer = world.ask(Some(&ada.token), query, json!({})).await;
    assert!(answer["data"]["plans"]["nodes"][0]["slug"].is_string(), "{answer}");
}
