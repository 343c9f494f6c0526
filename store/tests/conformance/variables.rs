//! Environment variables, and the secrets in them.

use slipway_model::{EnvKey, Secret, VariableId, state::VariableScope};
use slipway_store::{
    Keyring, StoreError,
    applications::Application,
    crypt::CryptError,
    execute,
    variables::{self, Variable},
};
use slipway_store_testing::on_both;

use crate::{platform::keys, world::World};

fn variable(world: &World, keys: &Keyring, application: &Application, key: &str, value: &str) -> Variable {
    let id = VariableId::new(&world.clock);
    let value = Secret::new(value);
    Variable {
        id,
        organization_id: application.organization_id,
        application_id: application.id,
        key: key.parse().unwrap(),
        value_ciphertext: keys.seal(variables::location(id, application.organization_id), &value),
        fingerprint: keys.fingerprint(application.organization_id, &value),
        scope: VariableScope::Both,
        origin: "user".into(),
        sensitive: true,
        version: 1,
        updated_by: Some(world.owner.id),
        updated_at: world.now(),
    }
}

fn open(keys: &Keyring, row: &Variable) -> Result<Secret, CryptError> {
    keys.open(variables::location(row.id, row.organization_id), &row.value_ciphertext)
}

#[tokio::test]
async fn variables_are_set_changed_listed_and_removed() {
    on_both(async |database| {
        let (_directory, keys) = keys();
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let application = world.insert_application(&mut tx, "shop").await;
        for key in ["b", "B", "_", "A"] {
            variables::upsert(&mut tx, &world.viewer, &variable(&world, &keys, &application, key, key)).await.unwrap();
        }
        let all = variables::of_application(&mut tx, &world.viewer, application.id).await.unwrap();
        assert_eq!(all.iter().map(|row| row.key.as_str()).collect::<Vec<_>>(), ["A", "B", "_", "b"], "one order on both engines");
        assert_eq!(open(&keys, &all[3]).unwrap().expose(), "b");

        let changed = Variable {
            value_ciphertext: keys.seal(variables::location(all[0].id, world.organization.id), &Secret::new("new")),
            version: 2,
            scope: VariableScope::Build,
            ..all[0].clone()
        };
        variables::upsert(&mut tx, &world.viewer, &changed).await.unwrap();
        let found = variables::find(&mut tx, &world.viewer, changed.id).await.unwrap().unwrap();
        assert_eq!(found, changed);
        assert_eq!(open(&keys, &found).unwrap().expose(), "new");

        let key: EnvKey = "A".parse().unwrap();
        assert!(variables::delete(&mut tx, &world.viewer, application.id, &key).await.unwrap());
        assert!(!variables::delete(&mut tx, &world.viewer, application.id, &key).await.unwrap());
        assert_eq!(variables::of_application(&mut tx, &world.viewer, application.id).await.unwrap().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_somebody_else_set_meanwhile_is_not_overwritten_with_what_cannot_be_opened() {
    on_both(async |database| {
        let (_directory, keys) = keys();
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let application = world.insert_application(&mut tx, "shop").await;
        variables::upsert(&mut tx, &world.viewer, &variable(&world, &keys, &application, "A", "theirs")).await.unwrap();
        let mine = variable(&world, &keys, &application, "A", "mine");
        assert!(matches!(variables::upsert(&mut tx, &world.viewer, &mine).await, Err(StoreError::Stale)));
        let all = variables::of_application(&mut tx, &world.viewer, application.id).await.unwrap();
        assert_eq!(open(&keys, &all[0]).unwrap().expose(), "theirs");
    })
    .await;
}

#[tokio::test]
async fn a_ciphertext_moved_between_rows_is_refused() {
    on_both(async |database| {
        let (_directory, keys) = keys();
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let application = world.insert_application(&mut tx, "shop").await;
        for key in ["MINE", "THEIRS"] {
            variables::upsert(&mut tx, &world.viewer, &variable(&world, &keys, &application, key, key)).await.unwrap();
        }
        execute!(
            tx,
            "UPDATE variables SET value_ciphertext = (SELECT value_ciphertext FROM variables WHERE key = 'THEIRS') WHERE key = 'MINE'"
        )
        .unwrap();
        let all = variables::of_application(&mut tx, &world.viewer, application.id).await.unwrap();
        assert!(matches!(open(&keys, &all[0]), Err(CryptError::Refused { .. })));
        assert_eq!(open(&keys, &all[1]).unwrap().expose(), "THEIRS");
    })
    .await;
}
