//! People, what they sign in with, and what their programs do.

use chrono::TimeDelta;
use slipway_model::{ApiTokenId, Clock, Permission, Role, SessionId, Sha256Digest};
use slipway_store::{
    Page, StoreError, admissions,
    api_tokens::{self, ApiToken},
    sessions::{self, Session},
    users,
};
use slipway_store_testing::on_both;

use crate::world::{World, clock, user};

#[tokio::test]
async fn a_person_is_found_by_id_and_by_address() {
    on_both(async |database| {
        let clock = clock();
        let mut tx = database.db.begin().await.unwrap();
        let mut ada = user(&clock, "ada@example.org");
        ada.name = Some("Ada".into());
        ada.password_hash = Some("$argon2id$v=19$x".to_owned().into());
        ada.platform_admin = true;
        let bob = user(&clock, "bob@example.org");
        users::insert(&mut tx, &ada).await.unwrap();
        users::insert(&mut tx, &bob).await.unwrap();
        assert_eq!(users::find(&mut tx, ada.id).await.unwrap().as_ref(), Some(&ada));
        assert_eq!(users::by_email(&mut tx, "ada@example.org").await.unwrap().as_ref(), Some(&ada));
        assert_eq!(users::by_email(&mut tx, "eve@example.org").await.unwrap(), None);
        let found = users::by_ids(&mut tx, &[ada.id, bob.id, slipway_model::UserId::new(&clock)]).await.unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[&bob.id], bob);
        assert!(users::by_ids(&mut tx, &[]).await.unwrap().is_empty());
        assert_eq!(users::count(&mut tx).await.unwrap(), 2);
        assert_eq!(users::list(&mut tx, None, &Page::default()).await.unwrap().items.len(), 2);
        for search in ["ADA", "a@EX"] {
            assert_eq!(users::list(&mut tx, Some(search), &Page::default()).await.unwrap().items, std::slice::from_ref(&ada));
        }
        for search in ["%", "_", "nobody"] {
            assert!(users::list(&mut tx, Some(search), &Page::default()).await.unwrap().items.is_empty(), "{search}");
        }
        assert_eq!(users::lock_administrators(&mut tx).await.unwrap(), [ada.id]);
        assert_eq!(users::lock(&mut tx, ada.id).await.unwrap().as_ref(), Some(&ada));
        ada.disabled_at = Some(clock.now());
        assert!(users::update(&mut tx, &ada).await.unwrap());
        assert!(users::lock_administrators(&mut tx).await.unwrap().is_empty(), "who is not let in does not count");
        assert!(!format!("{ada:?}").contains("argon2"), "a hash is not printed");
    })
    .await;
}

#[tokio::test]
async fn a_person_can_be_changed_but_not_into_another() {
    on_both(async |database| {
        let clock = clock();
        let mut tx = database.db.begin().await.unwrap();
        let mut ada = user(&clock, "ada@example.org");
        users::insert(&mut tx, &ada).await.unwrap();
        users::insert(&mut tx, &user(&clock, "bob@example.org")).await.unwrap();
        ada.name = Some("Ada".into());
        assert!(users::update(&mut tx, &ada).await.unwrap());
        assert_eq!(users::find(&mut tx, ada.id).await.unwrap().as_ref(), Some(&ada));
        assert!(!users::update(&mut tx, &user(&clock, "eve@example.org")).await.unwrap());
        ada.email = "bob@example.org".into();
        assert!(matches!(users::update(&mut tx, &ada).await, Err(StoreError::Conflict)));
    })
    .await;
}

fn session(world: &World) -> Session {
    Session {
        id: SessionId::new(&world.clock),
        user_id: world.owner.id,
        user_agent: Some("curl".into()),
        ip: Some("192.0.2.1".into()),
        created_at: world.now(),
        last_seen_at: world.now(),
        expires_at: world.later(3600),
        revoked_at: None,
    }
}

#[tokio::test]
async fn a_session_is_found_by_its_token_until_it_is_forgotten() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let row = session(&world);
        let token = Sha256Digest::of(b"token");
        sessions::insert(&mut tx, &row, token).await.unwrap();
        let admission = admissions::of_session_token(&mut tx, token).await.unwrap().unwrap();
        assert_eq!((&admission.credential, admission.platform_admin, admission.disabled_at), (&row, false, None));
        assert_eq!(admission.memberships, [(world.organization.id, Role::Owner)]);
        assert_eq!(admissions::of_session(&mut tx, row.id).await.unwrap(), Some(admission));
        assert_eq!(admissions::of_session_token(&mut tx, Sha256Digest::of(b"other")).await.unwrap(), None);
        assert_eq!(sessions::of_user(&mut tx, row.user_id, world.now()).await.unwrap(), std::slice::from_ref(&row));
        assert_eq!(sessions::of_users(&mut tx, &[row.user_id], world.now()).await.unwrap()[&row.user_id], std::slice::from_ref(&row));
        assert!(sessions::of_user(&mut tx, row.user_id, row.expires_at).await.unwrap().is_empty(), "an expired one holds no longer");

        sessions::seen(&mut tx, row.id, world.later(60)).await.unwrap();
        sessions::seen(&mut tx, row.id, world.later(30)).await.unwrap();
        assert_eq!(sessions::find(&mut tx, row.id).await.unwrap().unwrap().last_seen_at, world.later(60), "time goes on only");

        assert!(sessions::revoke(&mut tx, row.id, world.later(90)).await.unwrap());
        assert!(!sessions::revoke(&mut tx, row.id, world.later(91)).await.unwrap());
        assert_eq!(sessions::find(&mut tx, row.id).await.unwrap().unwrap().revoked_at, Some(world.later(90)));
        assert!(sessions::of_user(&mut tx, row.user_id, world.now()).await.unwrap().is_empty());

        assert_eq!(sessions::forget_ended(&mut tx, world.later(90)).await.unwrap(), 0);
        assert_eq!(sessions::forget_ended(&mut tx, world.later(91) + TimeDelta::days(30)).await.unwrap(), 1);
        assert_eq!(sessions::find(&mut tx, row.id).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let rows = [0, 1, 2].map(|_| session(&world));
        for (index, row) in rows.iter().enumerate() {
            sessions::insert(&mut tx, row, Sha256Digest::of(&[index as u8])).await.unwrap();
        }
        let ended = sessions::revoke_others(&mut tx, world.owner.id, Some(rows[1].id), world.later(1)).await.unwrap();
        assert_eq!(ended.len(), 2);
        assert!(!ended.contains(&rows[1].id));
        assert_eq!(sessions::revoke_others(&mut tx, world.owner.id, None, world.later(2)).await.unwrap(), [rows[1].id]);
    })
    .await;
}

fn api_token(world: &World) -> ApiToken {
    ApiToken {
        id: ApiTokenId::new(&world.clock),
        user_id: world.owner.id,
        organization_id: Some(world.organization.id),
        application_id: None,
        permissions: None,
        name: "CI".into(),
        prefix: "slp_abc".into(),
        expires_at: None,
        last_used_at: None,
        created_at: world.clock.now(),
        revoked_at: None,
    }
}

#[tokio::test]
async fn an_api_token_is_found_until_it_is_revoked() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let row = api_token(&world);
        let token = Sha256Digest::of(b"token");
        api_tokens::insert(&mut tx, &row, token).await.unwrap();
        let admission = admissions::of_api_token_secret(&mut tx, token).await.unwrap().unwrap();
        assert_eq!((&admission.credential, &admission.memberships[..]), (&row, &[(world.organization.id, Role::Owner)][..]));
        assert_eq!(admissions::of_api_token(&mut tx, row.id).await.unwrap(), Some(admission));
        api_tokens::used(&mut tx, row.id, world.later(5)).await.unwrap();
        api_tokens::used(&mut tx, row.id, world.later(4)).await.unwrap();
        assert_eq!(api_tokens::find(&mut tx, row.id).await.unwrap().unwrap().last_used_at, Some(world.later(5)));
        assert_eq!(api_tokens::of_user(&mut tx, row.user_id).await.unwrap().len(), 1);
        assert_eq!(api_tokens::of_users(&mut tx, &[row.user_id]).await.unwrap()[&row.user_id].len(), 1);
        assert!(api_tokens::revoke(&mut tx, row.id, world.later(9)).await.unwrap());
        assert!(!api_tokens::revoke(&mut tx, row.id, world.later(9)).await.unwrap());
        assert!(api_tokens::of_user(&mut tx, row.user_id).await.unwrap().is_empty());
        let other = ApiToken { id: ApiTokenId::new(&world.clock), ..row };
        assert!(matches!(api_tokens::insert(&mut tx, &other, token).await, Err(StoreError::Conflict)));
    })
    .await;
}

#[tokio::test]
async fn tokens_of_an_organization_end_with_it_or_with_their_owner_in_it() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let bob = user(&world.clock, "bob@example.org");
        users::insert(&mut tx, &bob).await.unwrap();
        let organization = Some(world.organization.id);
        let mut ids = Vec::new();
        for (index, (user, organization)) in
            [(world.owner.id, organization), (bob.id, organization), (bob.id, None)].into_iter().enumerate()
        {
            let row = ApiToken { user_id: user, organization_id: organization, ..api_token(&world) };
            api_tokens::insert(&mut tx, &row, Sha256Digest::of(&[index as u8])).await.unwrap();
            ids.push(row.id);
        }
        let application = world.insert_application(&mut tx, "shop").await.id;
        let permissions = Some(vec![Permission::AppRead, Permission::AppDeploy]);
        let of_one = ApiToken { application_id: Some(application), permissions, ..api_token(&world) };
        api_tokens::insert(&mut tx, &of_one, Sha256Digest::of(b"of one")).await.unwrap();
        assert_eq!(api_tokens::by_ids(&mut tx, &[of_one.id]).await.unwrap()[&of_one.id], of_one);
        assert_eq!(api_tokens::find(&mut tx, of_one.id).await.unwrap().as_ref(), Some(&of_one));
        assert_eq!(api_tokens::revoke_of_application(&mut tx, application, world.later(1)).await.unwrap(), [of_one.id]);
        assert!(api_tokens::revoke_of_application(&mut tx, application, world.later(1)).await.unwrap().is_empty());
        let now = world.later(1);
        assert_eq!(api_tokens::revoke_within(&mut tx, world.organization.id, Some(bob.id), now).await.unwrap(), [ids[1]]);
        assert_eq!(api_tokens::revoke_within(&mut tx, world.organization.id, None, now).await.unwrap(), [ids[0]]);
        assert!(api_tokens::find(&mut tx, ids[2]).await.unwrap().unwrap().revoked_at.is_none(), "one for everything stays");
    })
    .await;
}
