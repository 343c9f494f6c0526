//! Codes are taken once.

use slipway_model::Sha256Digest;
use slipway_store::{
    two_factor::{self, TwoFactor},
    users,
};
use slipway_store_testing::on_both;

use crate::world::World;

#[tokio::test]
async fn two_factors_are_begun_confirmed_and_ended() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let user = world.owner.id;
        let row = TwoFactor { user_id: user, secret_ciphertext: vec![1], confirmed_at: None, last_step: 0, created_at: world.now() };
        assert_eq!(two_factor::find(&mut tx, user).await.unwrap(), None);
        assert!(!two_factor::confirm(&mut tx, user, 1, world.now()).await.unwrap());
        assert!(two_factor::begin(&mut tx, &row).await.unwrap());
        assert!(!two_factor::take_step(&mut tx, user, 9).await.unwrap(), "not before it is confirmed");
        let again = TwoFactor { secret_ciphertext: vec![2], ..row.clone() };
        assert!(two_factor::begin(&mut tx, &again).await.unwrap(), "begun again");
        assert!(two_factor::confirm(&mut tx, user, 7, world.later(1)).await.unwrap());
        assert!(!two_factor::confirm(&mut tx, user, 8, world.later(2)).await.unwrap());
        assert!(!two_factor::begin(&mut tx, &row).await.unwrap(), "a confirmed one stays");
        assert_eq!(two_factor::confirmed_of(&mut tx, &[user]).await.unwrap().get(&user), Some(&true));
        let kept = two_factor::find(&mut tx, user).await.unwrap().unwrap();
        assert_eq!((kept.secret_ciphertext, kept.last_step, kept.confirmed_at), (vec![2], 7, Some(world.later(1))));

        assert!(!two_factor::take_step(&mut tx, user, 7).await.unwrap(), "it was taken");
        assert!(two_factor::take_step(&mut tx, user, 9).await.unwrap());
        assert!(!two_factor::take_step(&mut tx, user, 8).await.unwrap(), "nor one before it");

        let codes = [b"a", b"b"].map(|code| Sha256Digest::of(code));
        two_factor::put_recovery_codes(&mut tx, user, &codes).await.unwrap();
        assert!(two_factor::take_recovery_code(&mut tx, user, codes[0], world.later(1)).await.unwrap());
        assert!(!two_factor::take_recovery_code(&mut tx, user, codes[0], world.later(2)).await.unwrap());
        assert!(!two_factor::take_recovery_code(&mut tx, user, Sha256Digest::of(b"c"), world.later(2)).await.unwrap());
        let bob = crate::world::user(&world.clock, "bob@example.org");
        users::insert(&mut tx, &bob).await.unwrap();
        assert!(!two_factor::take_recovery_code(&mut tx, bob.id, codes[1], world.later(2)).await.unwrap());
        assert_eq!(two_factor::recovery_codes_left(&mut tx, user).await.unwrap(), 1);
        assert!(two_factor::remove(&mut tx, user).await.unwrap());
        assert!(!two_factor::remove(&mut tx, user).await.unwrap());
        assert_eq!(two_factor::recovery_codes_left(&mut tx, user).await.unwrap(), 0);
    })
    .await;
}
