//! What is used and asked for: from a node to whoever watches, and to whoever asks later.

use chrono::TimeDelta;
use serde_json::{Value, json};
use slipway_core::metrics;
use slipway_model::{Clock, Role};
use slipway_protocol::{HttpSample, InstanceSample, LATENCY_CLASSES, NodeSample, Samples};

use crate::{
    agent::{Agent, Behaviour},
    fixture::{Fixture, Shared},
    world::{Socket, World, receive, send},
};

/// A node that is connected, and an application with an instance on it.
async fn measured(world: &World) -> (Agent, Fixture) {
    let input = json!({"regionId": world.region().await});
    let made = world.mutate(&world.admin, "nodeEnrollmentTokenCreate", input, "install { token }").await;
    let token = made["install"]["token"].as_str().unwrap();
    let agent = Agent::enroll(world.core.agent_address(), token, Behaviour::default()).await;
    let shared = Shared {
        plan: world.plan("small").await.as_str().unwrap().parse().unwrap(),
        region: world.region().await.as_str().unwrap().parse().unwrap(),
        node: agent.node,
    };
    (agent, world.fixture("shop", &shared).await)
}

fn samples(fixture: &Fixture, cpu_percent: f64, requests: u64) -> Samples {
    let mut latency = [0; LATENCY_CLASSES];
    latency[0] = requests;
    Samples {
        node: NodeSample { cpu_percent: 40.0, memory_used_bytes: 1 << 30, storage_used_bytes: 2 << 30 },
        instances: vec![InstanceSample {
            instance: fixture.ids["ins"].parse().unwrap(),
            cpu_percent,
            memory_bytes: 100,
            memory_limit_bytes: 1000,
            disk_bytes: None,
            net_rx_bytes: 10,
            net_tx_bytes: 20,
        }],
        applications: vec![HttpSample { application: fixture.ids["app"].parse().unwrap(), requests, server_errors: 1, latency }],
    }
}

async fn subscribe(world: &World, token: &str, field: &str, of: (&str, &str), names: &[&str]) -> Socket {
    let mut socket = world.open(token).await;
    let query = format!(
        "subscription($id: ID!, $names: [MetricName!]!) {{ {field}({}: $id, names: $names) {{ at name value instanceId }} }}",
        of.0
    );
    let payload = json!({"query": query, "variables": {"id": of.1, "names": names}});
    send(&mut socket, json!({"type": "subscribe", "id": "1", "payload": payload})).await;
    socket
}

fn values(message: &Value, field: &str) -> Vec<(String, f64)> {
    let samples = message["payload"]["data"][field].as_array().unwrap_or_else(|| panic!("{message}"));
    samples.iter().map(|sample| (sample["name"].as_str().unwrap().to_owned(), sample["value"].as_f64().unwrap())).collect()
}

async fn series(world: &World, fixture: &Fixture, hours: i64, step: i64) -> Value {
    let query = "query($id: ID!, $from: DateTime!, $step: Int!) { application(id: $id) {
        metrics(names: [CPU_PERCENT, HTTP_REQUESTS, HTTP_5XX, HTTP_P50_MS, INSTANCES], from: $from, stepSeconds: $step) {
            name stepSeconds points { at value } } } }";
    let from = world.clock.now() - TimeDelta::hours(hours);
    let token = world.sign_in(fixture.owner).await.1;
    let variables = json!({"id": fixture.ids["app"], "from": from, "step": step});
    world.data(&token, query, variables).await["application"]["metrics"].take()
}

/// The series of each instance of the application.
async fn of_instances(world: &World, fixture: &Fixture) -> Vec<Value> {
    let query = "query($id: ID!, $from: DateTime!) { application(id: $id) { deployments(first: 1) { nodes { instances {
        metrics(names: [CPU_PERCENT, MEMORY_BYTES, HTTP_REQUESTS], from: $from, stepSeconds: 10) { name points { at value } } } } } } }";
    let from = world.clock.now() - TimeDelta::hours(1);
    let token = world.sign_in(fixture.owner).await.1;
    let mut found = world.data(&token, query, json!({"id": fixture.ids["app"], "from": from})).await;
    let instances = found["application"]["deployments"]["nodes"][0]["instances"].as_array_mut().unwrap();
    instances.iter_mut().map(|node| node["metrics"].take()).collect()
}

fn points(series: &Value, name: &str) -> Vec<Option<f64>> {
    let one = series.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
    one["points"].as_array().unwrap().iter().map(|point| point["value"].as_f64()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_measures_is_told_at_once_and_kept_in_slots() {
    let world = World::new().await;
    let (agent, fixture) = measured(&world).await;
    let owner = world.sign_in(fixture.owner).await.1;
    let application = ("applicationId", fixture.ids["app"].as_str());
    let names = ["CPU_PERCENT", "MEMORY_BYTES", "HTTP_REQUESTS", "HTTP_5XX"];
    let mut live = subscribe(&world, &owner, "applicationMetrics", application, &names).await;
    let node = agent.node.to_string();
    let mut of_node = subscribe(&world, &world.admin, "workerNodeMetrics", ("nodeId", &node), &["CPU_PERCENT", "MEMORY_BYTES"]).await;

    agent.measure(samples(&fixture, 150.0, 40));
    let told = values(&receive(&mut live).await, "applicationMetrics");
    let told: Vec<(&str, f64)> = told.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(told, [("CPU_PERCENT", 150.0), ("MEMORY_BYTES", 100.0), ("HTTP_REQUESTS", 40.0), ("HTTP_5XX", 1.0)]);
    assert_eq!(values(&receive(&mut of_node).await, "workerNodeMetrics")[0], ("CPU_PERCENT".to_owned(), 40.0));

    // Who comes later begins with the last that is known.
    let mut later = subscribe(&world, &owner, "applicationMetrics", application, &["CPU_PERCENT"]).await;
    assert_eq!(values(&receive(&mut later).await, "applicationMetrics"), [("CPU_PERCENT".to_owned(), 150.0)]);

    for _ in 0..100 {
        if !points(&series(&world, &fixture, 1, 10).await, "CPU_PERCENT").is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let kept = series(&world, &fixture, 1, 10).await;
    assert_eq!(kept[0]["stepSeconds"], 10);
    let value = |name| points(&kept, name);
    assert_eq!((value("CPU_PERCENT"), value("HTTP_REQUESTS"), value("HTTP_5XX")), (vec![Some(150.0)], vec![Some(40.0)], vec![Some(1.0)]));
    assert_eq!((value("HTTP_P50_MS"), value("INSTANCES")), (vec![Some(2.5)], vec![Some(1.0)]));
    let alone = of_instances(&world, &fixture).await;
    assert_eq!(alone.len(), 1);
    assert_eq!((points(&alone[0], "CPU_PERCENT"), points(&alone[0], "MEMORY_BYTES")), (vec![Some(150.0)], vec![Some(100.0)]));
    assert_eq!(points(&alone[0], "HTTP_REQUESTS"), [None], "visitors come to the application");

    // After an hour it stands in slots of a minute, after a day in slots of an hour, and after a month nowhere.
    for (hours, back, step, there) in [(2, 3, 60, 1), (26, 30, 3600, 1), (24 * 31, 24 * 40, 3600, 0)] {
        metrics::tidy(world.platform()).await.unwrap();
        world.clock.advance(TimeDelta::hours(hours));
        metrics::tidy(world.platform()).await.unwrap();
        let kept = series(&world, &fixture, back, 10).await;
        assert_eq!(kept[0]["stepSeconds"], step, "{hours}");
        assert_eq!(points(&kept, "HTTP_REQUESTS"), vec![Some(40.0); there], "{hours} hours later");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_no_longer_see_an_application_is_told_nothing_more_of_it() {
    let world = World::new().await;
    let (agent, fixture) = measured(&world).await;
    let (friend, token) = world.person("friend", false).await;
    let membership = world.join(friend, fixture.organization, Role::Viewer).await;
    let application = ("applicationId", fixture.ids["app"].as_str());
    let mut live = subscribe(&world, &token, "applicationMetrics", application, &["CPU_PERCENT"]).await;
    agent.measure(samples(&fixture, 1.0, 0));
    assert_eq!(receive(&mut live).await["type"], "next");
    let mut tx = world.platform().db.begin().await.unwrap();
    slipway_store::memberships::delete(&mut tx, &slipway_model::Viewer::Platform, membership).await.unwrap();
    tx.commit().await.unwrap();
    // Told at most every ten seconds.
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    agent.measure(samples(&fixture, 2.0, 0));
    let message = receive(&mut live).await;
    let error = message["payload"].get("errors").unwrap_or(&message["payload"]);
    assert_eq!(error[0]["extensions"]["code"], "NOT_FOUND", "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_tells_of_its_own_instances_alone() {
    let world = World::new().await;
    let (agent, fixture) = measured(&world).await;
    let mut stranger = samples(&fixture, 99.0, 5);
    stranger.instances[0].instance = slipway_model::InstanceId::new(&world.clock);
    stranger.applications[0].application = slipway_model::ApplicationId::new(&world.clock);
    agent.measure(stranger);
    for _ in 0..100 {
        let events = world.data(&world.admin, "{ workerNodes(first: 1) { nodes { id } } }", json!({})).await;
        assert_eq!(events["workerNodes"]["nodes"][0]["id"], agent.node.to_string());
        let mut tx = world.platform().db.read_once().await.unwrap();
        let alarms = slipway_store::events::of_platform_after(&mut tx, 0, 100).await.unwrap();
        if alarms.iter().any(|event| event.kind == "node.foreign_instance") {
            assert_eq!(points(&series(&world, &fixture, 1, 10).await, "CPU_PERCENT"), []);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("no alarm");
}
