//! Archives that members upload.

use slipway_model::{Sha256Digest, UploadId};
use slipway_store::{
    StoreError,
    applications::Application,
    uploads::{self, Upload},
};
use slipway_store_testing::on_both;

use crate::world::World;

pub fn upload(world: &World, application: &Application) -> Upload {
    Upload {
        id: UploadId::new(&world.clock),
        organization_id: application.organization_id,
        application_id: application.id,
        sha256: None,
        size_bytes: None,
        received_at: None,
        consumed_at: None,
        expires_at: world.later(600),
        created_at: world.now(),
    }
}

#[tokio::test]
async fn an_archive_comes_once_and_is_taken_once() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let application = world.insert_application(&mut tx, "shop").await;
        let row = upload(&world, &application);
        let (ticket, sha256) = (Sha256Digest::of(b"ticket"), Sha256Digest::of(b"archive"));
        uploads::insert(&mut tx, &world.viewer, &row, ticket).await.unwrap();
        assert_eq!(uploads::by_ticket(&mut tx, ticket, world.now()).await.unwrap().as_ref(), Some(&row));
        assert_eq!(uploads::by_ticket(&mut tx, sha256, world.now()).await.unwrap(), None);
        assert_eq!(uploads::consume(&mut tx, &world.viewer, row.id, world.now()).await.unwrap(), None, "it is not there yet");

        assert!(uploads::receive(&mut tx, ticket, sha256, 12, world.later(1)).await.unwrap());
        assert!(!uploads::receive(&mut tx, ticket, sha256, 12, world.later(2)).await.unwrap());
        assert_eq!(uploads::by_ticket(&mut tx, ticket, world.now()).await.unwrap(), None, "the ticket is used");
        assert_eq!(uploads::with_ticket(&mut tx, ticket).await.unwrap().unwrap().received_at, Some(world.later(1)));
        assert!(uploads::refers_to(&mut tx, sha256).await.unwrap());

        let taken = uploads::consume(&mut tx, &world.viewer, row.id, world.later(3)).await.unwrap().unwrap();
        assert_eq!((taken.sha256, taken.size_bytes, taken.consumed_at), (Some(sha256), Some(12), Some(world.later(3))));
        assert_eq!(uploads::consume(&mut tx, &world.viewer, row.id, world.later(4)).await.unwrap(), None);
        assert_eq!(uploads::find(&mut tx, &world.viewer, row.id).await.unwrap(), Some(taken));
        assert_eq!(uploads::expired(&mut tx, world.later(601), 10).await.unwrap(), [], "what was taken does not run out");
    })
    .await;
}

#[tokio::test]
async fn a_ticket_runs_out() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let application = world.insert_application(&mut tx, "shop").await;
        let row = upload(&world, &application);
        let (ticket, sha256) = (Sha256Digest::of(b"ticket"), Sha256Digest::of(b"archive"));
        uploads::insert(&mut tx, &world.viewer, &row, ticket).await.unwrap();
        assert_eq!(uploads::by_ticket(&mut tx, ticket, row.expires_at).await.unwrap(), None);
        assert!(!uploads::receive(&mut tx, ticket, sha256, 12, row.expires_at).await.unwrap());
        assert!(uploads::receive(&mut tx, ticket, sha256, 12, world.later(599)).await.unwrap());
        assert_eq!(uploads::consume(&mut tx, &world.viewer, row.id, row.expires_at).await.unwrap(), None);
        assert_eq!(uploads::expired(&mut tx, world.later(599), 10).await.unwrap(), []);
        assert_eq!(uploads::expired(&mut tx, row.expires_at, 10).await.unwrap().len(), 1);
        assert!(uploads::delete(&mut tx, row.id).await.unwrap());
        assert!(!uploads::refers_to(&mut tx, sha256).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_upload_belongs_where_its_application_does() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let other = World::new(&mut tx, "other").await;
        let theirs = other.insert_application(&mut tx, "shop").await;
        let mixed = Upload { organization_id: world.organization.id, ..upload(&world, &theirs) };
        let refused = uploads::insert(&mut tx, &world.viewer, &mixed, Sha256Digest::of(b"ticket")).await;
        assert!(matches!(refused, Err(StoreError::Reference)));
    })
    .await;
}
