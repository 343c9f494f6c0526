//! Messages that come twice, late, in the wrong order, or not at all.

use slipway_model::state::DeploymentStatus;
use slipway_store_testing::on_both;

use crate::{agent::Behaviour, world::World};

#[tokio::test(flavor = "multi_thread")]
async fn repeated_and_reordered_messages_have_one_effect() {
    on_both(async |database| {
        let world = World::on(database).await;
        let agent = world.agent_that(Behaviour { stutters: true, ..Behaviour::default() }).await;
        let application = world.application("shop").await;
        let deployment = world.deploy_live(application.id).await;
        let log = world.build_log(deployment.id).await;
        let told: Vec<_> = log.iter().filter(|line| ["fetched", "building", "built"].contains(&line.as_str())).collect();
        assert_eq!(told, ["fetched", "building", "built"]);
        assert_eq!(agent.tasks_begun(), [1, 1]);
        world.check(&agent, application.id).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_during_the_build_costs_only_time() {
    let world = World::new().await;
    let mut agent = world.agent().await;
    let application = world.application("shop").await;
    agent.behave(|behaviour| behaviour.holds_tasks = true);
    let (deployment, _) = world.deploy(application.id).await;
    world.deployment_is(deployment.id, DeploymentStatus::Building).await;
    agent.cut();
    agent.behave(|behaviour| behaviour.holds_tasks = false);
    agent.connect();
    world.deployment_is(deployment.id, DeploymentStatus::Live).await;
    assert_eq!(agent.tasks_begun(), [1, 1], "what was sent again was done once");
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_fleet_comes_back_to_a_new_control_plane() {
    let mut world = World::new().await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    world.deploy_live(application.id).await;
    world.restart().await;
    world.deploy_live(application.id).await;
    world.check(&agent, application.id).await;
}
