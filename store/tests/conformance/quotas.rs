//! What an organization may have, and has.

use slipway_model::Viewer;
use slipway_store::{
    StoreError, applications,
    quotas::{self, Quota},
};
use slipway_store_testing::on_both;

use crate::world::{World, stranger};

#[tokio::test]
async fn what_is_used_is_counted_without_what_is_gone() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let (viewer, organization) = (&world.viewer, world.organization.id);
        assert_eq!(quotas::used(&mut tx, viewer, organization).await.unwrap(), (0, 0));
        assert_eq!(quotas::find(&mut tx, viewer, organization).await.unwrap(), None);
        let mut first = world.application("one");
        first.desired_instances = 3;
        applications::insert(&mut tx, viewer, &first).await.unwrap();
        world.insert_application(&mut tx, "two").await;
        assert_eq!(quotas::used(&mut tx, viewer, organization).await.unwrap(), (2, 4));
        assert_eq!(quotas::used(&mut tx, &stranger(&world.clock), organization).await.unwrap(), (0, 0));
        applications::delete(&mut tx, viewer, first.id, world.now()).await.unwrap();
        assert_eq!(quotas::used(&mut tx, viewer, organization).await.unwrap(), (1, 1));

        let mut quota = Quota {
            organization_id: organization,
            max_applications: 5,
            max_instances: 7,
            max_builds_concurrent: 3,
            updated_at: world.now(),
        };
        quotas::put(&mut tx, &Viewer::Platform, &quota).await.unwrap();
        quota.max_instances = 8;
        quota.max_builds_concurrent = 4;
        quotas::put(&mut tx, &Viewer::Platform, &quota).await.unwrap();
        assert_eq!(quotas::find(&mut tx, viewer, organization).await.unwrap().as_ref(), Some(&quota));
        assert_eq!(quotas::of_each(&mut tx, viewer, &[organization]).await.unwrap()[&organization], quota);
        assert!(quotas::of_each(&mut tx, &stranger(&world.clock), &[organization]).await.unwrap().is_empty());
        assert_eq!(quotas::find(&mut tx, &stranger(&world.clock), organization).await.unwrap(), None);
        assert!(matches!(quotas::put(&mut tx, &stranger(&world.clock), &quota).await, Err(StoreError::Reference)));
    })
    .await;
}
