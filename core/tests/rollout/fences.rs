//! Two workers, one operation: only the one that claimed it last may write.

use slipway_core::{
    deployments::request,
    operations::{Advanced, LEASE, advance, claim},
};
use slipway_model::state::{DeploymentStatus, OperationStatus};
use slipway_store::{operations, operations::Operation};
use slipway_store_testing::on_both;

use crate::world::{EVERYBODY, World, deploy};

/// A platform whose own workers are stopped, so that a test is the only one.
async fn without_workers(world: &mut World) -> slipway_core::Platform {
    let p = world.platform();
    world.stop_workers().await;
    p
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_paused_writes_nothing() {
    on_both(async |database| {
        let mut world = World::on(database).await;
        let application = world.application("shop").await;
        let p = without_workers(&mut world).await;
        let (deployment, _) = request(&p, EVERYBODY, deploy(application.id)).await.unwrap();

        let paused = claim(&p, "one").await.unwrap().unwrap();
        assert!(claim(&p, "two").await.unwrap().is_none(), "one holds it");
        world.clock.advance(LEASE);
        let newer = claim(&p, "two").await.unwrap().unwrap();
        assert_eq!((newer.id, newer.fence), (paused.id, paused.fence + 1));

        assert_eq!(advance(&p, &paused).await, Advanced::Lost);
        assert_eq!(world.deployment(deployment.id).await.status, DeploymentStatus::Queued);
        let mut tx = world.database.db.begin().await.unwrap();
        let stale = Operation { status: OperationStatus::Succeeded, ..paused };
        assert!(!operations::save(&mut tx, &stale).await.unwrap(), "a stale fence is refused");
        drop(tx);
        // There is no node: the one that holds it records the refusal.
        assert_eq!(advance(&p, &newer).await, Advanced::Moved);
        assert_eq!(world.deployment(deployment.id).await.status, DeploymentStatus::Failed);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_workers_claim_an_operation_once() {
    on_both(async |database| {
        let mut world = World::on(database).await;
        let application = world.application("shop").await;
        let p = without_workers(&mut world).await;
        request(&p, EVERYBODY, deploy(application.id)).await.unwrap();
        let claims = (0..20).map(|number| {
            let p = p.clone();
            tokio::spawn(async move { claim(&p, &format!("worker {number}")).await.unwrap().is_some() })
        });
        let mut winners = 0;
        for claimed in claims.collect::<Vec<_>>() {
            winners += u32::from(claimed.await.unwrap());
        }
        assert_eq!(winners, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_applications_operations_run_one_after_another() {
    on_both(async |database| {
        let mut world = World::on(database).await;
        let application = world.application("shop").await;
        let other = world.application("blog").await;
        let p = without_workers(&mut world).await;
        let (first, _) = request(&p, EVERYBODY, deploy(application.id)).await.unwrap();
        let claimed = claim(&p, "one").await.unwrap().unwrap();
        assert_eq!(claimed.deployment_id, Some(first.id));
        world.clock.advance(chrono::TimeDelta::seconds(1));
        request(&p, EVERYBODY, deploy(application.id)).await.unwrap();
        let (elsewhere, _) = request(&p, EVERYBODY, deploy(other.id)).await.unwrap();
        // The first one runs, so that the second waits; another application's does not.
        assert_eq!(claim(&p, "two").await.unwrap().unwrap().deployment_id, Some(elsewhere.id));
        assert!(claim(&p, "three").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_that_an_operation_waits_for_its_turn_is_not_its_own() {
    let mut world = World::new().await;
    let application = world.application("shop").await;
    let p = without_workers(&mut world).await;
    request(&p, EVERYBODY, deploy(application.id)).await.unwrap();
    let first = claim(&p, "one").await.unwrap().unwrap();
    world.clock.advance(chrono::TimeDelta::seconds(1));
    let (second, waiting) = request(&p, EVERYBODY, deploy(application.id)).await.unwrap();
    world.clock.advance(chrono::TimeDelta::minutes(46));
    assert_eq!(claim(&p, "two").await.unwrap().unwrap().id, first.id, "never out of turn");
    let mut tx = world.database.db.begin().await.unwrap();
    assert!(operations::end(&mut tx, first.id, OperationStatus::Canceled, None, p.now()).await.unwrap());
    tx.commit().await.unwrap();
    let turn = claim(&p, "two").await.unwrap().unwrap();
    assert!(turn.id == waiting.id && turn.deadline < p.now());
    advance(&p, &turn).await;
    let failed = world.deployment(second.id).await;
    assert_eq!(slipway_core::deployments::failure(&failed).unwrap().code, "INSUFFICIENT_CAPACITY", "it had its turn");
}
