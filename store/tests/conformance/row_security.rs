//! The second lock: where a statement forgets the caller, PostgreSQL does not.

use std::collections::BTreeSet;

use slipway_model::{Role, UserId, Viewer};
use slipway_store::{Page, Sql, applications, build_logs, execute, fetch_all, fetch_one, memberships, operations};
use slipway_store_testing::TestDatabase;

use crate::world::{World, member, stranger};

/// Belong to people or programs as well as to an organization, and are asked for before it is known who asks.
const ASKED_BEFORE: &[&str] = &["api_tokens"];

#[tokio::test]
async fn every_table_with_an_organization_is_guarded() {
    let database = TestDatabase::postgres().await;
    let mut tx = database.db.read().await.unwrap();
    let owned: Vec<(String,)> = fetch_all!(
        tx,
        "SELECT table_name::TEXT FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'organization_id'"
    )
    .unwrap();
    let guarded: Vec<(String,)> =
        fetch_all!(tx, "SELECT relname::TEXT FROM pg_class WHERE relrowsecurity AND relforcerowsecurity AND relkind = 'r'").unwrap();
    let names = |rows: Vec<(String,)>| rows.into_iter().map(|(name,)| name).collect::<BTreeSet<_>>();
    let guarded = names(guarded);
    assert!(guarded.len() >= 19, "{guarded:?}");
    let open: Vec<String> = names(owned).into_iter().filter(|name| !guarded.contains(name) && !ASKED_BEFORE.contains(&&**name)).collect();
    assert_eq!(open, Vec::<String>::new(), "a migration must guard these, as 0009 does for others");
    let (lets_everything,): (bool,) = fetch_one!(tx, "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").unwrap();
    assert!(!lets_everything, "the tests would show nothing as a superuser");
}

#[tokio::test]
async fn a_statement_that_forgets_the_caller_sees_nothing_of_others() {
    let database = TestDatabase::postgres().await;
    let db = &database.db;
    let mut tx = db.begin().await.unwrap();
    let world = World::new(&mut tx, "acme").await;
    let other = World::new(&mut tx, "other").await;
    let rollout = world.rollout(&mut tx, "shop", 1).await;
    operations::insert(&mut tx, &rollout.operation).await.unwrap();
    build_logs::append(&mut tx, rollout.deployment.id, None, world.now(), &["a line".into()]).await.unwrap();
    other.insert_application(&mut tx, "blog").await;
    tx.commit().await.unwrap();

    // Wrong on purpose: none of these says whose.
    macro_rules! count {
        ($tx:expr, $($table:literal),+) => { [$({
            let (count,): (i64,) = fetch_one!($tx, Sql::new(concat!("SELECT COUNT(*) FROM ", $table))).unwrap();
            count
        }),+] };
    }
    macro_rules! everything {
        ($tx:expr) => {
            count!(
                $tx,
                "organizations",
                "memberships",
                "applications",
                "deployments",
                "releases",
                "instances",
                "operations",
                "build_log_lines"
            )
        };
    }
    let mut tx = db.read().await.unwrap();
    assert_eq!(everything!(tx), [2, 2, 2, 1, 1, 1, 1, 1], "the platform at work sees everything");
    drop(tx);
    for (viewer, sees) in [
        (world.viewer.clone(), [1, 1, 1, 1, 1, 1, 1, 1]),
        (other.viewer.clone(), [1, 1, 1, 0, 0, 0, 0, 0]),
        (stranger(&world.clock), [0, 0, 0, 0, 0, 0, 0, 0]),
        (Viewer::Platform, [2, 2, 2, 1, 1, 1, 1, 1]),
    ] {
        let mut tx = db.read_as(&viewer).await.unwrap();
        assert_eq!(everything!(tx), sees, "{viewer:?}");
    }

    // Nor does it change anything of theirs, or write into it.
    let mut tx = db.begin_as(&other.viewer).await.unwrap();
    assert_eq!(execute!(tx, "UPDATE applications SET name = 'taken over'").unwrap(), 1, "their own alone");
    assert_eq!(execute!(tx, "DELETE FROM memberships").unwrap(), 1, "their own alone");
    tx.rollback().await.unwrap();
    let mut tx = db.begin_as(&other.viewer).await.unwrap();
    let planted = memberships::Membership {
        id: slipway_model::MembershipId::new(&world.clock),
        organization_id: world.organization.id,
        user_id: other.owner.id,
        role: Role::Owner,
        created_at: world.now(),
    };
    assert!(memberships::insert(&mut tx, &planted).await.is_err());
    drop(tx);

    // What a connection was used for before is forgotten with the transaction.
    for _ in 0..40 {
        let mut tx = db.read().await.unwrap();
        assert_eq!(count!(tx, "applications"), [2]);
    }
}

#[tokio::test]
async fn who_belongs_to_many_sees_all_of_them() {
    let database = TestDatabase::postgres().await;
    let db = &database.db;
    let mut tx = db.begin().await.unwrap();
    let world = World::new(&mut tx, "acme").await;
    let other = World::new(&mut tx, "other").await;
    world.insert_application(&mut tx, "shop").await;
    other.insert_application(&mut tx, "blog").await;
    tx.commit().await.unwrap();
    let both = Viewer::User {
        id: UserId::new(&world.clock),
        platform_admin: false,
        memberships: vec![(world.organization.id, Role::Viewer), (other.organization.id, Role::Viewer)],
        token: None,
    };
    let mut tx = db.read_as(&both).await.unwrap();
    let listed = applications::list(&mut tx, &both, &applications::Filter::default(), &Page::default()).await.unwrap();
    assert_eq!(listed.items.len(), 2);
    drop(tx);
    let one = member(UserId::new(&world.clock), world.organization.id, Role::Viewer);
    let mut tx = db.read_as(&one).await.unwrap();
    // A mistake in the rule above is no way around: the lock is the transaction's.
    let listed = applications::list(&mut tx, &both, &applications::Filter::default(), &Page::default()).await.unwrap();
    assert_eq!(listed.items.iter().map(|row| row.slug.as_str()).collect::<Vec<_>>(), ["shop"]);
}

#[tokio::test]
async fn who_gives_up_while_a_transaction_begins_leaves_nothing_of_it_behind() {
    let database = TestDatabase::postgres().await;
    let db = &database.db;
    let mut tx = db.begin().await.unwrap();
    let world = World::new(&mut tx, "acme").await;
    world.insert_application(&mut tx, "shop").await;
    tx.commit().await.unwrap();
    let nobody = stranger(&world.clock);
    let mut given_up = 0;
    // A busy machine begins in one go or not at all: then it takes more than one round.
    for (tries, microseconds) in (0..400).step_by(2).cycle().take(4_000).enumerate() {
        if tries >= 200 && given_up > 20 {
            break;
        }
        let patience = std::time::Duration::from_micros(microseconds);
        let begun = tokio::select! {
            biased;
            begun = db.read_as(&nobody) => Some(begun),
            () = spin(patience) => None,
        };
        if begun.is_some() {
            continue;
        }
        given_up += 1;
        // Its connection comes back, and is the next one that is taken.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        let mut tx = db.begin().await.unwrap();
        let (state,): (String,) = fetch_one!(tx, "SELECT current_setting('transaction_read_only')").unwrap();
        let (count,): (i64,) = fetch_one!(tx, "SELECT COUNT(*) FROM applications").unwrap();
        assert_eq!((state.as_str(), count), ("off", 1), "given up after {patience:?}");
    }
    assert!(given_up > 20, "{given_up}");
}

/// Timers are too coarse for what is over in a fraction of a millisecond.
async fn spin(patience: std::time::Duration) {
    let began = std::time::Instant::now();
    while began.elapsed() < patience {
        tokio::task::yield_now().await;
    }
}

/// Prints what the second lock costs, and fails only where it costs what nobody would pay.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "how much was tried is worth seeing")]
async fn the_second_lock_costs_little() {
    let database = TestDatabase::postgres().await;
    let db = &database.db;
    let mut tx = db.begin().await.unwrap();
    let world = World::new(&mut tx, "acme").await;
    let mut id = None;
    for number in 0..500 {
        id = Some(world.insert_application(&mut tx, &format!("app-{number}")).await.id);
    }
    tx.commit().await.unwrap();
    let (id, viewer) = (id.unwrap(), &world.viewer);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..300 {
        for (guarded, times) in times.iter_mut().enumerate() {
            let began = std::time::Instant::now();
            let mut tx = if guarded == 1 { db.read_as(viewer).await.unwrap() } else { db.read().await.unwrap() };
            assert!(applications::find(&mut tx, viewer, id).await.unwrap().is_some());
            applications::list(&mut tx, viewer, &applications::Filter::default(), &Page::first(100)).await.unwrap();
            drop(tx);
            times.push(began.elapsed());
        }
    }
    let median = |times: &mut Vec<std::time::Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let [plain, guarded] = times.each_mut().map(median);
    println!("a transaction with a find and a page of 100: {plain:?} without a caller, {guarded:?} with one");
    assert!(guarded < plain * 3 + std::time::Duration::from_millis(5), "{plain:?} {guarded:?}");
}
