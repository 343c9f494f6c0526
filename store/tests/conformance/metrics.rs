//! What is used, in slots.

use slipway_model::{ApplicationId, InstanceId, Viewer};
use slipway_store::{
    Tx, instances,
    metrics::{self, HttpSample, InstanceSample, LATENCY_CLASSES, NodeSample, Span},
};
use slipway_store_testing::on_both;

use crate::world::{Rollout, World, stranger};

/// A multiple of an hour.
const BEGIN: i64 = 1_800_000_000;
const RAW: i64 = 10;

fn sample(world: &World, of: &Rollout, instance: InstanceId, at: i64, cpu_percent: f64) -> InstanceSample {
    InstanceSample {
        instance_id: instance,
        organization_id: world.organization.id,
        application_id: of.application.id,
        at_seconds: BEGIN + at,
        cpu_percent,
        memory_bytes: 100,
        memory_limit_bytes: 1000,
        disk_bytes: Some(7),
        net_rx_bytes: 5,
        net_tx_bytes: 6,
    }
}

fn requests(world: &World, of: &Rollout, at: i64, requests: i64) -> HttpSample {
    let mut latency = [0; LATENCY_CLASSES];
    latency[3] = requests;
    HttpSample {
        application_id: of.application.id,
        organization_id: world.organization.id,
        node_id: of.node.id,
        at_seconds: BEGIN + at,
        requests,
        server_errors: 1,
        latency,
    }
}

fn span(resolution: i64, from: i64, to: i64) -> Span {
    Span { resolution, from: BEGIN + from, to: BEGIN + to }
}

async fn counted(tx: &mut Tx, viewer: &Viewer, application: ApplicationId, spans: &[Span], step: i64) -> Vec<(i64, i64)> {
    let found = metrics::requests_of_each(tx, viewer, &[application], spans, step).await.unwrap();
    found.into_values().flatten().map(|row| (row.at_seconds - BEGIN, row.requests)).collect()
}

#[tokio::test]
async fn a_slot_that_is_written_twice_adds_what_is_counted_and_keeps_the_later_of_what_is_measured() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let shop = world.rollout(&mut tx, "shop", 1).await;
        let second = world.instance(&shop.release, &shop.node, 1);
        instances::insert(&mut tx, &second).await.unwrap();
        let one = |at, cpu| sample(&world, &shop, shop.instance.id, at, cpu);
        let two = |at, cpu| sample(&world, &shop, second.id, at, cpu);
        metrics::add_instances(&mut tx, RAW, &[one(0, 10.0), two(0, 30.0)]).await.unwrap();
        metrics::add_instances(&mut tx, RAW, &[InstanceSample { disk_bytes: None, ..one(0, 50.0) }]).await.unwrap();
        metrics::add_instances(&mut tx, RAW, &[]).await.unwrap();
        for count in [3, 4] {
            metrics::add_requests(&mut tx, RAW, &[requests(&world, &shop, 0, count)]).await.unwrap();
        }
        let of_node =
            |cpu_percent| NodeSample { node_id: shop.node.id, at_seconds: BEGIN, cpu_percent, memory_used_bytes: 4, storage_used_bytes: 5 };
        metrics::add_nodes(&mut tx, RAW, &[of_node(10.0)]).await.unwrap();
        metrics::add_nodes(&mut tx, RAW, &[of_node(20.0)]).await.unwrap();

        let spans = [span(RAW, 0, 60)];
        let used = metrics::usage_of_each(&mut tx, &world.viewer, &[shop.application.id], &spans, RAW).await.unwrap();
        let row = &used[&shop.application.id][0];
        assert_eq!((row.instances, row.cpu_percent, row.memory_bytes, row.memory_limit_bytes), (2, 80.0, 200, 2000));
        assert_eq!((row.disk_bytes, row.net_rx_bytes, row.net_tx_bytes), (Some(14), 15, 18));
        let alone = metrics::usage_of_instances(&mut tx, &world.viewer, &[shop.instance.id, second.id], &spans, RAW).await.unwrap();
        let (first, other) = (&alone[&shop.instance.id], &alone[&second.id]);
        assert_eq!((first.len(), first[0].cpu_percent, first[0].memory_bytes, first[0].disk_bytes), (1, 50.0, 100, Some(7)));
        assert_eq!((other[0].cpu_percent, other[0].net_rx_bytes, other[0].net_tx_bytes), (30.0, 5, 6));
        let asked = metrics::requests_of_each(&mut tx, &world.viewer, &[shop.application.id], &spans, RAW).await.unwrap();
        let row = &asked[&shop.application.id][0];
        assert_eq!((row.requests, row.server_errors, row.latency()[3], row.latency()[2]), (7, 2, 7, 0));
        let nodes = metrics::usage_of_nodes(&mut tx, &[shop.node.id], &spans, RAW).await.unwrap();
        assert_eq!((nodes[&shop.node.id][0].cpu_percent, nodes[&shop.node.id][0].memory_used_bytes), (20.0, 4));
    })
    .await;
}

#[tokio::test]
async fn rolling_up_says_the_same_again_and_what_is_old_is_forgotten() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let shop = world.rollout(&mut tx, "shop", 1).await;
        let (viewer, application) = (&world.viewer, shop.application.id);
        assert_eq!(metrics::last_slot(&mut tx, 60).await.unwrap(), None);
        for slot in 0..12 {
            let at = slot * RAW;
            metrics::add_instances(&mut tx, RAW, &[sample(&world, &shop, shop.instance.id, at, slot as f64)]).await.unwrap();
            metrics::add_requests(&mut tx, RAW, &[requests(&world, &shop, at, slot)]).await.unwrap();
            let node = NodeSample {
                node_id: shop.node.id,
                at_seconds: BEGIN + at,
                cpu_percent: slot as f64,
                memory_used_bytes: slot,
                storage_used_bytes: 5,
            };
            metrics::add_nodes(&mut tx, RAW, &[node]).await.unwrap();
        }
        for _ in 0..2 {
            metrics::roll_up(&mut tx, span(RAW, 0, 120), 60).await.unwrap();
            metrics::roll_up(&mut tx, span(60, 0, 3600), 3600).await.unwrap();
        }
        assert_eq!(metrics::last_slot(&mut tx, 60).await.unwrap(), Some(BEGIN + 60));
        let minutes = [span(60, 0, 3600)];
        assert_eq!(counted(&mut tx, viewer, application, &minutes, 60).await, [(0, 15), (60, 51)]);
        assert_eq!(counted(&mut tx, viewer, application, &[span(3600, 0, 3600)], 3600).await, [(0, 66)]);
        // The near past in short slots, the further one in longer ones.
        assert_eq!(counted(&mut tx, viewer, application, &[span(60, 0, 60), span(RAW, 60, 120)], 60).await, [(0, 15), (60, 51)]);
        assert_eq!(counted(&mut tx, viewer, application, &[], 60).await, []);
        let used = metrics::usage_of_each(&mut tx, viewer, &[application], &[span(3600, 0, 3600)], 3600).await.unwrap();
        let row = &used[&application][0];
        assert_eq!((row.cpu_percent, row.memory_bytes, row.net_rx_bytes, row.disk_bytes), (5.5, 100, 60, Some(7)));
        let alone = metrics::usage_of_instances(&mut tx, viewer, &[shop.instance.id], &minutes, 60).await.unwrap();
        let means: Vec<_> =
            alone[&shop.instance.id].iter().map(|row| (row.at_seconds - BEGIN, row.cpu_percent, row.net_rx_bytes)).collect();
        assert_eq!(means, [(0, 2.5, 30), (60, 8.5, 30)]);
        let nodes = metrics::usage_of_nodes(&mut tx, &[shop.node.id], &minutes, 60).await.unwrap();
        assert_eq!(nodes[&shop.node.id].iter().map(|row| row.cpu_percent).collect::<Vec<_>>(), [2.5, 8.5]);

        assert_eq!(metrics::forget(&mut tx, RAW, BEGIN + 60).await.unwrap(), 18);
        assert_eq!(counted(&mut tx, viewer, application, &[span(RAW, 0, 120)], 60).await, [(60, 51)]);
        assert_eq!(counted(&mut tx, viewer, application, &minutes, 60).await.len(), 2, "longer slots stay");
    })
    .await;
}

#[tokio::test]
async fn what_an_application_uses_is_told_to_those_whose_it_is() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let shop = world.rollout(&mut tx, "shop", 1).await;
        metrics::add_instances(&mut tx, RAW, &[sample(&world, &shop, shop.instance.id, 0, 1.0)]).await.unwrap();
        metrics::add_requests(&mut tx, RAW, &[requests(&world, &shop, 0, 1)]).await.unwrap();
        let (nobody, spans) = (stranger(&world.clock), [span(RAW, 0, 60)]);
        let applications = [shop.application.id];
        assert!(metrics::usage_of_each(&mut tx, &nobody, &applications, &spans, RAW).await.unwrap().is_empty());
        assert!(metrics::requests_of_each(&mut tx, &nobody, &applications, &spans, RAW).await.unwrap().is_empty());
        assert!(metrics::usage_of_instances(&mut tx, &nobody, &[shop.instance.id], &spans, RAW).await.unwrap().is_empty());
        assert_eq!(metrics::usage_of_each(&mut tx, &world.viewer, &applications, &spans, RAW).await.unwrap().len(), 1);
        tx.commit().await.unwrap();
        let mut tx = database.db.read_as(&world.viewer).await.unwrap();
        assert_eq!(metrics::requests_of_each(&mut tx, &world.viewer, &applications, &spans, RAW).await.unwrap().len(), 1);
    })
    .await;
}
