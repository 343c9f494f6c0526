//! Every rule of graphql-transport-ws, one by one: <https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>.

#![allow(clippy::print_stdout, reason = "how many rules were checked is told")]

use std::time::Instant;

use futures::SinkExt;
use serde_json::{Value, json};
use slipway_model::Role;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, protocol},
};

use crate::world::{Socket, World, receive, send};

/// Rules that were seen to hold.
#[derive(Default)]
struct Rules(Vec<&'static str>);

impl Rules {
    fn holds(&mut self, rule: &'static str, seen: impl PartialEq<Value> + std::fmt::Debug, expected: Value) {
        assert!(seen == expected, "{rule}: {seen:?} instead of {expected}");
        self.0.push(rule);
    }

    fn told(self) {
        println!("{} rules of graphql-transport-ws checked", self.0.len());
    }
}

fn init() -> Value {
    json!({"type": "connection_init"})
}

fn subscribe(id: &str, query: &str) -> Value {
    json!({"type": "subscribe", "id": id, "payload": {"query": query}})
}

fn closed(code: u16) -> Value {
    json!({"closed": code})
}

/// What is answered to messages on a fresh socket, the last of it.
async fn last_answer(world: &World, messages: &[Value]) -> Value {
    let mut socket = world.socket("/graphql/ws").await;
    let mut answer = Value::Null;
    for message in messages {
        send(&mut socket, message.clone()).await;
        answer = receive(&mut socket).await;
    }
    answer
}

/// A socket whose client, unlike the usual one, does not mind that the server chose none of its subprotocols.
async fn any_protocol(world: &World, protocol: Option<&str>) -> Socket {
    let mut stream = TcpStream::connect(world.core.address()).await.unwrap();
    let protocol = protocol.map(|name| format!("Sec-WebSocket-Protocol: {name}\r\n")).unwrap_or_default();
    let request = format!(
        "GET /graphql/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocol}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    WebSocketStream::from_raw_socket(MaybeTlsStream::Plain(stream), protocol::Role::Client, None).await
}

/// What comes before the answer to a ping that is sent now.
async fn before_pong(socket: &mut Socket) -> Vec<Value> {
    send(socket, json!({"type": "ping", "payload": {"mark": true}})).await;
    let mut before = Vec::new();
    loop {
        let message = receive(socket).await;
        if message == json!({"type": "pong", "payload": {"mark": true}}) || message.get("closed").is_some() {
            return before;
        }
        before.push(message);
    }
}

#[tokio::test]
async fn a_connection_is_made_as_the_protocol_says() {
    let (world, mut rules) = (World::new().await, Rules::default());
    let no_payload = [init(), json!({"type": "connection_init", "payload": null}), json!({"type": "connection_init", "payload": {}})];
    for message in no_payload {
        rules.holds("connection_init is acknowledged", last_answer(&world, &[message]).await, json!({"type": "connection_ack"}));
    }
    for name in ["Authorization", "authorization"] {
        let signed_in = json!({"type": "connection_init", "payload": {name: format!("Bearer {}", world.admin)}});
        let answer = last_answer(&world, &[signed_in, subscribe("1", "{ viewer { isPlatformAdmin } }")]).await;
        rules.holds("a token may come with it", answer["payload"]["data"]["viewer"]["isPlatformAdmin"].clone(), json!(true));
    }
    let token = json!({"type": "connection_init", "payload": {"token": "slip_nobody"}});
    rules.holds("4403: the connection is refused", last_answer(&world, &[token]).await, closed(4403));
    rules.holds("4429: a second connection_init", last_answer(&world, &[init(), init()]).await, closed(4429));
    let again = [init(), json!({"type": "connection_init", "payload": {"token": world.admin}})];
    rules.holds("4429: also with a good token", last_answer(&world, &again).await, closed(4429));
    let early = [subscribe("1", "{ __typename }")];
    rules.holds("4401: subscribe before connection_ack", last_answer(&world, &early).await, closed(4401));

    // Two that are sent before anything is read.
    let mut socket = world.socket("/graphql/ws").await;
    send(&mut socket, init()).await;
    send(&mut socket, subscribe("1", "{ __typename }")).await;
    rules.holds("connection_ack comes first", receive(&mut socket).await, json!({"type": "connection_ack"}));
    rules.holds("what was sent at once is answered", receive(&mut socket).await["type"].clone(), json!("next"));

    for protocol in [None, Some("graphql-ws"), Some("graphql-transport-ws-2")] {
        rules.holds("4406: another subprotocol, or none", receive(&mut any_protocol(&world, protocol).await).await, closed(4406));
    }
    let socket = world.socket_of("/graphql/ws", None, Some("graphql-ws, graphql-transport-ws")).await;
    rules.holds("the subprotocol is found among others", json!(socket.is_ok()), json!(true));
    for (origin, allowed) in [("https://evil.example", false), ("null", false), ("http://slipway.example", true)] {
        for path in ["/graphql", "/graphql/ws"] {
            let socket = world.socket_of(path, Some(origin), Some("graphql-transport-ws")).await;
            rules.holds("Origin is looked at", json!(socket.err()), if allowed { Value::Null } else { json!(403) });
        }
    }

    let mut socket = world.socket("/graphql/ws").await;
    let started = Instant::now();
    send(&mut socket, json!({"type": "ping"})).await;
    receive(&mut socket).await;
    rules.holds("4408: no connection_init, pings or not", receive(&mut socket).await, closed(4408));
    assert!((2_900..4_500).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
    rules.told();
}

#[tokio::test]
async fn whatever_the_protocol_does_not_know_is_4400() {
    let (world, mut rules) = (World::new().await, Rules::default());
    let with = |payload: Value| json!({"type": "subscribe", "id": "1", "payload": payload});
    let query = "{ __typename }";
    let invalid = [
        json!(null),
        json!("x"),
        json!(1),
        json!([]),
        json!([init()]),
        json!({}),
        json!({"type": null}),
        json!({"type": 1}),
        json!({"type": ""}),
        json!({"type": "nonsense"}),
        json!({"type": "Ping"}),
        json!({"type": "start", "id": "1", "payload": {"query": query}}),
        json!({"type": "connection_ack"}),
        json!({"type": "next", "id": "1", "payload": {}}),
        json!({"type": "error", "id": "1", "payload": []}),
        json!({"type": "ping", "payload": "x"}),
        json!({"type": "ping", "payload": []}),
        json!({"type": "ping", "payload": 0}),
        json!({"type": "pong", "payload": "x"}),
        json!({"type": "pong", "payload": false}),
        json!({"type": "subscribe", "payload": {"query": query}}),
        json!({"type": "subscribe", "id": null, "payload": {"query": query}}),
        json!({"type": "subscribe", "id": 1, "payload": {"query": query}}),
        json!({"type": "subscribe", "id": "", "payload": {"query": query}}),
        json!({"type": "subscribe", "id": "1"}),
        with(Value::Null),
        with(json!("x")),
        with(json!([])),
        with(json!([{"query": query}])),
        with(json!({})),
        with(json!({"query": null})),
        with(json!({"query": 1})),
        with(json!({"query": {}})),
        with(json!({"query": query, "variables": "x"})),
        with(json!({"query": query, "variables": []})),
        with(json!({"query": query, "operationName": 1})),
        with(json!({"query": query, "operationName": {}})),
        with(json!({"query": query, "extensions": "x"})),
        with(json!({"query": query, "extensions": []})),
        json!({"type": "complete"}),
        json!({"type": "complete", "id": null}),
        json!({"type": "complete", "id": 1}),
        json!({"type": "complete", "id": ""}),
    ];
    for message in invalid {
        let answer = last_answer(&world, &[init(), message.clone()]).await;
        assert_eq!(answer, closed(4400), "{message}");
        rules.holds("4400 after connection_ack", answer, closed(4400));
        let answer = last_answer(&world, std::slice::from_ref(&message)).await;
        assert_eq!(answer, closed(4400), "{message} at the start");
        rules.holds("4400 before connection_ack", answer, closed(4400));
    }
    for payload in [json!("x"), json!(1), json!([]), json!(true)] {
        let answer = last_answer(&world, &[json!({"type": "connection_init", "payload": payload})]).await;
        rules.holds("4400: connection_init whose payload is no object", answer, closed(4400));
    }
    let deep = format!("{{\"type\": \"ping\", \"payload\": {}{}}}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    for message in [Message::text(""), Message::text("{"), Message::text("ping"), Message::text(deep), Message::binary(b"{}".to_vec())] {
        let mut socket = world.socket("/graphql/ws").await;
        socket.send(message).await.unwrap();
        rules.holds("4400: no JSON, or not as text", receive(&mut socket).await, closed(4400));
    }
    rules.told();
}

#[tokio::test]
async fn pings_are_answered_at_any_time() {
    let (world, mut rules) = (World::new().await, Rules::default());
    let mut socket = world.socket("/graphql/ws").await;
    for phase in ["before connection_ack", "after it"] {
        for payload in [None, Some(Value::Null), Some(json!({})), Some(json!({"at": 1, "deep": {"x": [1]}}))] {
            let mut ping = json!({"type": "ping"});
            let mut pong = json!({"type": "pong"});
            if let Some(payload) = payload {
                ping["payload"] = payload.clone();
                if !payload.is_null() {
                    pong["payload"] = payload;
                }
            }
            send(&mut socket, ping).await;
            rules.holds("a ping is answered, with its payload", receive(&mut socket).await, pong);
        }
        for pong in [json!({"type": "pong"}), json!({"type": "pong", "payload": null}), json!({"type": "pong", "payload": {"x": 1}})] {
            send(&mut socket, pong).await;
            rules.holds("a pong that nobody asked for is taken", json!(before_pong(&mut socket).await), json!([]));
        }
        if phase == "before connection_ack" {
            send(&mut socket, init()).await;
            assert_eq!(receive(&mut socket).await, json!({"type": "connection_ack"}));
        }
    }
    send(&mut socket, json!({"type": "ping", "more": 1})).await;
    rules.holds("further members are ignored", receive(&mut socket).await, json!({"type": "pong"}));
    socket.send(Message::Ping(vec![1, 2, 3].into())).await.unwrap();
    rules.holds("pings of the layer below do no harm", json!(before_pong(&mut socket).await), json!([]));
    rules.told();
}

#[tokio::test]
async fn operations_begin_and_end_as_the_protocol_says() {
    let (world, mut rules) = (World::new().await, Rules::default());
    let ada = world.customer("ada", Role::Owner).await;
    let application = world.application(&ada, "Shop").await;
    let mut socket = world.open(&ada.token).await;

    send(&mut socket, subscribe("q", "{ __typename }")).await;
    let next = json!({"type": "next", "id": "q", "payload": {"data": {"__typename": "Query"}}});
    rules.holds("a query is one next", receive(&mut socket).await, next);
    rules.holds("then complete", receive(&mut socket).await, json!({"type": "complete", "id": "q"}));

    let named = json!({"query": "query A($s: String!) { applicationSlugAvailable(slug: $s) }", "operationName": "A",
        "variables": {"s": "free"}, "extensions": {"any": "thing"}});
    send(&mut socket, json!({"type": "subscribe", "id": "v", "payload": named})).await;
    rules.holds("variables arrive", receive(&mut socket).await["payload"]["data"]["applicationSlugAvailable"].clone(), json!(true));
    receive(&mut socket).await;
    let nulls = json!({"query": "{ __typename }", "operationName": null, "variables": null, "extensions": null});
    send(&mut socket, json!({"type": "subscribe", "id": "n", "payload": nulls})).await;
    rules.holds("null stands for nothing", receive(&mut socket).await["type"].clone(), json!("next"));
    receive(&mut socket).await;

    let rename = |name: &str| {
        let input = format!("input: {{id: \"{application}\", name: \"{name}\"}}");
        format!("mutation {{ applicationUpdate({input}) {{ application {{ name }} errors {{ code }} }} }}")
    };
    send(&mut socket, subscribe("m", &rename("Store"))).await;
    let answer = receive(&mut socket).await["payload"]["data"]["applicationUpdate"].take();
    rules.holds("a mutation is one next", answer, json!({"application": {"name": "Store"}, "errors": []}));
    rules.holds("then complete", receive(&mut socket).await, json!({"type": "complete", "id": "m"}));

    let refused = [
        ("does not parse", "{".to_owned()),
        ("is not valid", "{ nothing }".to_owned()),
        ("is too much", "{ a }".repeat(2_000)),
        ("has two operations", "query A { __typename } query B { __typename }".to_owned()),
        ("is a subscription to what is not there", "subscription { deploymentChanged(id: \"dep_x\") { id } }".to_owned()),
        ("has its field in a fragment", "subscription { ...F } fragment F on Subscription { __typename }".to_owned()),
        ("is too complex", "{ organizations(first: 100) { nodes { applications(first: 100) { nodes { id } } } } }".to_owned()),
    ];
    for (what, query) in refused {
        send(&mut socket, subscribe("r", &query)).await;
        let answer = receive(&mut socket).await;
        assert!(answer["payload"][0]["message"].is_string() && answer["payload"][0]["extensions"]["code"].is_string(), "{what}: {answer}");
        rules.holds("what is refused is an error", json!([answer["type"], answer["id"]]), json!(["error", "r"]));
        rules.holds("and nothing after it", json!(before_pong(&mut socket).await), json!([]));
    }
    // Partly answered is answered.
    send(&mut socket, subscribe("p", "{ __typename workerNodes { nodes { id } } }")).await;
    let answer = receive(&mut socket).await;
    rules.holds(
        "a field that fails is in a next",
        json!([answer["type"], answer["payload"]["errors"][0]["path"][0]]),
        json!(["next", "workerNodes"]),
    );
    rules.holds("then complete", receive(&mut socket).await, json!({"type": "complete", "id": "p"}));

    let watch = subscribe("w", &format!("subscription {{ applicationChanged(id: \"{application}\") {{ name }} }}"));
    send(&mut socket, watch.clone()).await;
    rules.holds("a subscription begins", receive(&mut socket).await["type"].clone(), json!("next"));
    send(&mut socket, json!({"type": "complete", "id": "w"})).await;
    rules.holds("complete is not echoed", json!(before_pong(&mut socket).await), json!([]));
    world.mutate(&ada.token, "applicationUpdate", json!({"id": application, "name": "Third"}), "").await;
    rules.holds("and ends the stream", json!(before_pong(&mut socket).await), json!([]));
    send(&mut socket, json!({"type": "complete", "id": "w"})).await;
    send(&mut socket, json!({"type": "complete", "id": "unknown"})).await;
    rules.holds("complete of what is over or unknown is ignored", json!(before_pong(&mut socket).await), json!([]));
    send(&mut socket, watch.clone()).await;
    rules.holds(
        "an id may be used again",
        receive(&mut socket).await["payload"]["data"]["applicationChanged"]["name"].clone(),
        json!("Third"),
    );

    send(&mut socket, subscribe("2", "{ viewer { email } }")).await;
    send(&mut socket, json!({"type": "complete", "id": "2"})).await;
    let later = before_pong(&mut socket).await;
    rules.holds(
        "a query that was completed says nothing after",
        json!(later.iter().filter(|m| m["type"] == "complete").count() <= 1),
        json!(true),
    );

    for duplicate in [watch.clone(), subscribe("w", "{ __typename }")] {
        let mut socket = world.open(&ada.token).await;
        send(&mut socket, watch.clone()).await;
        receive(&mut socket).await;
        send(&mut socket, duplicate).await;
        rules.holds("4409: an id that is in use, by whatever", receive(&mut socket).await, closed(4409));
    }
    let long = "x".repeat(500);
    let mut socket = world.open(&ada.token).await;
    for _ in 0..2 {
        let mut watch = watch.clone();
        watch["id"] = json!(long);
        send(&mut socket, watch).await;
    }
    receive(&mut socket).await;
    rules.holds("4409: also an id that no close frame could hold", receive(&mut socket).await, closed(4409));

    let mut socket = world.open(&ada.token).await;
    socket.close(None).await.unwrap();
    rules.holds("a client may close", receive(&mut socket).await, json!({"closed": null}));
    rules.told();
}

#[tokio::test]
async fn one_socket_has_bounds() {
    let (world, mut rules) = (World::new().await, Rules::default());
    let ada = world.customer("ada", Role::Owner).await;
    let application = world.application(&ada, "Shop").await;
    let mut socket = world.open(&ada.token).await;
    let watch = format!("subscription {{ applicationChanged(id: \"{application}\") {{ name }} }}");
    for n in 0..100 {
        send(&mut socket, subscribe(&n.to_string(), &watch)).await;
        assert_eq!(receive(&mut socket).await["type"], "next");
    }
    for query in [&*watch, "{ __typename }"] {
        send(&mut socket, subscribe("one more", query)).await;
        let answer = receive(&mut socket).await;
        let seen = json!([answer["type"], answer["id"], answer["payload"][0]["extensions"]["code"]]);
        rules.holds("the hundred and first operation is refused", seen, json!(["error", "one more", "RATE_LIMITED"]));
    }
    send(&mut socket, json!({"type": "complete", "id": "50"})).await;
    send(&mut socket, subscribe("one more", &watch)).await;
    rules.holds("there is room again when one is complete", receive(&mut socket).await["type"].clone(), json!("next"));

    let padded = |bytes: usize| {
        let message = json!({"type": "ping", "payload": {"x": ""}}).to_string();
        message.replace("\"\"", &format!("\"{}\"", "x".repeat(bytes - message.len())))
    };
    let mut socket = world.open(&ada.token).await;
    socket.send(Message::text(padded(1024 * 1024))).await.unwrap();
    rules.holds("a message may have 1 MiB", receive(&mut socket).await["type"].clone(), json!("pong"));
    socket.send(Message::text(padded(1024 * 1024 + 1))).await.unwrap();
    rules.holds("1009: not a byte more", receive(&mut socket).await, closed(1009));

    let variables =
        json!({"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": {"x": "x".repeat(256 * 1024)}}});
    let mut socket = world.open(&ada.token).await;
    send(&mut socket, variables).await;
    rules.holds("variables have bounds here too", receive(&mut socket).await["type"].clone(), json!("error"));
    rules.told();
}

#[tokio::test]
async fn who_has_no_points_left_is_told_so() {
    let (world, mut rules) = (World::with(|config| config.points_per_minute = 5).await, Rules::default());
    let mut socket = world.open(&world.admin).await;
    for n in 0..5 {
        // Refused or answered, each costs a point.
        send(&mut socket, subscribe("1", if n % 2 == 0 { "{ __typename }" } else { "{" })).await;
        assert!(!receive(&mut socket).await.to_string().contains("RATE_LIMITED"));
        before_pong(&mut socket).await;
    }
    for query in ["{ __typename }", "{"] {
        send(&mut socket, subscribe("1", query)).await;
        let answer = receive(&mut socket).await;
        let extensions = &answer["payload"][0]["extensions"];
        let seen = json!([answer["type"], extensions["code"], extensions["retryAfterSeconds"]]);
        rules.holds("an operation beyond the points is an error", seen, json!(["error", "RATE_LIMITED", 60]));
    }
    for _ in 0..5 {
        let wrong = json!({"type": "connection_init", "payload": {"token": "slip_nobody"}});
        assert_eq!(last_answer(&world, &[wrong]).await, closed(4403));
    }
    let status = world.socket_of("/graphql/ws", None, Some("graphql-transport-ws")).await.err();
    rules.holds("429: a stranger who guessed tokens gets no further socket", json!(status), json!(429));
    world.clock.advance(chrono::TimeDelta::minutes(1));
    send(&mut socket, subscribe("1", "{ __typename }")).await;
    rules.holds("after a minute there are points again", receive(&mut socket).await["type"].clone(), json!("next"));
    rules.told();
}
