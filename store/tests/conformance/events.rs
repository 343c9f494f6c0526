//! Events.

use slipway_model::{ApplicationId, EventId, Viewer};
use slipway_store::{
    Page,
    events::{self, NewEvent},
};
use slipway_store_testing::on_both;

use crate::world::World;

fn event(world: &World, application: Option<ApplicationId>, kind: &str) -> NewEvent {
    NewEvent {
        id: EventId::new(&world.clock),
        organization_id: Some(world.organization.id),
        application_id: application,
        resource: application.map(|id| id.to_string()),
        kind: kind.to_owned(),
        message: "It happened.".into(),
        data: Some(serde_json::json!({"n": 1})),
        created_at: world.now(),
    }
}

#[tokio::test]
async fn events_are_followed_in_their_order() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let application = world.insert_application(&mut tx, "shop").await.id;
        assert_eq!(events::last_sequence(&mut tx).await.unwrap(), 0);
        let mut all = Vec::new();
        for (index, of) in [Some(application), None, Some(application)].into_iter().enumerate() {
            all.push(events::insert(&mut tx, &event(&world, of, &format!("e.{index}"))).await.unwrap());
        }
        assert!(all.is_sorted_by(|a, b| a.sequence < b.sequence));
        assert_eq!(events::last_sequence(&mut tx).await.unwrap(), all[2].sequence);
        assert_eq!(events::after(&mut tx, &world.viewer, None, 0, 10).await.unwrap(), all);
        assert_eq!(events::after(&mut tx, &world.viewer, None, all[0].sequence, 1).await.unwrap(), all[1..2]);
        let of_it = events::after(&mut tx, &world.viewer, Some(application), 0, 10).await.unwrap();
        assert_eq!(of_it, [all[0].clone(), all[2].clone()]);
        let (organization, sequence) = (world.organization.id, all[0].sequence);
        assert_eq!(events::of_organization_after(&mut tx, &world.viewer, organization, sequence, 10).await.unwrap(), all[1..]);
        assert_eq!(events::of_organization_after(&mut tx, &world.viewer, organization, 0, 1).await.unwrap(), all[..1]);
        let nobody = crate::world::stranger(&world.clock);
        assert_eq!(events::of_organization_after(&mut tx, &nobody, organization, 0, 10).await.unwrap(), []);
        let of_each = events::of_each_application(&mut tx, &world.viewer, &[application], &Page::default()).await.unwrap();
        assert_eq!(of_each[&application].items.len(), 2);
        assert_eq!(events::list(&mut tx, &world.viewer, Some(world.organization.id), &Page::default()).await.unwrap().items.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn an_event_of_the_platform_is_not_for_members() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let platform = NewEvent { organization_id: None, ..event(&world, None, "node.offline") };
        events::insert(&mut tx, &platform).await.unwrap();
        assert_eq!(events::after(&mut tx, &world.viewer, None, 0, 10).await.unwrap(), []);
        assert_eq!(events::list(&mut tx, &world.viewer, None, &Page::default()).await.unwrap().items, []);
        assert_eq!(events::after(&mut tx, &Viewer::Platform, None, 0, 10).await.unwrap().len(), 1);
        let of_platform = events::of_platform_after(&mut tx, 0, 10).await.unwrap();
        assert_eq!(of_platform.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["node.offline"]);
        events::insert(&mut tx, &event(&world, None, "e")).await.unwrap();
        assert_eq!(events::of_platform_after(&mut tx, 0, 10).await.unwrap(), of_platform);
        assert_eq!(events::of_platform_after(&mut tx, of_platform[0].sequence, 10).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_event_appears_below_one_that_was_seen() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        tx.commit().await.unwrap();
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let db = database.db.clone();
                let new: Vec<NewEvent> = (0..10).map(|_| event(&world, None, "e")).collect();
                tokio::spawn(async move {
                    for event in new {
                        let mut tx = db.begin().await.unwrap();
                        events::insert(&mut tx, &event).await.unwrap();
                        tokio::time::sleep(std::time::Duration::from_millis(writer % 3)).await;
                        tx.commit().await.unwrap();
                    }
                })
            })
            .collect();
        let mut seen = Vec::new();
        loop {
            let finished = writers.iter().all(tokio::task::JoinHandle::is_finished);
            let last = seen.last().copied().unwrap_or(0);
            let new = events::after(&mut database.db.read().await.unwrap(), &world.viewer, None, last, 100).await.unwrap();
            seen.extend(new.iter().map(|event| event.sequence));
            if finished && new.is_empty() {
                break;
            }
        }
        assert_eq!(seen.len(), 80, "a reader that goes on from the last that it saw misses none");
    })
    .await;
}
