//! Invitations: one open per address, accepted once.

use chrono::TimeDelta;
use slipway_model::{InvitationId, Role, Sha256Digest};
use slipway_store::{
    Page, StoreError,
    invitations::{self, Invitation},
};
use slipway_store_testing::on_both;

use crate::world::World;

pub fn invitation(world: &World, email: &str) -> Invitation {
    Invitation {
        id: InvitationId::new(&world.clock),
        organization_id: world.organization.id,
        email: email.parse().unwrap(),
        role: Role::Member,
        invited_by: Some(world.owner.id),
        expires_at: world.later(3600),
        created_at: world.now(),
        accepted_at: None,
        accepted_by: None,
        revoked_at: None,
    }
}

#[tokio::test]
async fn an_invitation_is_accepted_once_and_in_time() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let (viewer, organization) = (&world.viewer, world.organization.id);
        let rows = ["a@example.org", "b@example.org", "c@example.org"].map(|email| invitation(&world, email));
        for (index, row) in rows.iter().enumerate() {
            invitations::insert(&mut tx, viewer, row, Sha256Digest::of(&[index as u8])).await.unwrap();
        }
        assert_eq!(invitations::by_digest(&mut tx, Sha256Digest::of(&[0])).await.unwrap().as_ref(), Some(&rows[0]));
        assert_eq!(invitations::by_digest(&mut tx, Sha256Digest::of(&[9])).await.unwrap(), None);
        assert_eq!(invitations::find(&mut tx, viewer, rows[1].id).await.unwrap().as_ref(), Some(&rows[1]));
        assert_eq!(invitations::count_open(&mut tx, viewer, organization, world.now()).await.unwrap(), 3);

        assert!(invitations::accept(&mut tx, rows[0].id, world.owner.id, world.later(1)).await.unwrap());
        assert!(!invitations::accept(&mut tx, rows[0].id, world.owner.id, world.later(2)).await.unwrap(), "once");
        assert!(!invitations::accept(&mut tx, rows[1].id, world.owner.id, rows[1].expires_at).await.unwrap(), "in time");
        assert!(!invitations::revoke(&mut tx, viewer, rows[0].id, world.later(2)).await.unwrap());
        assert!(invitations::revoke(&mut tx, viewer, rows[2].id, world.later(2)).await.unwrap());
        assert!(!invitations::accept(&mut tx, rows[2].id, world.owner.id, world.later(3)).await.unwrap(), "not once revoked");

        let open = invitations::of_each_organization(&mut tx, viewer, &[organization], world.later(3), &Page::default()).await.unwrap();
        assert_eq!(open[&organization].items, [rows[1].clone()]);
        let late = rows[1].expires_at + TimeDelta::seconds(1);
        assert_eq!(invitations::count_open(&mut tx, viewer, organization, late).await.unwrap(), 0);
        let kept = invitations::find(&mut tx, viewer, rows[0].id).await.unwrap().unwrap();
        assert_eq!((kept.accepted_by, kept.accepted_at), (Some(world.owner.id), Some(world.later(1))));
    })
    .await;
}

#[tokio::test]
async fn one_address_has_one_open_invitation() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let (viewer, organization) = (&world.viewer, world.organization.id);
        let first = invitation(&world, "a@example.org");
        assert!(!invitations::replace(&mut tx, viewer, organization, &first.email, world.now()).await.unwrap());
        invitations::insert(&mut tx, viewer, &first, Sha256Digest::of(b"1")).await.unwrap();
        assert!(invitations::replace(&mut tx, viewer, organization, &first.email, world.later(1)).await.unwrap());
        invitations::insert(&mut tx, viewer, &invitation(&world, "a@example.org"), Sha256Digest::of(b"2")).await.unwrap();
        let third = invitations::insert(&mut tx, viewer, &invitation(&world, "a@example.org"), Sha256Digest::of(b"3")).await;
        assert!(matches!(third, Err(StoreError::Conflict)));
    })
    .await;
}
