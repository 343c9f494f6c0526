//! How the platform is doing, and what it has room for.

use serde_json::json;
use slipway_model::{Clock, NodeId, Role, state::NodeStatus};
use slipway_store::nodes::{self, Node};

use crate::world::World;

async fn node(world: &World, key: u8, memory_bytes: i64) -> String {
    let id = NodeId::new(&world.clock);
    let region = world.region().await.as_str().unwrap().parse().unwrap();
    let node = Node {
        public_key: vec![key],
        status: NodeStatus::Online,
        docker_healthy: true,
        cpu_millis: 2000,
        memory_bytes,
        storage_bytes: 100 << 30,
        ..Node::blank(id, region, world.clock.now())
    };
    let mut tx = world.platform().db.begin().await.unwrap();
    nodes::insert(&mut tx, &node).await.unwrap();
    tx.commit().await.unwrap();
    id.to_string()
}

#[tokio::test]
async fn administrators_see_how_the_platform_is_doing() {
    let world = World::new().await;
    let ada = world.customer("ada", Role::Owner).await;
    world.application(&ada, "Shop").await;
    node(&world, 1, 4 << 30).await;
    let query = "{ platformStats { applications applicationsRunning nodes nodesOnline deploymentsLast24h deploymentFailureRate
        jobsQueued oldestJobSeconds monthlyRecurringRevenue { amount currency } } }";
    let stats = world.data(&world.admin, query, json!({})).await["platformStats"].take();
    assert_eq!(
        stats,
        json!({
            "applications": 1, "applicationsRunning": 0, "nodes": 1, "nodesOnline": 1, "deploymentsLast24h": 0,
            "deploymentFailureRate": 0.0, "jobsQueued": 0, "oldestJobSeconds": 0,
            "monthlyRecurringRevenue": {"amount": "0", "currency": "EUR"}
        })
    );
    let answer = world.ask(Some(&ada.token), query, json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
}

#[tokio::test]
async fn a_preview_names_the_nodes_with_room_and_capacity_what_fits() {
    let world = World::new().await;
    let (plan, region) = (world.plan("small").await, world.region().await);
    let preview = async |instances: i32| {
        let query = "query($plan: ID!, $region: ID!, $instances: Int!) {
            placementPreview(planId: $plan, regionId: $region, instances: $instances) { id } }";
        let nodes = world.data(&world.admin, query, json!({"plan": plan, "region": region, "instances": instances})).await;
        let nodes = nodes["placementPreview"].as_array().unwrap().clone();
        nodes.into_iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let capacity = async || {
        let query = "{ capacity { regions { region { slug } capacity { memoryBytes instances } headroomPercent largestFit { slug }
            projectedFullAt } } }";
        world.data(&world.admin, query, json!({})).await["capacity"]["regions"][0].take()
    };
    assert!(preview(1).await.is_empty());
    assert_eq!(capacity().await["largestFit"], json!(null));

    let little = node(&world, 1, 1 << 30).await;
    let large = node(&world, 2, 8 << 30).await;
    assert_eq!(preview(1).await, [large.clone(), little], "the least utilised one first");
    assert_eq!(preview(1000).await, Vec::<String>::new());
    let now = capacity().await;
    assert_eq!(now["region"]["slug"], "local");
    assert_eq!(now["capacity"]["memoryBytes"], (9_i64 << 30).to_string());
    assert_eq!((now["headroomPercent"].as_f64(), &now["projectedFullAt"]), (Some(100.0), &json!(null)));
    assert!(now["largestFit"]["slug"].is_string());

    let missing = json!({"plan": "pln_00000000000000000000000000", "region": region, "instances": 1});
    let query = "query($plan: ID!, $region: ID!, $instances: Int!) {
        placementPreview(planId: $plan, regionId: $region, instances: $instances) { id } }";
    let answer = world.ask(Some(&world.admin), query, missing).await;
    assert_eq!(answer["data"], json!(null), "{answer}");
}
