//! An application changes hands with everything that is its own, and not before it rests.

use slipway_model::{Sha256Digest, VariableId, state::OperationStatus, state::VariableScope};
use slipway_store::{
    applications, deployments, instances, operations, releases, transfers, uploads,
    variables::{self, Variable},
};
use slipway_store_testing::on_both;

use crate::world::World;

#[tokio::test]
async fn what_is_an_applications_own_goes_with_it() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let other = World::new(&mut tx, "other").await;
        let rollout = world.rollout(&mut tx, "shop", 1).await;
        let id = rollout.application.id;
        operations::insert(&mut tx, &rollout.operation).await.unwrap();
        assert!(transfers::is_at_work(&mut tx, id).await.unwrap());
        operations::end(&mut tx, rollout.operation.id, OperationStatus::Succeeded, None, world.later(1)).await.unwrap();
        assert!(transfers::is_at_work(&mut tx, id).await.unwrap(), "an instance is still wanted");
        instances::retire(&mut tx, &[rollout.instance.id]).await.unwrap();
        assert!(transfers::is_at_work(&mut tx, id).await.unwrap(), "and has not ended");
        let ended = instances::Instance { status: slipway_model::state::InstanceStatus::Stopped, ..rollout.instance.clone() };
        instances::observe(&mut tx, &ended).await.unwrap();
        assert!(!transfers::is_at_work(&mut tx, id).await.unwrap());
        let variable = Variable {
            id: VariableId::new(&world.clock),
            organization_id: world.organization.id,
            application_id: id,
            key: "KEY".parse().unwrap(),
            value_ciphertext: vec![1],
            fingerprint: "f".into(),
            scope: VariableScope::Both,
            origin: "user".into(),
            sensitive: true,
            version: 1,
            updated_by: None,
            updated_at: world.now(),
        };
        variables::upsert(&mut tx, &world.viewer, &variable).await.unwrap();
        let upload = crate::uploads::upload(&world, &rollout.application);
        uploads::insert(&mut tx, &world.viewer, &upload, Sha256Digest::of(b"ticket")).await.unwrap();

        assert!(!transfers::give(&mut tx, &other.viewer, id, other.organization.id, world.later(2)).await.unwrap(), "not theirs to take");
        assert!(transfers::give(&mut tx, &world.viewer, id, other.organization.id, world.later(2)).await.unwrap());
        transfers::put_variable(&mut tx, variable.id, &[9], "g").await.unwrap();
        transfers::put_release(&mut tx, rollout.release.id, &[8]).await.unwrap();
        for (viewer, sees) in [(&world.viewer, false), (&other.viewer, true)] {
            assert_eq!(applications::find(&mut tx, viewer, id).await.unwrap().is_some(), sees);
            assert_eq!(variables::find(&mut tx, viewer, variable.id).await.unwrap().is_some(), sees);
            assert_eq!(uploads::find(&mut tx, viewer, upload.id).await.unwrap().is_some(), sees);
            assert_eq!(deployments::find(&mut tx, viewer, rollout.deployment.id).await.unwrap().is_some(), sees);
            assert_eq!(releases::find(&mut tx, viewer, rollout.release.id).await.unwrap().is_some(), sees);
            assert_eq!(instances::find(&mut tx, viewer, rollout.instance.id).await.unwrap().is_some(), sees);
            assert_eq!(operations::find(&mut tx, viewer, rollout.operation.id).await.unwrap().is_some(), sees);
        }
        let moved = variables::find(&mut tx, &other.viewer, variable.id).await.unwrap().unwrap();
        assert_eq!((moved.value_ciphertext, moved.fingerprint.as_str()), (vec![9], "g"));
        let frozen = releases::find(&mut tx, &other.viewer, rollout.release.id).await.unwrap().unwrap();
        assert_eq!(frozen.variables_ciphertext, [8]);
        let application = applications::find(&mut tx, &other.viewer, id).await.unwrap().unwrap();
        assert_eq!((application.version, application.updated_at), (2, world.later(2)));
    })
    .await;
}
