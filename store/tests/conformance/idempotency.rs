//! Keys under which a mutation may be repeated.

use slipway_model::{DeploymentId, OrganizationId, Sha256Digest};
use slipway_store::idempotency::{self, REMEMBERED_FOR, Request, Seen};
use slipway_store_testing::on_both;

use crate::world::World;

fn request(organization: OrganizationId, input: &str) -> Request<'static> {
    Request { organization, mutation: "applicationDeploy", key: "k", input: Sha256Digest::of(input.as_bytes()) }
}

#[tokio::test]
async fn a_repeated_request_gets_its_first_result() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let other = World::new(&mut tx, "other").await;
        let [first, second] = [0, 1].map(|_| DeploymentId::new(&world.clock));
        let (ours, theirs) = (world.organization.id, other.organization.id);
        let now = world.now();
        let mut ask = async |request, result: DeploymentId, at| {
            idempotency::remember(&mut tx, &slipway_model::Viewer::Platform, request, result, at).await.unwrap()
        };
        assert_eq!(ask(request(ours, "x"), first, now).await, Seen::First);
        assert_eq!(ask(request(ours, "x"), second, now).await, Seen::Before(first.uuid()));
        assert_eq!(ask(request(ours, "y"), second, now).await, Seen::Differently);
        assert_eq!(ask(request(theirs, "y"), second, now).await, Seen::First, "a key is its organization's own");
        assert_eq!(ask(Request { mutation: "deploymentRollback", ..request(ours, "y") }, second, now).await, Seen::First);
        assert_eq!(ask(request(ours, "y"), second, now + REMEMBERED_FOR).await, Seen::First, "after a day it is new");
        assert_eq!(ask(request(ours, "y"), first, now + REMEMBERED_FOR).await, Seen::Before(second.uuid()));
        assert_eq!(idempotency::forget(&mut tx, now + REMEMBERED_FOR).await.unwrap(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_one_is_the_first() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        tx.commit().await.unwrap();
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let (db, viewer, now) = (database.db.clone(), world.viewer.clone(), world.now());
                let (request, result) = (request(world.organization.id, "x"), DeploymentId::new(&world.clock));
                tokio::spawn(async move {
                    let mut tx = db.begin().await.unwrap();
                    let seen = idempotency::remember(&mut tx, &viewer, request, result, now).await.unwrap();
                    tx.commit().await.unwrap();
                    (seen, result)
                })
            })
            .collect();
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.push(task.await.unwrap());
        }
        let firsts: Vec<_> = outcomes.iter().filter(|(seen, _)| *seen == Seen::First).map(|(_, result)| *result).collect();
        assert_eq!(firsts.len(), 1);
        let repeats = outcomes.iter().filter(|(seen, _)| *seen == Seen::Before(firsts[0].uuid())).count();
        assert_eq!(repeats, 9, "the others get the result of the first");
    })
    .await;
}
