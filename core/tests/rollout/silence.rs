//! Nodes that fall silent, and time that runs out.

use slipway_core::{deployments, fleet::sweep, lifecycle};
use slipway_model::state::{ApplicationStatus, DeploymentStatus, InstanceStatus, NodeStatus, OperationStatus};

use crate::{
    agent::Behaviour,
    world::{EVERYBODY, World, forward},
};

async fn node_status(world: &World, agent: &crate::agent::Agent) -> NodeStatus {
    slipway_store::nodes::find(&mut world.database.db.read().await.unwrap(), agent.node).await.unwrap().unwrap().status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_offline_after_90_seconds_and_its_applications_go_on() {
    let world = World::new().await;
    let mut agent = world.agent().await;
    let application = world.application("shop").await;
    world.deploy_live(application.id).await;
    agent.cut();
    world.eventually("the session is over", async || (world.platform().fleet.connected() == 0).then_some(())).await;
    forward(&world, 89);
    sweep(&world.platform()).await.unwrap();
    assert_eq!(node_status(&world, &agent).await, NodeStatus::Online);
    forward(&world, 1);
    forward(&world, 1);
    sweep(&world.platform()).await.unwrap();
    assert_eq!(node_status(&world, &agent).await, NodeStatus::Offline);
    assert_eq!(world.application_now(application.id).await.status, ApplicationStatus::Running);
    assert_eq!(world.serving(application.id).await[0].status, InstanceStatus::Healthy);
    let (refused, _) = world.deploy(application.id).await;
    let failure = deployments::failure(&world.deployment_is(refused.id, DeploymentStatus::Failed).await).unwrap();
    assert_eq!(failure.message, "No node of this region has room: node-a is offline.");
    agent.connect();
    world.eventually("it is back", async || (node_status(&world, &agent).await == NodeStatus::Online).then_some(())).await;
    world.deploy_live(application.id).await;
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_waits_a_minute_for_its_node_and_then_fails() {
    let world = World::new().await;
    let mut agent = world.agent_that(Behaviour { holds_tasks: true, ..Behaviour::default() }).await;
    let application = world.application("shop").await;
    let (deployment, _) = world.deploy(application.id).await;
    world.deployment_is(deployment.id, DeploymentStatus::Building).await;
    agent.cut();
    world.eventually("the session is over", async || (world.platform().fleet.connected() == 0).then_some(())).await;
    forward(&world, 120);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(world.deployment(deployment.id).await.status, DeploymentStatus::Building);
    forward(&world, 31);
    let failed = world.deployment_is(deployment.id, DeploymentStatus::Failed).await;
    assert_eq!(deployments::failure(&failed).unwrap().code, "NODE_OFFLINE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_goes_on_when_its_node_is_back_in_time() {
    let world = World::new().await;
    let mut agent = world.agent_that(Behaviour { holds_tasks: true, ..Behaviour::default() }).await;
    let application = world.application("shop").await;
    let (deployment, _) = world.deploy(application.id).await;
    world.deployment_is(deployment.id, DeploymentStatus::Building).await;
    agent.cut();
    forward(&world, 120);
    agent.behave(|behaviour| behaviour.holds_tasks = false);
    agent.connect();
    world.deployment_is(deployment.id, DeploymentStatus::Live).await;
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_during_the_switch_ends_with_one_release_that_serves() {
    let world = World::new().await;
    let mut agent = world.agent().await;
    let application = world.application("shop").await;
    let first = world.deploy_live(application.id).await;
    agent.behave(|behaviour| behaviour.holds_routes = true);
    let (second, _) = world.deploy(application.id).await;
    world.deployment_is(second.id, DeploymentStatus::Swapping).await;
    agent.cut();
    world.eventually("the session is over", async || (world.platform().fleet.connected() == 0).then_some(())).await;
    forward(&world, 151);
    world.deployment_is(second.id, DeploymentStatus::Failed).await;
    agent.behave(|behaviour| behaviour.holds_routes = false);
    agent.connect();
    world.check(&agent, application.id).await;
    let serving = world.serving(application.id).await;
    assert!(serving.len() == 1 && serving[0].deployment_id == first.id);
    world.eventually("the route is the old one", async || (agent.route_of(application.id) == [serving[0].id]).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_becomes_healthy_fails_when_its_time_is_over() {
    let world = World::new().await;
    let agent = world.agent_that(Behaviour { becomes: InstanceStatus::Unhealthy, ..Behaviour::default() }).await;
    let application = world.application("shop").await;
    let (deployment, _) = world.deploy(application.id).await;
    world.deployment_is(deployment.id, DeploymentStatus::HealthChecking).await;
    world
        .eventually("it is ill", async || {
            world.instances(application.id).await.iter().any(|row| row.status == InstanceStatus::Unhealthy).then_some(())
        })
        .await;
    forward(&world, 200);
    let failed = world.deployment_is(deployment.id, DeploymentStatus::Failed).await;
    assert_eq!(deployments::failure(&failed).unwrap().code, "HEALTH_CHECK_FAILED");
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_its_deadline() {
    let world = World::new().await;
    let agent = world.agent_that(Behaviour { holds_tasks: true, ..Behaviour::default() }).await;
    let application = world.application("shop").await;
    let (deployment, operation) = world.deploy(application.id).await;
    world.deployment_is(deployment.id, DeploymentStatus::Building).await;
    // The planning has a limit of its own, long before the deployment's.
    forward(&world, 6 * 60);
    let failed = world.deployment_is(deployment.id, DeploymentStatus::Failed).await;
    assert_eq!(deployments::failure(&failed).unwrap().code, "DEADLINE");
    world.operation_is(operation.id, OperationStatus::Failed).await;
    world.eventually("the agent is told", async || (agent.canceled_tasks() == 1).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_what_is_on_a_node_that_is_away_ends_its_bill() {
    let world = World::new().await;
    let mut agent = world.agent().await;
    let application = world.application("shop").await;
    world.deploy_live(application.id).await;
    agent.cut();
    world.eventually("the session is over", async || (world.platform().fleet.connected() == 0).then_some(())).await;
    forward(&world, 200);
    let (_, operation) = lifecycle::stop(&world.platform(), EVERYBODY, application.id).await.unwrap();
    world.operation_is(operation.id, OperationStatus::Succeeded).await;
    let open = slipway_store::usage::open(&mut world.database.db.read().await.unwrap()).await.unwrap();
    assert!(open.is_empty(), "{open:?}");
    agent.connect();
    world.eventually("it is stopped there too", async || agent.containers_of(application.id).is_empty().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ran_on_a_revoked_node_is_lost_and_costs_nothing() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    world.deploy_live(application.id).await;
    slipway_core::nodes::revoke(&world.platform(), EVERYBODY, agent.node).await.unwrap();
    let rows = world.instances(application.id).await;
    assert!(rows.iter().all(|row| row.status == InstanceStatus::Lost && !row.desired && !row.routed), "{rows:#?}");
    assert_eq!(world.application_now(application.id).await.status, ApplicationStatus::Crashed);
    let open = slipway_store::usage::open(&mut world.database.db.read().await.unwrap()).await.unwrap();
    assert!(open.is_empty(), "{open:?}");
    // Another node takes it.
    let other = world.agent().await;
    world.deploy_live(application.id).await;
    world.check(&other, application.id).await;
}
