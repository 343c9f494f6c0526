//! Durable work: claims, leases and fences.

use std::collections::HashSet;

use slipway_model::{OperationId, Viewer, state::OperationStatus};
use slipway_store::{
    Page,
    operations::{self, Operation},
};
use slipway_store_testing::on_both;

use crate::world::World;

#[tokio::test]
async fn only_the_latest_claim_may_write() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let row = world.rollout(&mut tx, "shop", 1).await.operation;
        operations::insert(&mut tx, &row).await.unwrap();
        assert_eq!(operations::next_due(&mut tx).await.unwrap(), Some(row.next_run_at));
        let first = operations::claim(&mut tx, "a", world.now(), world.later(10)).await.unwrap().unwrap();
        assert_eq!((first.id, first.fence, first.status), (row.id, 1, OperationStatus::Running));
        assert_eq!(operations::claim(&mut tx, "b", world.later(9), world.later(19)).await.unwrap(), None, "it is leased");
        let second = operations::claim(&mut tx, "b", world.later(10), world.later(20)).await.unwrap().unwrap();
        assert_eq!((second.fence, second.lease_owner.as_deref()), (2, Some("b")));
        assert_eq!(second.started_at, first.started_at, "it began once");

        assert!(!operations::hold(&mut tx, row.id, first.fence, world.later(30)).await.unwrap());
        assert!(!operations::save(&mut tx, &first).await.unwrap());
        assert!(operations::hold(&mut tx, row.id, second.fence, world.later(30)).await.unwrap());
        let next = Operation { step: Some("build".into()), next_run_at: world.later(40), payload: serde_json::json!({"n": 1}), ..second };
        assert!(operations::save(&mut tx, &next).await.unwrap());
        let saved = operations::find(&mut tx, &Viewer::Platform, row.id).await.unwrap().unwrap();
        assert_eq!(saved, Operation { lease_owner: None, lease_until: None, ..next });
        assert_eq!(operations::claim(&mut tx, "a", world.later(39), world.later(49)).await.unwrap(), None, "it is not due");
        operations::nudge(&mut tx, &[row.application_id.unwrap()], world.later(35)).await.unwrap();
        let third = operations::claim(&mut tx, "a", world.later(35), world.later(45)).await.unwrap().unwrap();

        assert!(operations::end(&mut tx, row.id, OperationStatus::Canceled, Some("enough"), world.later(36)).await.unwrap());
        assert!(!operations::end(&mut tx, row.id, OperationStatus::Failed, None, world.later(37)).await.unwrap());
        assert!(!operations::save(&mut tx, &third).await.unwrap(), "its worker is shut out");
        assert_eq!(operations::next_due(&mut tx).await.unwrap(), None);
        assert_eq!(operations::claim(&mut tx, "a", world.later(99), world.later(109)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn leases_given_back_shut_their_workers_out() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let row = world.rollout(&mut tx, "shop", 1).await.operation;
        operations::insert(&mut tx, &row).await.unwrap();
        let claimed = operations::claim(&mut tx, "a", world.now(), world.later(10)).await.unwrap().unwrap();
        assert_eq!(operations::release_leases(&mut tx).await.unwrap(), 1);
        assert_eq!(operations::release_leases(&mut tx).await.unwrap(), 0);
        assert!(!operations::save(&mut tx, &claimed).await.unwrap());
        assert!(operations::claim(&mut tx, "b", world.now(), world.later(10)).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn an_applications_operations_run_one_after_another() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let rollout = world.rollout(&mut tx, "shop", 1).await;
        let first = Operation { next_run_at: world.later(5), ..rollout.operation.clone() };
        let second = Operation { created_at: world.later(1), deadline: world.later(50), ..world.operation(&rollout.deployment) };
        operations::insert(&mut tx, &first).await.unwrap();
        operations::insert(&mut tx, &second).await.unwrap();
        assert_eq!(operations::claim(&mut tx, "a", world.now(), world.later(9)).await.unwrap(), None, "the first is not due yet");
        let claimed = operations::claim(&mut tx, "a", world.later(5), world.later(500)).await.unwrap().unwrap();
        assert_eq!(claimed.id, first.id);
        assert_eq!(operations::claim(&mut tx, "b", world.later(6), world.later(16)).await.unwrap(), None, "the second waits");
        let late = operations::claim(&mut tx, "b", world.later(50), world.later(60)).await.unwrap();
        assert_eq!(late, None, "it waits past its deadline too: whoever ends the first finds it next");

        let of_application = operations::of_application(&mut tx, &world.viewer, rollout.application.id, &Page::default()).await.unwrap();
        assert_eq!(of_application.items.len(), 2);
        let newest = operations::of_deployment(&mut tx, &world.viewer, rollout.deployment.id).await.unwrap().unwrap();
        assert_eq!(newest.id, second.id);
        let unfinished = operations::unfinished_of(&mut tx, rollout.application.id).await.unwrap();
        assert_eq!(unfinished.iter().map(|operation| operation.id).collect::<Vec<_>>(), [first.id, second.id]);
        let ids = [first.id, second.id, OperationId::new(&world.clock)];
        assert_eq!(operations::by_ids(&mut tx, &world.viewer, &ids).await.unwrap().len(), 2);
        let queued = operations::list(&mut tx, &world.viewer, Some(&[OperationStatus::Queued]), &Page::default()).await.unwrap();
        assert_eq!(queued.items.iter().map(|operation| operation.id).collect::<Vec<_>>(), [second.id]);
    })
    .await;
}

#[tokio::test]
async fn builds_under_way_are_counted_and_the_next_that_waits_is_woken() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let organization = world.organization.id;
        let mut rows = Vec::new();
        for (key, (status, step)) in
            [("running", Some("plan")), ("running", Some("build")), ("running", Some("health")), ("queued", None), ("queued", None)]
                .into_iter()
                .enumerate()
        {
            let key = u8::try_from(key).unwrap();
            let base = world.rollout(&mut tx, &format!("app-{key}"), key + 1).await.operation;
            let row = Operation {
                status: status.parse().unwrap(),
                step: step.map(str::to_owned),
                created_at: world.later(i64::from(key)),
                next_run_at: world.later(60),
                ..base
            };
            operations::insert(&mut tx, &row).await.unwrap();
            rows.push(row);
        }
        assert_eq!(operations::building(&mut tx, organization).await.unwrap(), 2);
        assert!(operations::nudge_waiting_build(&mut tx, organization, world.now()).await.unwrap());
        let claimed = operations::claim(&mut tx, "a", world.now(), world.later(9)).await.unwrap().unwrap();
        assert_eq!(claimed.id, rows[3].id, "that which has waited longest");
        assert_eq!(operations::claim(&mut tx, "a", world.now(), world.later(9)).await.unwrap(), None, "and no other");
        let other = World::new(&mut tx, "other").await;
        assert_eq!(operations::building(&mut tx, other.organization.id).await.unwrap(), 0);
        assert!(!operations::nudge_waiting_build(&mut tx, other.organization.id, world.now()).await.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_operation_is_claimed_by_two() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        for key in 0..20 {
            let row = world.rollout(&mut tx, &format!("app-{key}"), key).await.operation;
            operations::insert(&mut tx, &row).await.unwrap();
        }
        tx.commit().await.unwrap();
        let workers: Vec<_> = (0..6)
            .map(|worker| {
                let (db, now, until) = (database.db.clone(), world.now(), world.later(60));
                tokio::spawn(async move {
                    let mut claimed = Vec::new();
                    loop {
                        let mut tx = db.begin().await.unwrap();
                        let operation = operations::claim(&mut tx, &format!("worker-{worker}"), now, until).await.unwrap();
                        tx.commit().await.unwrap();
                        match operation {
                            Some(operation) => claimed.push((operation.id, operation.fence)),
                            None => return claimed,
                        }
                    }
                })
            })
            .collect();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.await.unwrap());
        }
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert!(all.iter().all(|(_, fence)| *fence == 1));
        assert_eq!(all.len(), 20, "and each by somebody");
    })
    .await;
}
