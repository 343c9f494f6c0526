//! Organizations and their members.

use slipway_model::{MembershipId, Role, Viewer};
use slipway_store::{
    Page, StoreError,
    memberships::{self, Membership},
    organizations, users,
};
use slipway_store_testing::on_both;

use crate::world::{World, organization, user};

#[tokio::test]
async fn an_organization_is_seen_by_its_members() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let other = World::new(&mut tx, "other").await;
        let mine = Some(world.organization.clone());
        assert_eq!(organizations::find(&mut tx, &world.viewer, world.organization.id).await.unwrap(), mine);
        assert_eq!(organizations::lock(&mut tx, &world.viewer, world.organization.id).await.unwrap(), mine);
        assert_eq!(organizations::by_slug(&mut tx, &world.viewer, &world.organization.slug).await.unwrap(), mine);
        assert_eq!(organizations::by_slug(&mut tx, &world.viewer, &other.organization.slug).await.unwrap(), None);
        let both = [world.organization.id, other.organization.id];
        assert_eq!(
            organizations::by_ids(&mut tx, &world.viewer, &both).await.unwrap().into_values().collect::<Vec<_>>(),
            std::slice::from_ref(&world.organization)
        );
        assert_eq!(organizations::by_ids(&mut tx, &Viewer::Platform, &both).await.unwrap().len(), 2);
        assert_eq!(
            organizations::list(&mut tx, &world.viewer, &Page::default()).await.unwrap().items,
            std::slice::from_ref(&world.organization)
        );
        assert_eq!(organizations::list(&mut tx, &Viewer::Platform, &Page::default()).await.unwrap().items.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_taken_slug_is_refused() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let copy = organization(&world.clock, "acme");
        assert!(matches!(organizations::insert(&mut tx, &copy).await, Err(StoreError::Conflict)));
    })
    .await;
}

#[tokio::test]
async fn an_organization_can_be_renamed() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let mut world = World::new(&mut tx, "acme").await;
        world.organization.name = "ACME Inc.".parse().unwrap();
        world.organization.slug = "acme-inc".parse().unwrap();
        assert!(organizations::update(&mut tx, &world.viewer, &world.organization).await.unwrap());
        assert_eq!(organizations::find(&mut tx, &world.viewer, world.organization.id).await.unwrap(), Some(world.organization));
    })
    .await;
}

#[tokio::test]
async fn members_come_change_and_go() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let organization = world.organization.id;
        let bob = user(&world.clock, "bob@example.org");
        users::insert(&mut tx, &bob).await.unwrap();
        let id = MembershipId::new(&world.clock);
        let row = Membership { id, organization_id: organization, user_id: bob.id, role: Role::Viewer, created_at: world.later(1) };
        memberships::insert(&mut tx, &row).await.unwrap();
        assert_eq!(memberships::of_users(&mut tx, &[bob.id]).await.unwrap()[&bob.id], std::slice::from_ref(&row));
        assert_eq!(memberships::find(&mut tx, &world.viewer, row.id).await.unwrap().as_ref(), Some(&row));
        let members = memberships::of_organization(&mut tx, &world.viewer, organization, &Page::default()).await.unwrap().items;
        assert!(memberships::has_email(&mut tx, &world.viewer, organization, "bob@example.org").await.unwrap());
        assert!(!memberships::has_email(&mut tx, &world.viewer, organization, "eve@example.org").await.unwrap());
        assert_eq!(members.iter().map(|member| member.user_id).collect::<Vec<_>>(), [world.owner.id, bob.id]);
        assert_eq!(memberships::count(&mut tx, &world.viewer, organization, Role::Owner).await.unwrap(), 1);
        assert!(memberships::set_role(&mut tx, &world.viewer, row.id, Role::Owner).await.unwrap());
        assert_eq!(memberships::count(&mut tx, &world.viewer, organization, Role::Owner).await.unwrap(), 2);
        assert!(memberships::delete(&mut tx, &world.viewer, row.id).await.unwrap());
        assert!(!memberships::delete(&mut tx, &world.viewer, row.id).await.unwrap());
        assert!(memberships::of_users(&mut tx, &[bob.id]).await.unwrap().is_empty());
        let twice = Membership { id: MembershipId::new(&world.clock), user_id: world.owner.id, ..row };
        assert!(matches!(memberships::insert(&mut tx, &twice).await, Err(StoreError::Conflict)));
    })
    .await;
}

#[tokio::test]
async fn a_deleted_organization_is_found_by_nobody_and_gives_its_slug_back() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let id = world.organization.id;
        assert!(organizations::delete(&mut tx, &world.viewer, id, &"deleted-1".parse().unwrap(), world.later(1)).await.unwrap());
        assert!(!organizations::delete(&mut tx, &world.viewer, id, &"deleted-2".parse().unwrap(), world.later(2)).await.unwrap());
        for viewer in [&world.viewer, &Viewer::Platform] {
            assert_eq!(organizations::find(&mut tx, viewer, id).await.unwrap(), None);
            assert_eq!(organizations::lock(&mut tx, viewer, id).await.unwrap(), None);
            assert_eq!(organizations::by_slug(&mut tx, viewer, &world.organization.slug).await.unwrap(), None);
            assert_eq!(organizations::list(&mut tx, viewer, &Page::default()).await.unwrap().items, []);
        }
        assert!(memberships::of_users(&mut tx, &[world.owner.id]).await.unwrap().is_empty());
        assert_eq!(organizations::by_ids(&mut tx, &Viewer::Platform, &[id]).await.unwrap().len(), 1, "what refers to it still can");
        organizations::insert(&mut tx, &organization(&world.clock, "acme")).await.unwrap();
    })
    .await;
}
