//! What belongs to the platform: regions, plans, runtimes, plugins, and its own secrets.

use std::collections::HashMap;

use slipway_model::{
    Clock, ManualClock, Money, NodeId, PluginRowId, RuntimeId, Secret, Sha256Digest, Timestamp, Viewer, state::NodeStatus,
};
use slipway_store::{
    Keyring, Page, StoreError,
    applications::{self, Application},
    deployments::{self, Deployment},
    execute,
    nodes::{self, Node},
    plans, platform_secrets, plugin_archives,
    plugins::{self, Plugin},
    regions,
    runtimes::{self, Runtime},
};
use slipway_store_testing::on_both;

use crate::world::{World, clock, plan, region, stranger};

pub fn keys() -> (tempfile::TempDir, Keyring) {
    let directory = tempfile::tempdir().unwrap();
    let keys = Keyring::open_or_create(&directory.path().join("key"), &clock()).unwrap();
    (directory, keys)
}

#[tokio::test]
async fn a_region_is_available_while_a_node_takes_applications() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let clock = clock();
        let mut here = region(&clock, "here");
        regions::insert(&mut tx, &here).await.unwrap();
        assert_eq!(regions::by_slug(&mut tx, &here.slug).await.unwrap().as_ref(), Some(&here));
        assert_eq!(regions::by_ids(&mut tx, &[here.id]).await.unwrap()[&here.id], here);
        let mut node = Node { public_key: vec![1], ..Node::blank(NodeId::new(&clock), here.id, clock.now()) };
        nodes::insert(&mut tx, &node).await.unwrap();
        for (status, cordoned, available) in [
            (NodeStatus::Pending, false, false),
            (NodeStatus::Online, false, true),
            (NodeStatus::Online, true, false),
            (NodeStatus::Offline, false, false),
        ] {
            (node.status, node.cordoned) = (status, cordoned);
            execute!(tx, "UPDATE nodes SET status = $1, cordoned = $2", status, cordoned).unwrap();
            assert_eq!(regions::have_capacity(&mut tx, &[here.id]).await.unwrap().contains_key(&here.id), available, "{status} {cordoned}");
            let listed = regions::list(&mut tx, true, &Page::default()).await.unwrap().items;
            assert_eq!(!listed.is_empty(), available, "{status} {cordoned}");
        }
        here.name = "There".into();
        here.active = false;
        assert!(regions::update(&mut tx, &here).await.unwrap());
        assert_eq!(regions::find(&mut tx, here.id).await.unwrap().as_ref(), Some(&here));
        assert!(matches!(regions::delete(&mut tx, here.id).await, Err(StoreError::Reference)), "a node stands there");
    })
    .await;
}

#[tokio::test]
async fn an_empty_region_can_go_and_its_slug_is_unique() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let clock = clock();
        let here = region(&clock, "here");
        regions::insert(&mut tx, &here).await.unwrap();
        assert!(regions::delete(&mut tx, here.id).await.unwrap());
        assert!(!regions::delete(&mut tx, here.id).await.unwrap());
        regions::insert(&mut tx, &here).await.unwrap();
        assert!(matches!(regions::insert(&mut tx, &region(&clock, "here")).await, Err(StoreError::Conflict)));
    })
    .await;
}

#[tokio::test]
async fn a_plan_changes_one_version_at_a_time() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let mut small = plan(&clock(), "small");
        small.runtimes = Some(vec!["node".into(), "python".into()]);
        small.description = Some("for trying".into());
        plans::insert(&mut tx, &small).await.unwrap();
        assert_eq!(plans::find(&mut tx, small.id).await.unwrap().as_ref(), Some(&small));
        assert_eq!(plans::by_slug(&mut tx, &small.slug).await.unwrap().as_ref(), Some(&small));
        assert_eq!(plans::by_ids(&mut tx, &[small.id]).await.unwrap()[&small.id], small);
        small.price_hourly = Money::from_nanos(i64::MAX);
        small.runtimes = None;
        small.version = 2;
        plans::update(&mut tx, &small).await.unwrap();
        assert_eq!(plans::find(&mut tx, small.id).await.unwrap().as_ref(), Some(&small));
        assert!(matches!(plans::update(&mut tx, &small).await, Err(StoreError::Stale)), "version 2 is there already");
        small.version = 4;
        assert!(matches!(plans::update(&mut tx, &small).await, Err(StoreError::Stale)), "version 3 was never there");
    })
    .await;
}

#[tokio::test]
async fn only_active_plans_are_offered_in_their_order() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let clock = clock();
        for (slug, active, sort_order) in [("large", true, 2), ("old", false, 0), ("small", true, 1)] {
            let row = plans::Plan { active, sort_order, ..plan(&clock, slug) };
            plans::insert(&mut tx, &row).await.unwrap();
        }
        let offered = plans::offered(&mut tx).await.unwrap();
        assert_eq!(offered.iter().map(|plan| plan.slug.as_str()).collect::<Vec<_>>(), ["small", "large"]);
        assert_eq!(plans::list(&mut tx, true, &Page::default()).await.unwrap().items.len(), 2);
        assert_eq!(plans::list(&mut tx, false, &Page::default()).await.unwrap().items.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_plan_in_use_cannot_be_deleted() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        assert_eq!(plans::application_count(&mut tx, world.plan.id).await.unwrap(), 0);
        world.insert_application(&mut tx, "shop").await;
        assert_eq!(plans::application_count(&mut tx, world.plan.id).await.unwrap(), 1);
        assert_eq!(plans::application_counts(&mut tx, &[world.plan.id]).await.unwrap(), HashMap::from([(world.plan.id, 1)]));
        let unused = plan(&world.clock, "unused");
        plans::insert(&mut tx, &unused).await.unwrap();
        assert!(plans::delete(&mut tx, unused.id).await.unwrap());
        assert!(matches!(plans::delete(&mut tx, world.plan.id).await, Err(StoreError::Reference)));
    })
    .await;
}

#[tokio::test]
async fn a_plan_that_grants_nothing_is_refused() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let nothing = plans::Plan { memory_bytes: 0, ..plan(&clock(), "nothing") };
        assert!(matches!(plans::insert(&mut tx, &nothing).await, Err(StoreError::Refused(_))));
    })
    .await;
}

fn runtime(clock: &ManualClock, slug: &str, is_default: bool) -> Runtime {
    let now = clock.now();
    let (kind, version) = slug.split_once('-').unwrap();
    Runtime {
        id: RuntimeId::new(clock),
        slug: slug.into(),
        kind: kind.into(),
        name: "Node.js".into(),
        version: version.into(),
        builder_image: format!("{kind}:{version}"),
        run_image: format!("{kind}:{version}-slim"),
        default_build_command: None,
        default_start_command: None,
        default_port: Some(3000),
        active: true,
        is_default,
        plugin: "runtime-node".into(),
        eol_at: Some(Timestamp::from_timestamp(1_900_000_000, 0).unwrap()),
        created_at: now,
        updated_at: now,
    }
}

#[tokio::test]
async fn a_runtime_brought_again_keeps_what_an_administrator_chose() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let clock = clock();
        let mut first = runtimes::upsert(&mut tx, &runtime(&clock, "node-22", true)).await.unwrap();
        first.active = false;
        first.default_start_command = Some("node .".into());
        assert!(runtimes::update(&mut tx, &first).await.unwrap());
        let again = Runtime { run_image: "node:22-new".into(), ..runtime(&clock, "node-22", true) };
        let kept = runtimes::upsert(&mut tx, &again).await.unwrap();
        assert_eq!(kept, Runtime { run_image: "node:22-new".into(), ..first });
        assert_eq!(runtimes::by_slug(&mut tx, "node-22").await.unwrap().as_ref(), Some(&kept));
        assert_eq!(runtimes::of_plugin(&mut tx, "runtime-node").await.unwrap(), [kept]);
    })
    .await;
}

#[tokio::test]
async fn runtimes_are_listed_by_kind_and_by_what_is_offered() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let clock = clock();
        let marked = runtimes::upsert(&mut tx, &runtime(&clock, "node-22", true)).await.unwrap();
        clock.advance(chrono::TimeDelta::seconds(1));
        let younger = runtimes::upsert(&mut tx, &runtime(&clock, "node-24", false)).await.unwrap();
        assert_eq!(runtimes::of_kinds(&mut tx, &["php", "node"]).await.unwrap(), [marked.clone(), younger.clone()]);
        assert_eq!(runtimes::of_kinds(&mut tx, &["php"]).await.unwrap(), []);
        assert!(runtimes::update(&mut tx, &Runtime { active: false, ..marked.clone() }).await.unwrap());
        assert_eq!(runtimes::offered(&mut tx).await.unwrap(), std::slice::from_ref(&younger));
        assert_eq!(runtimes::list(&mut tx, true, &Page::default()).await.unwrap().items, std::slice::from_ref(&younger));
        assert_eq!(runtimes::list(&mut tx, false, &Page::default()).await.unwrap().items.len(), 2);
        assert_eq!(runtimes::list_of_kind(&mut tx, "node", true, &Page::default()).await.unwrap().items, std::slice::from_ref(&younger));
        assert_eq!(runtimes::list_of_kind(&mut tx, "php", false, &Page::default()).await.unwrap().items, []);
        assert_eq!(runtimes::set_active_of_plugin(&mut tx, "runtime-node", false, clock.now()).await.unwrap(), 1);
        assert_eq!(runtimes::application_count(&mut tx, "node").await.unwrap(), 0);
        assert_eq!(runtimes::built_with(&mut tx, "node:22-slim").await.unwrap(), 0);
        assert!(runtimes::delete(&mut tx, younger.id).await.unwrap());
        assert_eq!(runtimes::find(&mut tx, younger.id).await.unwrap(), None);
        assert_eq!(runtimes::by_ids(&mut tx, &[marked.id, younger.id]).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_plugin_found_again_keeps_what_was_decided() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let (_directory, keys) = keys();
        let clock = clock();
        let found = |enabled| Plugin {
            id: PluginRowId::new(&clock),
            plugin_id: "runtime-node".into(),
            enabled,
            settings_ciphertext: None,
            sha256: None,
            created_at: clock.now(),
            updated_at: clock.now(),
            version: None,
            archive_sha256: None,
            quarantine_reason: None,
            quarantined_at: None,
        };
        let row = plugins::discover(&mut tx, &found(false)).await.unwrap();
        let digest = Sha256Digest::of(b"library");
        assert!(plugins::set_enabled(&mut tx, row.id, true, Some(digest), clock.now()).await.unwrap());
        let settings = Secret::new(r#"{"token":"x"}"#);
        assert!(plugins::set_settings(&mut tx, &keys, row.id, &settings, clock.now()).await.unwrap());
        let again = plugins::discover(&mut tx, &found(false)).await.unwrap();
        assert_eq!((again.id, again.enabled, again.sha256), (row.id, true, Some(digest)));
        assert_eq!(again.settings(&keys).unwrap(), Some(settings));
        assert!(row.settings_name().is_none() && again.settings_name().is_some());
        assert_eq!(plugins::find(&mut tx, row.id).await.unwrap().as_ref(), Some(&again));
        assert_eq!(plugins::by_plugin_id(&mut tx, "runtime-node").await.unwrap().as_ref(), Some(&again));
        assert_eq!(plugins::page(&mut tx, &Page::default()).await.unwrap().items, std::slice::from_ref(&again));
        assert_eq!(plugins::list(&mut tx).await.unwrap(), [again]);
        assert!(!plugins::set_enabled(&mut tx, PluginRowId::new(&clock), true, None, clock.now()).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_plugin_is_installed_upgraded_put_aside_and_removed() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let clock = clock();
        let [first, second] = [&b"first"[..], b"second"].map(Sha256Digest::of);
        let version = |version: &str, archive| Plugin {
            id: PluginRowId::new(&clock),
            plugin_id: "runtime-elm".into(),
            enabled: false,
            settings_ciphertext: None,
            sha256: Some(Sha256Digest::of(version.as_bytes())),
            created_at: clock.now(),
            updated_at: clock.now(),
            version: Some(version.into()),
            archive_sha256: Some(archive),
            quarantine_reason: None,
            quarantined_at: None,
        };
        let old = version("1.0.0", first);
        assert!(plugins::install(&mut tx, &old).await.unwrap());
        assert!(!plugins::install(&mut tx, &version("9.0.0", second)).await.unwrap(), "the name is taken");
        assert!(plugins::quarantine(&mut tx, "runtime-elm", "it panicked", clock.now()).await.unwrap());
        assert!(!plugins::quarantine(&mut tx, "runtime-elm", "again", clock.now()).await.unwrap(), "the first reason stays");
        let row = plugins::find(&mut tx, old.id).await.unwrap().unwrap();
        assert_eq!(row.quarantine_reason.as_deref(), Some("it panicked"));
        assert!(plugins::release(&mut tx, old.id, clock.now()).await.unwrap());
        assert_eq!(plugins::find(&mut tx, old.id).await.unwrap().as_ref(), Some(&old));

        assert!(plugins::quarantine(&mut tx, "runtime-elm", "it panicked", clock.now()).await.unwrap());
        let new = Plugin { id: old.id, ..version("2.0.0", second) };
        assert!(plugins::upgrade(&mut tx, &new, first).await.unwrap());
        assert!(!plugins::upgrade(&mut tx, &new, first).await.unwrap(), "somebody else was first");
        assert_eq!(plugins::find(&mut tx, old.id).await.unwrap(), Some(new), "what the old one did is not held against the new one");
        for (part, content) in [(0, &b"arch"[..]), (1, b"ive")] {
            plugin_archives::put(&mut tx, old.id, part, content).await.unwrap();
        }
        assert_eq!(plugin_archives::find(&mut tx, old.id, 1).await.unwrap().as_deref(), Some(&b"ive"[..]));
        assert_eq!(plugin_archives::delete(&mut tx, old.id).await.unwrap(), 2);
        plugin_archives::put(&mut tx, old.id, 0, b"another").await.unwrap();
        assert!(plugins::delete(&mut tx, old.id).await.unwrap());
        assert!(!plugins::delete(&mut tx, old.id).await.unwrap());
        assert_eq!(plugin_archives::find(&mut tx, old.id, 0).await.unwrap(), None, "it goes with its plugin");
    })
    .await;
}

#[tokio::test]
async fn the_applications_on_a_runtime_are_those_that_ask_for_it_or_are_built_by_it() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "users").await;
        let everybody = &Viewer::Platform;
        let asking = Application { runtime_kind: Some("elm".into()), ..world.application("asking") };
        applications::insert(&mut tx, everybody, &asking).await.unwrap();
        let built = world.insert_application(&mut tx, "built").await;
        world.insert_application(&mut tx, "other").await;
        let plan = serde_json::json!({ "buildpack": "elm", "id": "p" });
        let deployment = Deployment { plan: Some(plan), ..world.deployment(&built, 1) };
        deployments::insert(&mut tx, &deployment).await.unwrap();
        execute!(tx, "UPDATE applications SET current_deployment_id = $1 WHERE id = $2", deployment.id, built.id).unwrap();
        assert_eq!(plugins::applications_on(&mut tx, everybody, "elm", 9).await.unwrap(), ["asking", "built"]);
        assert_eq!(plugins::applications_on(&mut tx, everybody, "elm", 1).await.unwrap(), ["asking"]);
        assert!(plugins::applications_on(&mut tx, everybody, "el", 9).await.unwrap().is_empty());
        assert!(plugins::applications_on(&mut tx, &stranger(&clock()), "elm", 9).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn of_two_platform_secrets_the_first_is_kept() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let (_directory, keys) = keys();
        let now = clock().now();
        assert_eq!(platform_secrets::find(&mut tx, &keys, "ca").await.unwrap(), None);
        let [first, second] = ["first", "second"].map(Secret::new);
        assert_eq!(platform_secrets::find_or_insert(&mut tx, &keys, "ca", &first, now).await.unwrap(), first);
        assert_eq!(platform_secrets::find_or_insert(&mut tx, &keys, "ca", &second, now).await.unwrap(), first);
        platform_secrets::replace(&mut tx, &keys, "ca", &second, now).await.unwrap();
        assert_eq!(platform_secrets::find(&mut tx, &keys, "ca").await.unwrap(), Some(second));
        // Moved under another name by somebody with access to the database.
        execute!(tx, "UPDATE platform_secrets SET name = 'other'").unwrap();
        assert!(matches!(platform_secrets::find(&mut tx, &keys, "other").await, Err(StoreError::Crypt(_))));
    })
    .await;
}
