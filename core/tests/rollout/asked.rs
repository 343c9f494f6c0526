//! Single instances replaced, operations called off and tried again, nodes emptied.

use slipway_core::{Error, UserErrorCode, lifecycle, nodes, operations};
use slipway_model::state::{ApplicationStatus, DeploymentStatus, OperationKind, OperationStatus};
use slipway_protocol::TaskFailure;

use crate::world::{EVERYBODY, World};

fn code(error: &Error) -> UserErrorCode {
    match error {
        Error::User(errors) => errors[0].code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_instance_is_replaced_and_the_others_stay() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application_on("shop", "small", 3).await;
    world.deploy_live(application.id).await;
    let before = world.serving(application.id).await;
    let (instance, operation) = lifecycle::restart_instance(&world.platform(), EVERYBODY, before[1].id).await.unwrap();
    assert_eq!((instance.id, operation.kind), (before[1].id, OperationKind::Restart));
    world.operation_is(operation.id, OperationStatus::Succeeded).await;
    let after = world.serving(application.id).await;
    assert_eq!(after.len(), 3);
    let stayed: Vec<_> = before.iter().filter(|old| after.iter().any(|new| new.id == old.id)).map(|row| row.instance_index).collect();
    assert_eq!(stayed, [before[0].instance_index, before[2].instance_index]);
    let new = after.iter().find(|new| before.iter().all(|old| old.id != new.id)).unwrap();
    assert_eq!((new.instance_index, new.hourly_rate), (before[1].instance_index, before[1].hourly_rate));
    world.application_is(application.id, ApplicationStatus::Running).await;
    world.check(&agent, application.id).await;

    let refused = lifecycle::restart_instance(&world.platform(), EVERYBODY, before[1].id).await.unwrap_err();
    assert_eq!(code(&refused), UserErrorCode::InvalidState, "it does not run any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_called_off_leaves_everything_as_it_was_and_may_be_tried_again() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    world.deploy_live(application.id).await;
    let serving = world.serving(application.id).await[0].id;
    // New containers never become healthy: the restart waits.
    agent.behave(|behaviour| behaviour.becomes = slipway_model::state::InstanceStatus::Starting);
    let (_, operation) = lifecycle::restart(&world.platform(), EVERYBODY, application.id).await.unwrap();
    world.eventually("a new instance comes", async || (world.instances(application.id).await.len() == 2).then_some(())).await;
    let canceled = operations::cancel(&world.platform(), EVERYBODY, operation.id).await.unwrap();
    assert_eq!(canceled.status, OperationStatus::Canceled);
    assert_eq!(world.serving(application.id).await[0].id, serving);
    world.application_is(application.id, ApplicationStatus::Running).await;
    world.check(&agent, application.id).await;
    let again = operations::cancel(&world.platform(), EVERYBODY, operation.id).await.unwrap_err();
    assert_eq!(code(&again), UserErrorCode::InvalidState);

    agent.behave(|behaviour| behaviour.becomes = slipway_model::state::InstanceStatus::Healthy);
    let retried = operations::retry(&world.platform(), EVERYBODY, operation.id).await.unwrap();
    assert_eq!(retried.kind, OperationKind::Restart);
    assert_ne!(retried.id, operation.id);
    world.operation_is(retried.id, OperationStatus::Succeeded).await;
    assert_ne!(world.serving(application.id).await[0].id, serving);
    world.check(&agent, application.id).await;
    let done = operations::retry(&world.platform(), EVERYBODY, retried.id).await.unwrap_err();
    assert_eq!(code(&done), UserErrorCode::InvalidState, "it has done what it was to do");

    let (_, stop) = lifecycle::stop(&world.platform(), EVERYBODY, application.id).await.unwrap();
    let refused = operations::cancel(&world.platform(), EVERYBODY, stop.id).await.unwrap_err();
    assert_eq!(code(&refused), UserErrorCode::InvalidState, "what stops is started again instead");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_failed_is_deployed_again() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    agent.behave(|behaviour| behaviour.build = Err(TaskFailure::new("BUILD_COMMAND_FAILED", "npm said no")));
    let (deployment, operation) = world.deploy(application.id).await;
    world.deployment_is(deployment.id, DeploymentStatus::Failed).await;
    world.operation_is(operation.id, OperationStatus::Failed).await;
    agent.behave(|behaviour| behaviour.build = Ok(()));
    let retried = operations::retry(&world.platform(), EVERYBODY, operation.id).await.unwrap();
    world.deployment_is(retried.deployment_id.unwrap(), DeploymentStatus::Live).await;
    world.application_is(application.id, ApplicationStatus::Running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_emptied_without_a_visitor_lost() {
    let world = World::new().await;
    let first = world.agent().await;
    let shop = world.application("shop").await;
    let blog = world.application("blog").await;
    world.deploy_live(shop.id).await;
    world.deploy_live(blog.id).await;
    let second = world.agent().await;
    let drained = nodes::drain(&world.platform(), EVERYBODY, first.node, 600).await.unwrap();
    assert!(drained.node.cordoned);
    assert_eq!((drained.moves.len(), drained.stays.len()), (2, 0));
    for operation in &drained.moves {
        world.operation_is(operation.id, OperationStatus::Succeeded).await;
    }
    for application in [shop.id, blog.id] {
        assert!(world.serving(application).await.iter().all(|row| row.node_id == second.node));
        assert_eq!((first.lost_requests(application), second.lost_requests(application)), (0, 0));
    }
    world.eventually("the node is empty", async || first.containers_of(shop.id).is_empty().then_some(())).await;
    let unused = nodes::drain(&world.platform(), EVERYBODY, first.node, 600).await.unwrap();
    assert_eq!(unused.moves.len(), 0);
    assert_eq!(code(&nodes::drain(&world.platform(), EVERYBODY, first.node, 1).await.unwrap_err()), UserErrorCode::Invalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_move_by_the_deadline_stays_where_it_is() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    world.deploy_live(application.id).await;
    let other = world.agent().await;
    other.behave(|behaviour| behaviour.holds_tasks = true);
    let drained = nodes::drain(&world.platform(), EVERYBODY, agent.node, 60).await.unwrap();
    let operation = &drained.moves[0];
    world.operation_is(operation.id, OperationStatus::Running).await;
    world
        .eventually("it is planned elsewhere", async || {
            let node = world.deployment(operation.deployment_id.unwrap()).await.node_id;
            (node == Some(other.node)).then_some(())
        })
        .await;
    crate::world::forward(&world, 61);
    world.operation_is(operation.id, OperationStatus::Failed).await;
    assert!(world.serving(application.id).await.iter().all(|row| row.node_id == agent.node));
    world.application_is(application.id, ApplicationStatus::Running).await;
}
