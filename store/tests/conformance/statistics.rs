//! Sums over the whole platform.

use slipway_model::{
    Resources,
    state::{ApplicationStatus, DeploymentStatus, NodeStatus},
};
use slipway_store::{instances, operations, statistics};
use slipway_store_testing::on_both;

use crate::world::World;

#[tokio::test]
async fn everything_is_counted_by_its_state() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        assert_eq!(statistics::waiting_operations(&mut tx).await.unwrap(), (0, None));
        assert_eq!(statistics::hourly_rates(&mut tx).await.unwrap().nanos(), 0);
        let rollout = world.rollout(&mut tx, "shop", 1).await;
        operations::insert(&mut tx, &rollout.operation).await.unwrap();
        let second = world.instance(&rollout.release, &rollout.node, 1);
        instances::insert(&mut tx, &second).await.unwrap();

        assert_eq!(statistics::applications(&mut tx).await.unwrap().into_iter().collect::<Vec<_>>(), [(ApplicationStatus::Created, 1)]);
        assert_eq!(statistics::nodes(&mut tx).await.unwrap()[&NodeStatus::Online], 1);
        assert_eq!(statistics::deployments_since(&mut tx, world.now()).await.unwrap()[&DeploymentStatus::Queued], 1);
        assert!(statistics::deployments_since(&mut tx, world.later(1)).await.unwrap().is_empty());
        assert_eq!(statistics::waiting_operations(&mut tx).await.unwrap(), (1, Some(world.now())));
        assert_eq!(statistics::hourly_rates(&mut tx).await.unwrap().nanos(), 2 * second.hourly_rate.nanos());

        assert!(statistics::promised_at(&mut tx, world.later(-1)).await.unwrap().is_empty(), "before there were any");
        let both = Resources { cpu_millis: 1000, memory_bytes: 2 << 20, storage_bytes: 2 << 21 };
        assert_eq!(statistics::promised_at(&mut tx, world.now()).await.unwrap()[&world.region.id], both);
        let stopped = instances::Instance { stopped_at: Some(world.later(60)), ..second };
        instances::observe(&mut tx, &stopped).await.unwrap();
        let of = |region: &std::collections::HashMap<_, Resources>| region[&world.region.id].cpu_millis;
        assert_eq!(of(&statistics::promised_at(&mut tx, world.later(59)).await.unwrap()), 1000);
        assert_eq!(of(&statistics::promised_at(&mut tx, world.later(60)).await.unwrap()), 500);
    })
    .await;
}
