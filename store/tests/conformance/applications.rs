//! Applications.

use slipway_model::{
    BuildConfig, DeploymentId, GitSource, HealthCheck, ReleaseId, Source, Viewer,
    state::{ApplicationStatus, RestartPolicy, VariableScope},
};
use slipway_store::{
    Page, StoreError,
    applications::{self, Application, Filter},
    variables::{self, Variable},
};
use slipway_store_testing::on_both;

use crate::world::World;

#[tokio::test]
async fn an_application_survives_with_everything_it_says() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let row = Application {
            source: Some(Source::Git(GitSource {
                repository_url: "https://example.org/shop.git".parse().unwrap(),
                branch: "main".parse().unwrap(),
            })),
            build_config: BuildConfig { build_command: Some("make".into()), ..BuildConfig::default() },
            health_check: Some(HealthCheck { path: Some("/up".into()), ..HealthCheck::default() }),
            tool_lock: Some(serde_json::json!({"node": "22.1.0"})),
            runtime_kind: Some("node".into()),
            status_reason: Some("new".into()),
            restart_policy: RestartPolicy::OnFailure,
            current_release_id: Some(ReleaseId::new(&world.clock)),
            ..world.application("shop")
        };
        applications::insert(&mut tx, &world.viewer, &row).await.unwrap();
        assert_eq!(applications::find(&mut tx, &world.viewer, row.id).await.unwrap().as_ref(), Some(&row));
        assert_eq!(applications::lock(&mut tx, &world.viewer, row.id).await.unwrap().as_ref(), Some(&row));
        assert_eq!(applications::by_slug(&mut tx, &world.viewer, &row.slug).await.unwrap().as_ref(), Some(&row));
        assert_eq!(applications::by_ids(&mut tx, &world.viewer, &[row.id]).await.unwrap()[&row.id], row);
    })
    .await;
}

#[tokio::test]
async fn a_taken_slug_is_refused_until_its_application_is_deleted() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let row = world.insert_application(&mut tx, "shop").await;
        assert!(applications::slug_taken(&mut tx, &row.slug).await.unwrap());
        assert!(applications::delete(&mut tx, &world.viewer, row.id, world.later(1)).await.unwrap());
        assert!(!applications::slug_taken(&mut tx, &row.slug).await.unwrap());
        let next = world.insert_application(&mut tx, "shop").await;
        assert_eq!(applications::by_slug(&mut tx, &world.viewer, &row.slug).await.unwrap(), Some(next));
        let taken = applications::insert(&mut tx, &world.viewer, &world.application("shop")).await;
        assert!(matches!(taken, Err(StoreError::Conflict)));
    })
    .await;
}

#[tokio::test]
async fn a_deleted_application_is_found_by_what_refers_to_it_only() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let row = world.insert_application(&mut tx, "shop").await;
        let viewer = &world.viewer;
        let variable = Variable {
            id: slipway_model::VariableId::new(&world.clock),
            organization_id: world.organization.id,
            application_id: row.id,
            key: "SECRET".parse().unwrap(),
            value_ciphertext: vec![1],
            fingerprint: "f".into(),
            scope: VariableScope::Both,
            origin: "user".into(),
            sensitive: true,
            version: 1,
            updated_by: None,
            updated_at: world.now(),
        };
        variables::upsert(&mut tx, viewer, &variable).await.unwrap();
        assert_eq!(applications::count(&mut tx, viewer, world.organization.id).await.unwrap(), 1);
        assert!(applications::delete(&mut tx, viewer, row.id, world.later(1)).await.unwrap());
        assert!(!applications::delete(&mut tx, viewer, row.id, world.later(2)).await.unwrap());
        assert_eq!(applications::find(&mut tx, viewer, row.id).await.unwrap(), None);
        assert_eq!(applications::lock(&mut tx, viewer, row.id).await.unwrap(), None);
        assert_eq!(applications::list(&mut tx, viewer, &Filter::default(), &Page::default()).await.unwrap().items, []);
        assert_eq!(applications::count(&mut tx, viewer, world.organization.id).await.unwrap(), 0);
        assert_eq!(applications::by_ids(&mut tx, viewer, &[row.id]).await.unwrap()[&row.id].deleted_at, Some(world.later(1)));
        assert!(!applications::set_stopped(&mut tx, viewer, row.id, true).await.unwrap());
        assert_eq!(variables::of_application(&mut tx, viewer, row.id).await.unwrap(), [], "its secrets are gone");
        assert!(matches!(variables::upsert(&mut tx, viewer, &variable).await, Err(StoreError::Stale)));
    })
    .await;
}

#[tokio::test]
async fn build_caches_begin_with_the_deployment_that_was_said_last() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let rollout = world.rollout(&mut tx, "shop", 1).await;
        let (application, first) = (rollout.application.id, rollout.deployment.id);
        assert_eq!(applications::caches_since(&mut tx, application).await.unwrap(), None);
        for deployment in [first, slipway_model::DeploymentId::new(&world.clock)] {
            assert!(applications::begin_caches(&mut tx, application, deployment).await.unwrap());
            assert_eq!(applications::caches_since(&mut tx, application).await.unwrap(), Some(deployment));
        }
        let nobody = slipway_model::ApplicationId::new(&world.clock);
        assert!(!applications::begin_caches(&mut tx, nobody, first).await.unwrap());
        assert_eq!(applications::caches_since(&mut tx, nobody).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn settings_change_one_version_at_a_time() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let mut row = world.insert_application(&mut tx, "shop").await;
        row.name = "The Shop".parse().unwrap();
        row.desired_instances = 3;
        row.source = Some(Source::Upload);
        row.version = 2;
        row.updated_at = world.later(1);
        applications::update(&mut tx, &world.viewer, &row, 1).await.unwrap();
        assert_eq!(applications::find(&mut tx, &world.viewer, row.id).await.unwrap().as_ref(), Some(&row));
        assert!(matches!(applications::update(&mut tx, &world.viewer, &row, 1).await, Err(StoreError::Stale)));
    })
    .await;
}

#[tokio::test]
async fn what_runs_is_written_without_touching_the_settings() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let row = world.insert_application(&mut tx, "shop").await;
        let (release, deployment) = (ReleaseId::new(&world.clock), DeploymentId::new(&world.clock));
        let lock = serde_json::json!({"node": "22.1.0"});
        let platform = &Viewer::Platform;
        assert!(applications::set_status(&mut tx, platform, row.id, ApplicationStatus::Running, Some("well")).await.unwrap());
        assert!(applications::set_current(&mut tx, platform, row.id, release, deployment).await.unwrap());
        assert!(applications::set_tool_lock(&mut tx, platform, row.id, &lock).await.unwrap());
        assert_eq!(slipway_store::runtimes::built_with(&mut tx, "22.1.0").await.unwrap(), 1);
        assert_eq!(slipway_store::runtimes::built_with(&mut tx, "22_1.0").await.unwrap(), 0);
        assert!(applications::set_stopped(&mut tx, platform, row.id, true).await.unwrap());
        let expected = Application {
            status: ApplicationStatus::Running,
            status_reason: Some("well".into()),
            current_release_id: Some(release),
            current_deployment_id: Some(deployment),
            tool_lock: Some(lock),
            stopped: true,
            ..row
        };
        assert_eq!(applications::find(&mut tx, platform, expected.id).await.unwrap(), Some(expected));
    })
    .await;
}

#[tokio::test]
async fn a_list_can_be_narrowed() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let other = World::new(&mut tx, "other").await;
        for (slug, name) in [("shop", "The Shop"), ("blog", "100% Blog"), ("wiki", "under_score")] {
            let row = Application { name: name.parse().unwrap(), ..world.application(slug) };
            applications::insert(&mut tx, &world.viewer, &row).await.unwrap();
        }
        other.insert_application(&mut tx, "shop-too").await;
        let shop = applications::by_slug(&mut tx, &world.viewer, &"shop".parse().unwrap()).await.unwrap().unwrap();
        applications::set_status(&mut tx, &world.viewer, shop.id, ApplicationStatus::Running, None).await.unwrap();
        let cases = [
            (Filter::default(), vec!["blog", "shop", "shop-too", "wiki"]),
            (Filter { organization: Some(world.organization.id), ..Filter::default() }, vec!["blog", "shop", "wiki"]),
            (Filter { status: Some(vec![ApplicationStatus::Running]), ..Filter::default() }, vec!["shop"]),
            (Filter { status: Some(Vec::new()), ..Filter::default() }, vec![]),
            (Filter { search: Some("SHOP".into()), ..Filter::default() }, vec!["shop", "shop-too"]),
            (Filter { search: Some("%".into()), ..Filter::default() }, vec!["blog"]),
            (Filter { search: Some("_".into()), ..Filter::default() }, vec!["wiki"]),
            (Filter { search: Some("\\".into()), ..Filter::default() }, vec![]),
            (Filter { search: Some("' OR 1=1 --".into()), ..Filter::default() }, vec![]),
        ];
        for (filter, expected) in cases {
            let items = applications::list(&mut tx, &Viewer::Platform, &filter, &Page::default()).await.unwrap().items;
            let mut slugs: Vec<_> = items.iter().map(|row| row.slug.as_str()).collect();
            slugs.sort_unstable();
            assert_eq!(slugs, expected, "{filter:?}");
        }
        let filter = Filter { search: Some("shop".into()), ..Filter::default() };
        let own = applications::list(&mut tx, &world.viewer, &filter, &Page::default()).await.unwrap();
        assert_eq!(own.items.len(), 1);
    })
    .await;
}
