//! GraphQL over HTTP: which requests are taken, and with which status they are answered.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::world::World;

#[tokio::test]
async fn only_json_is_taken_by_post() {
    let world = World::new().await;
    let post = |media: &str, body: &'static str| world.http.post(world.url("/graphql")).header("content-type", media).body(body).send();
    let query = r#"{"query": "{ __typename }"}"#;
    for media in ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""] {
        assert_eq!(post(media, query).await.unwrap().status(), 200, "{media}");
    }
    for media in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/graphql",
    ] {
        assert_eq!(post(media, query).await.unwrap().status(), 415, "{media}");
    }
    assert_eq!(world.http.post(world.url("/graphql")).body(query).send().await.unwrap().status(), 415);
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        r#"[{"query": "{ __typename }"}]"#,
        r#"{"query": 1}"#,
        r#"{"query": "{ __typename }", "variables": []}"#,
    ] {
        assert_eq!(post("application/json", body).await.unwrap().status(), 400, "{body}");
    }
}

#[tokio::test]
async fn a_query_may_be_got_and_a_mutation_may_not() {
    let world = World::new().await;
    let get = |query: &[(&str, &str)]| world.http.get(world.url("/graphql")).header("x-requested-with", "test").query(query).send();
    let answer: Value = get(&[("query", "{ __typename }"), ("variables", "{}")]).await.unwrap().json().await.unwrap();
    assert_eq!(answer["data"]["__typename"], "Query");
    let refused =
        get(&[("query", "mutation { sessionCreate(input: {email: \"a\", password: \"b\"}) { errors { code } } }")]).await.unwrap();
    assert_eq!((refused.status(), refused.headers()["allow"].to_str().unwrap()), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    assert_eq!(get(&[]).await.unwrap().status(), 400);
    assert_eq!(get(&[("query", "{ __typename }"), ("variables", "x")]).await.unwrap().status(), 400);
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = world.http.request(method, world.url("/graphql")).send().await.unwrap();
        assert_eq!(answer.status(), 405);
    }
}

#[tokio::test]
async fn the_answer_is_of_the_media_type_that_was_asked_for() {
    let world = World::new().await;
    let ask = |accept: Option<&'static str>, query: &'static str| {
        let request = world.http.post(world.url("/graphql")).json(&json!({"query": query}));
        match accept {
            Some(accept) => request.header("accept", accept).send(),
            None => request.header("accept", "*/*").send(),
        }
    };
    for (accept, media) in [
        (None, "application/json; charset=utf-8"),
        (Some("application/json"), "application/json; charset=utf-8"),
        (Some("application/graphql-response+json"), "application/graphql-response+json; charset=utf-8"),
        (Some("application/graphql-response+json, application/json;q=0.9"), "application/graphql-response+json; charset=utf-8"),
        (Some("application/json; q=0.9, application/graphql-response+json"), "application/graphql-response+json; charset=utf-8"),
        (Some("application/graphql-response+json;q=0.1, */*"), "application/json; charset=utf-8"),
        (Some("application/graphql-response+json;q=0, application/*;q=0.1"), "application/json; charset=utf-8"),
    ] {
        let answer = ask(accept, "{ __typename }").await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()), (200, media));
    }
    for unknown in ["text/html", "application/json;q=0", "application/xml, image/*"] {
        assert_eq!(ask(Some(unknown), "{ __typename }").await.unwrap().status(), 406, "{unknown}");
    }
    for invalid in ["{", "{ nothingOfThisName }", "{ serverInfo }"] {
        let lenient = ask(Some("application/json"), invalid).await.unwrap();
        assert_eq!(lenient.status(), 200, "{invalid}");
        let strict = ask(Some("application/graphql-response+json"), invalid).await.unwrap();
        assert_eq!(strict.status(), 400, "{invalid}");
        let body: Value = strict.json().await.unwrap();
        assert_eq!((body.get("data"), &body["errors"][0]["extensions"]["code"]), (None, &json!("QUERY_REJECTED")), "{invalid}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let world = World::new().await;
    let ask =
        |origin: String| world.http.post(world.url("/graphql")).header("origin", origin).json(&json!({"query": "{ __typename }"})).send();
    assert_eq!(ask("https://evil.example".to_owned()).await.unwrap().status(), 403);
    assert_eq!(ask("null".to_owned()).await.unwrap().status(), 403);
    assert_eq!(ask("http://slipway.example".to_owned()).await.unwrap().status(), 200);
    assert_eq!(ask(world.url("")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn every_answer_tells_browsers_to_be_careful() {
    let world = World::new().await;
    for path in ["/healthz", "/readyz", "/metrics", "/nothing"] {
        let answer = world.http.get(world.url(path)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), if path == "/nothing" { 404 } else { 200 }, "{path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert!(answer.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    }
    let metrics = world.http.get(world.url("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("slipway_nodes_connected 0"), "{metrics}");
}

#[tokio::test]
async fn a_token_that_does_not_hold_is_401() {
    let world = World::new().await;
    for token in ["slip_nobody", "slips_nobody", "x", ""] {
        let answer =
            world.http.post(world.url("/graphql")).bearer_auth(token).json(&json!({"query": "{ __typename }"})).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["www-authenticate"].to_str().unwrap()), (401, "Bearer"));
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }
}

#[tokio::test]
async fn a_browser_gets_graphiql_in_development_alone() {
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let development = World::with(|config| config.development = true).await;
    let page = development.http.get(development.url("/graphql")).header("accept", browser).send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    let page = page.text().await.unwrap();
    // What it fetches has a fixed version and a digest, and what stands in it is allowed by its own.
    for (at, _) in page.match_indices("https://") {
        let tag = &page[page[..at].rfind('<').unwrap()..at + page[at..].find('>').unwrap()];
        let version = tag.split('@').nth(1).unwrap().split('/').next().unwrap();
        assert!(version.split('.').count() == 3 && tag.contains("integrity=\"sha384-"), "{tag}");
    }
    let script = page.split("<script type=\"module\">").nth(1).unwrap().split("</script>").next().unwrap();
    let digest = STANDARD.encode(Sha256::digest(script));
    assert!(policy.contains(&format!("'sha256-{digest}'")) && policy.contains("connect-src 'self'"), "{policy}");
    // Programs are answered as ever, and so is a query.
    let query = development.http.get(development.url("/graphql")).query(&[("query", "{ __typename }")]).header("accept", browser);
    assert_eq!(query.send().await.unwrap().json::<Value>().await.unwrap()["data"]["__typename"], "Query");

    let production = World::new().await;
    let refused = production.http.get(production.url("/graphql")).header("accept", browser).send().await.unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()["content-type"]), (400, &"application/json; charset=utf-8".parse().unwrap()));
}

#[tokio::test]
async fn who_dawdles_with_a_request_is_not_waited_for() {
    let world = World::new().await;
    let mut slow = TcpStream::connect(world.core.address()).await.unwrap();
    slow.write_all(b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: ").await.unwrap();
    let started = Instant::now();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(40), slow.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "it still waits after {:?}", started.elapsed());
    assert!((15..30).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
}
