//! What a transaction promises, the same on both engines.

use std::time::Duration;

use slipway_store::{Db, Engine, StoreError, execute, fetch_all, fetch_one, fetch_optional, organizations, users};
use slipway_store_testing::{TestDatabase, on_both};

use crate::world::{clock, organization, user};

#[tokio::test]
async fn what_is_committed_is_there_and_what_is_dropped_is_not() {
    on_both(async |database| {
        let clock = clock();
        let [kept, dropped, undone] = ["kept@x", "dropped@x", "undone@x"].map(|email| user(&clock, email));
        let mut tx = database.db.begin().await.unwrap();
        users::insert(&mut tx, &kept).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = database.db.begin().await.unwrap();
        users::insert(&mut tx, &dropped).await.unwrap();
        drop(tx);
        let mut tx = database.db.begin().await.unwrap();
        users::insert(&mut tx, &undone).await.unwrap();
        tx.rollback().await.unwrap();
        let mut tx = database.db.begin().await.unwrap();
        assert_eq!(users::find(&mut tx, kept.id).await.unwrap(), Some(kept));
        assert_eq!(users::find(&mut tx, dropped.id).await.unwrap(), None);
        assert_eq!(users::find(&mut tx, undone.id).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_reader_cannot_write() {
    on_both(async |database| {
        let mut tx = database.db.read().await.unwrap();
        assert!(users::insert(&mut tx, &user(&clock(), "a@x")).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_reader_sees_one_moment() {
    on_both(async |database| {
        let mut reader = database.db.read().await.unwrap();
        assert_eq!(users::count(&mut reader).await.unwrap(), 0);
        let mut writer = database.db.begin().await.unwrap();
        users::insert(&mut writer, &user(&clock(), "a@x")).await.unwrap();
        writer.commit().await.unwrap();
        assert_eq!(users::count(&mut reader).await.unwrap(), 0);
        assert_eq!(users::count(&mut database.db.read().await.unwrap()).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn after_an_error_a_transaction_is_over() {
    on_both(async |database| {
        let clock = clock();
        let user = user(&clock, "a@x");
        let mut tx = database.db.begin().await.unwrap();
        users::insert(&mut tx, &user).await.unwrap();
        assert!(matches!(users::insert(&mut tx, &user).await, Err(StoreError::Conflict)));
        assert!(matches!(users::find(&mut tx, user.id).await, Err(StoreError::Aborted)));
        assert!(matches!(tx.commit().await, Err(StoreError::Aborted)));
        assert_eq!(users::count(&mut database.db.read().await.unwrap()).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn violations_are_told_apart() {
    on_both(async |database| {
        let clock = clock();
        let mut tx = database.db.begin().await.unwrap();
        users::insert(&mut tx, &user(&clock, "a@x")).await.unwrap();
        let error = users::insert(&mut tx, &user(&clock, "a@x")).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict), "{error:?}");
        drop(tx);

        let mut tx = database.db.begin().await.unwrap();
        let error = users::insert(&mut tx, &user(&clock, "Upper@x")).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
        drop(tx);

        let mut tx = database.db.begin().await.unwrap();
        let id = slipway_model::MembershipId::new(&clock);
        let error = execute!(
            tx,
            "INSERT INTO memberships (id, organization_id, user_id, role, created_at) VALUES ($1, $1, $1, $2, $3)",
            id,
            "owner",
            slipway_model::Clock::now(&clock)
        )
        .unwrap_err();
        assert!(matches!(error, StoreError::Reference), "{error:?}");
        assert!(!error.is_transient());
    })
    .await;
}

#[tokio::test]
async fn every_kind_of_value_survives_and_so_does_its_absence() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let at = slipway_model::Clock::now(&clock());
        let world = crate::world::World::new(&mut tx, "acme").await;
        let mut node = slipway_store::nodes::Node::blank(slipway_model::NodeId::new(&world.clock), world.region.id, at);
        node.public_key = vec![0, 255, 7];
        node.cpu_percent = 99.5;
        node.memory_bytes = i64::MAX;
        node.clock_skew_ms = Some(-3);
        node.docker_healthy = true;
        node.labels = serde_json::json!({"disk": "ssd", "nested": [1, null, "ü"]});
        node.last_heartbeat_at = Some(at);
        slipway_store::nodes::insert(&mut tx, &node).await.unwrap();
        assert_eq!(slipway_store::nodes::find(&mut tx, node.id).await.unwrap(), Some(node));
    })
    .await;
}

#[tokio::test]
async fn what_a_program_printed_can_be_kept_whatever_it_is() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = crate::world::World::new(&mut tx, "acme").await;
        let event = slipway_store::events::NewEvent {
            id: slipway_model::EventId::new(&world.clock),
            organization_id: Some(world.organization.id),
            application_id: None,
            resource: None,
            kind: "e".into(),
            message: "a\0b \u{1b}[31m \u{10ffff}".into(),
            data: Some(serde_json::json!({"lines": ["x\0", {"k\0": null}], "\\u0000": "\\u0000"})),
            created_at: world.now(),
        };
        let kept = slipway_store::events::insert(&mut tx, &event).await.unwrap();
        assert_eq!(kept.message, "a\u{fffd}b \u{1b}[31m \u{10ffff}");
        let expected = serde_json::json!({"lines": ["x\u{fffd}", {"k\u{fffd}": null}], "\\u0000": "\\u0000"});
        assert_eq!(kept.data, Some(expected));
    })
    .await;
}

#[tokio::test]
async fn times_are_kept_to_the_microsecond_and_sort_as_times() {
    on_both(async |database| {
        let clock = clock();
        let mut tx = database.db.begin().await.unwrap();
        // Whole seconds, milliseconds and microseconds are written in different lengths on SQLite.
        let base = chrono::DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let mut times: Vec<_> = [0, 1, 10, 999, 1_000, 1_001, 1_500, 10_000, 999_999, 1_000_000, 1_000_001]
            .map(|micros| base + chrono::TimeDelta::microseconds(micros))
            .to_vec();
        for (index, at) in times.iter().enumerate() {
            let row = organizations::Organization { created_at: *at, ..organization(&clock, &format!("o-{index}")) };
            organizations::insert(&mut tx, &row).await.unwrap();
        }
        let rows: Vec<(slipway_model::Timestamp,)> = fetch_all!(tx, "SELECT created_at FROM organizations ORDER BY created_at").unwrap();
        assert_eq!(rows.iter().map(|(at,)| *at).collect::<Vec<_>>(), times);
        let middle = times.remove(5);
        let (before,): (i64,) = fetch_one!(tx, "SELECT COUNT(*) FROM organizations WHERE created_at < $1", middle).unwrap();
        assert_eq!(before, 5);
    })
    .await;
}

#[tokio::test]
async fn a_value_that_nobody_here_wrote_is_an_error_and_no_panic() {
    on_both(async |database| {
        let clock = clock();
        let mut tx = database.db.begin().await.unwrap();
        let row = organization(&clock, "acme");
        organizations::insert(&mut tx, &row).await.unwrap();
        execute!(tx, "UPDATE organizations SET slug = 'Not A Slug'").unwrap();
        let read = organizations::find(&mut tx, &slipway_model::Viewer::Platform, row.id).await;
        assert!(matches!(read, Err(StoreError::Corrupt { ref column, .. }) if column == "slug"), "{read:?}");
        let none: Result<Option<(i64,)>, _> = fetch_optional!(tx, "SELECT slug FROM organizations");
        assert!(none.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_at_once_lose_nothing() {
    on_both(async |database| {
        // Two pools, as two processes would have.
        let second = Db::connect(&database.url).await.unwrap();
        let mut tx = database.db.begin().await.unwrap();
        let row = organization(&clock(), "counter");
        organizations::insert(&mut tx, &row).await.unwrap();
        tx.commit().await.unwrap();
        let tasks: Vec<_> = (0..40)
            .map(|task| {
                let db = if task % 2 == 0 { database.db.clone() } else { second.clone() };
                let id = row.id;
                tokio::spawn(async move {
                    for _ in 0..5 {
                        let mut tx = db.begin().await.unwrap();
                        let viewer = slipway_model::Viewer::Platform;
                        let mut row = organizations::lock(&mut tx, &viewer, id).await.unwrap().unwrap();
                        let count: i64 = row.name.as_str().parse().unwrap_or(0);
                        row.name = (count + 1).to_string().parse().unwrap();
                        organizations::update(&mut tx, &viewer, &row).await.unwrap();
                        tx.commit().await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let mut tx = database.db.read().await.unwrap();
        let row = organizations::find(&mut tx, &slipway_model::Viewer::Platform, row.id).await.unwrap().unwrap();
        assert_eq!(row.name.as_str(), "200");
    })
    .await;
}

#[tokio::test]
async fn sqlite_writes_with_all_the_care_it_has() {
    let database = TestDatabase::sqlite().await;
    assert_eq!(database.db.engine(), Engine::Sqlite);
    let mut tx = database.db.begin().await.unwrap();
    let journal: (String,) = fetch_one!(tx, "PRAGMA journal_mode").unwrap();
    let synchronous: (i64,) = fetch_one!(tx, "PRAGMA synchronous").unwrap();
    let foreign_keys: (i64,) = fetch_one!(tx, "PRAGMA foreign_keys").unwrap();
    assert_eq!((journal.0.as_str(), synchronous.0, foreign_keys.0), ("wal", 2, 1));
}

#[tokio::test]
async fn sqlite_readers_go_on_while_somebody_writes() {
    let database = TestDatabase::sqlite().await;
    let mut writer = database.db.begin().await.unwrap();
    users::insert(&mut writer, &user(&clock(), "a@x")).await.unwrap();
    let read = async { users::count(&mut database.db.read().await.unwrap()).await.unwrap() };
    assert_eq!(tokio::time::timeout(Duration::from_secs(2), read).await.unwrap(), 0);
}

#[tokio::test]
async fn a_database_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let database = TestDatabase::sqlite().await;
    let path = database.url.strip_prefix("sqlite://").unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let mode = std::fs::metadata(format!("{path}{suffix}")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{suffix}");
    }
}

#[tokio::test]
async fn a_url_of_another_kind_is_refused() {
    for url in ["", "mysql://x/y", "/tmp/x.db", "sqlite::memory:", "sqlite://x?mode=memory"] {
        let error = Db::connect(url).await.unwrap_err();
        assert!(matches!(error, StoreError::Configuration(_)), "{url}: {error:?}");
    }
}
