//! What was done is written down once, with what was done, and cannot be changed unseen.

use serde_json::json;
use slipway_model::{AuditEventId, OrganizationId, UserId, Viewer, state::AuditOutcome};
use slipway_store::{
    Page, StoreError, Tx,
    audit::{self, AuditFilter, Chain, NewAuditEvent, Recorded},
    execute, fetch_one, organizations, users,
};
use slipway_store_testing::{TestDatabase, on_both};

use crate::world::{World, stranger, user};

pub fn event(world: &World, action: &str) -> NewAuditEvent {
    NewAuditEvent {
        id: AuditEventId::new(&world.clock),
        organization_id: Some(world.organization.id),
        actor_id: Some(world.owner.id),
        credential: Some("ses_1".into()),
        ip: Some("192.0.2.1".into()),
        user_agent: Some("curl \u{0}".into()),
        action: action.into(),
        subject: Some(world.organization.id.to_string()),
        outcome: AuditOutcome::Allowed,
        data: Some(json!({"input": {"b": 1, "a": "…"}})),
        created_at: world.now(),
    }
}

async fn verify(database: &TestDatabase) -> Chain {
    audit::verify(&mut database.db.read().await.unwrap()).await.unwrap()
}

async fn five(database: &TestDatabase) -> World {
    let mut tx = database.db.begin().await.unwrap();
    let world = World::new(&mut tx, "acme").await;
    for action in ["a", "b", "c", "d", "e"] {
        audit::append(&mut tx, &event(&world, action)).await.unwrap();
    }
    tx.commit().await.unwrap();
    world
}

#[tokio::test]
async fn events_are_chained_and_listed() {
    on_both(async |database| {
        assert!(matches!(verify(&database).await, Chain::Whole { events: 0, .. }));
        let world = five(&database).await;
        assert!(matches!(verify(&database).await, Chain::Whole { events: 5, .. }));
        let mut tx = database.db.begin().await.unwrap();
        let of = |action: Option<&str>| AuditFilter { action: action.map(str::to_owned), ..AuditFilter::default() };
        let all = audit::list(&mut tx, &world.viewer, &of(None), &Page::default()).await.unwrap().items;
        assert_eq!(all.len(), 5);
        let c = audit::list(&mut tx, &world.viewer, &of(Some("c")), &Page::default()).await.unwrap().items;
        assert_eq!((c.len(), c[0].sequence), (1, 3));
        assert_eq!(audit::find(&mut tx, &world.viewer, c[0].id).await.unwrap().as_ref(), Some(&c[0]));
        let late = AuditFilter { since: Some(world.later(1)), ..AuditFilter::default() };
        assert!(audit::list(&mut tx, &Viewer::Platform, &late, &Page::default()).await.unwrap().items.is_empty());
        let none = AuditFilter { organization: Some(OrganizationId::new(&world.clock)), ..AuditFilter::default() };
        assert!(audit::list(&mut tx, &Viewer::Platform, &none, &Page::default()).await.unwrap().items.is_empty());
        assert_eq!(audit::find(&mut tx, &stranger(&world.clock), c[0].id).await.unwrap(), None);
    })
    .await;
}

/// Each does to the database what somebody would who wants to hide something.
#[tokio::test]
async fn what_is_changed_removed_or_moved_is_found() {
    macro_rules! tampering {
        ($($name:literal, $broken_at:literal: $($text:literal),+;)+) => {
            $(
                on_both(async |database| {
                    five(&database).await;
                    let mut tx = database.db.begin().await.unwrap();
                    $(assert!(execute!(tx, $text).unwrap() > 0, $name);)+
                    tx.commit().await.unwrap();
                    assert_eq!(verify(&database).await, Chain::Broken { sequence: $broken_at }, $name);
                })
                .await;
            )+
        };
    }
    tampering! {
        "another action", 3: "UPDATE audit_events SET action = 'x' WHERE sequence = 3";
        "another outcome", 2: "UPDATE audit_events SET outcome = 'denied' WHERE sequence = 2";
        "nobody did it", 1: "UPDATE audit_events SET actor_id = NULL WHERE sequence = 1";
        "other data", 4: "UPDATE audit_events SET data = '{}' WHERE sequence = 4";
        "another address", 5: "UPDATE audit_events SET ip = '192.0.2.2' WHERE sequence = 5";
        "one removed", 3: "DELETE FROM audit_events WHERE sequence = 3";
        "one removed, the rest moved up", 3: "DELETE FROM audit_events WHERE sequence = 3",
            "UPDATE audit_events SET sequence = 3 WHERE sequence = 4", "UPDATE audit_events SET sequence = 4 WHERE sequence = 5";
        "two swapped", 2: "UPDATE audit_events SET sequence = 99 WHERE sequence = 2",
            "UPDATE audit_events SET sequence = 2 WHERE sequence = 3", "UPDATE audit_events SET sequence = 3 WHERE sequence = 99";
        "the first removed", 1: "DELETE FROM audit_events WHERE sequence = 1";
        "the last removed", 5: "DELETE FROM audit_events WHERE sequence = 5";
        "all removed", 1: "DELETE FROM audit_events";
        "no head", 6: "DELETE FROM audit_head";
    }
}

#[tokio::test]
async fn the_first_transaction_of_recorded_work_carries_the_event() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        tx.commit().await.unwrap();
        assert!(matches!(verify(&database).await, Chain::Whole { events: 0, .. }), "nothing was being recorded");

        let recorded = Recorded::new(event(&world, "made"));
        let bob = user(&world.clock, "bob@example.org");
        audit::record(&recorded, async {
            // Looking is not doing.
            database.db.read().await.unwrap().commit().await.unwrap();
            for user in [&bob, &user(&world.clock, "carl@example.org")] {
                let mut tx = database.db.begin().await.unwrap();
                users::insert(&mut tx, user).await.unwrap();
                audit::note_subject(user.id);
                audit::note_actor(user.id);
                audit::note_organization(world.organization.id);
                tx.commit().await.unwrap();
            }
        })
        .await;
        assert!(recorded.is_written());
        assert!(recorded.unwritten(AuditOutcome::Allowed).is_none());
        assert_eq!(recorded.unwritten(AuditOutcome::Failed).unwrap().outcome, AuditOutcome::Failed, "it went wrong later");
        let mut tx = database.db.begin().await.unwrap();
        let all = audit::list(&mut tx, &world.viewer, &AuditFilter::default(), &Page::default()).await.unwrap().items;
        assert_eq!(all.iter().map(|event| event.subject.clone()).collect::<Vec<_>>(), [Some(bob.id.to_string())]);

        // Rolled back, refused, or not done at all: nothing is written down as done.
        let recorded = Recorded::new(event(&world, "tried"));
        audit::record(&recorded, async {
            audit::note_outcome(AuditOutcome::Denied);
            audit::note_refusals(vec!["INVALID name".into()]);
        })
        .await;
        let event = recorded.unwritten(AuditOutcome::Allowed).unwrap();
        assert_eq!((event.outcome, &event.data.unwrap()["refused"]), (AuditOutcome::Denied, &json!(["INVALID name"])));
    })
    .await;
}

#[tokio::test]
async fn nothing_is_done_that_cannot_be_written_down() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        execute!(tx, "DELETE FROM audit_head").unwrap();
        tx.commit().await.unwrap();
        let recorded = Recorded::new(event(&world, "made"));
        let outcome: Result<(), StoreError> = audit::record(&recorded, async {
            let mut tx = database.db.begin().await?;
            users::insert(&mut tx, &user(&world.clock, "bob@example.org")).await?;
            tx.commit().await
        })
        .await;
        assert!(outcome.is_err() && !recorded.is_written());
        assert_eq!(users::count(&mut database.db.read().await.unwrap()).await.unwrap(), 1, "the owner alone");
    })
    .await;
}

#[tokio::test]
async fn of_many_who_write_at_once_each_has_its_place() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        tx.commit().await.unwrap();
        let mut tasks = Vec::new();
        for _ in 0..20 {
            let (db, event) = (database.db.clone(), event(&world, "x"));
            tasks.push(tokio::spawn(async move {
                let mut tx = db.begin().await.unwrap();
                audit::append(&mut tx, &event).await.unwrap();
                tx.commit().await.unwrap();
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert!(matches!(verify(&database).await, Chain::Whole { events: 20, .. }));
    })
    .await;
}

async fn whose(tx: &mut Tx, id: impl ToString) -> Option<OrganizationId> {
    audit::organization_of(tx, &id.to_string()).await.unwrap()
}

#[tokio::test]
async fn whose_a_thing_is_is_told_by_its_id() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let rollout = world.rollout(&mut tx, "shop", 1).await;
        let own = Some(world.organization.id);
        assert_eq!(whose(&mut tx, world.organization.id).await, own);
        assert_eq!(whose(&mut tx, rollout.application.id).await, own);
        assert_eq!(whose(&mut tx, rollout.deployment.id).await, own);
        assert_eq!(whose(&mut tx, rollout.instance.id).await, own);
        for unknown in [UserId::new(&world.clock).to_string(), OrganizationId::new(&world.clock).to_string(), "app_x".into(), String::new()]
        {
            assert_eq!(whose(&mut tx, unknown).await, None);
        }
        let (count,): (i64,) = fetch_one!(tx, "SELECT COUNT(*) FROM audit_head").unwrap();
        assert_eq!(count, 1);
        assert!(organizations::find(&mut tx, &world.viewer, world.organization.id).await.unwrap().is_some());
    })
    .await;
}
