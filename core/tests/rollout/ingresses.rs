//! What nodes are told when the ingress is another one, or is set otherwise: without any deployment.

use serde_json::json;
use slipway_core::plugins;
use slipway_model::{
    ApplicationId, NodeId, PluginRowId,
    state::{DeploymentStatus, OperationStatus},
};
use slipway_store::nodes;
use slipway_store_testing::TestDatabase;

use crate::{
    agent::{Agent, Behaviour},
    world::{EVERYBODY, World},
};

impl World {
    async fn traefik(&self) -> PluginRowId {
        plugins::by_name(&self.platform(), EVERYBODY, "ingress-traefik").await.unwrap().unwrap().id
    }

    async fn enter_by(&self, point: &str) {
        let settings = json!({ "http_entry_point": point });
        plugins::configure(&self.platform(), EVERYBODY, self.traefik().await, settings).await.unwrap();
    }

    /// The revision, once the node was told to have visitors of the application come in there.
    async fn told(&self, agent: &Agent, application: ApplicationId, point: &str) -> String {
        let line = format!("entryPoints = [\"{point}\"]");
        let told = || agent.file_of(application).filter(|(_, content)| content.contains(&line));
        self.eventually(&format!("visitors come in at {point}"), async || told()).await.0
    }
}

#[tokio::test]
async fn a_changed_setting_of_the_ingress_reaches_nodes_without_a_deployment() {
    let world = World::new().await;
    let agent = world.agent().await;
    let shop = world.application("shop").await;
    world.deploy_live(shop.id).await;
    let first = world.told(&agent, shop.id, "web").await;

    world.enter_by("public").await;
    let second = world.told(&agent, shop.id, "public").await;
    assert!(first != second && first[..16] == second[..16], "the same route, rendered otherwise: {first} {second}");
    world.enter_by("web").await;
    let third = world.told(&agent, shop.id, "web").await;
    assert_ne!(second, third);

    // Switched off and on again, as it was left: nothing is written anew.
    let traefik = world.traefik().await;
    plugins::set_enabled(&world.platform(), EVERYBODY, traefik, false, true).await.unwrap();
    plugins::set_enabled(&world.platform(), EVERYBODY, traefik, true, false).await.unwrap();
    assert_eq!(world.told(&agent, shop.id, "web").await, third);
    // A deployment waits for its own route, however it is rendered.
    world.deploy_live(shop.id).await;
    world.check(&agent, shop.id).await;
}

#[tokio::test]
async fn the_settings_of_an_ingress_are_in_force_again_after_a_restart() {
    let mut world = World::new().await;
    let mut agent = world.agent().await;
    let shop = world.application("shop").await;
    world.deploy_live(shop.id).await;
    world.enter_by("public").await;
    let before = world.told(&agent, shop.id, "public").await;
    agent.cut();
    world.restart().await;
    agent.connect();
    world.deploy_live(shop.id).await;
    let after = world.told(&agent, shop.id, "public").await;
    assert_eq!(before[16..], after[16..], "the same settings are the same rendering: {before} {after}");
}

#[tokio::test]
async fn nodes_of_another_control_plane_hear_of_it_too() {
    let world = World::on(TestDatabase::postgres().await).await;
    let (second, _data) = world.second().await;
    let agent = world.agent_at(second.agent_address(), Behaviour::default()).await;
    let shop = world.application("shop").await;
    world.deploy_live(shop.id).await;
    world.told(&agent, shop.id, "web").await;
    world.enter_by("public").await;
    world.told(&agent, shop.id, "public").await;
}

impl World {
    async fn node_says(&self, node: NodeId, problem: Option<&str>) {
        self.eventually(&format!("the node says {problem:?}"), async || {
            let row = nodes::find(&mut self.database.db.read().await.unwrap(), node).await.unwrap().unwrap();
            (row.ingress_problem.as_deref() == problem).then_some(())
        })
        .await;
    }
}

const NO_NGINX: &str = "this node has no nginx";

/// The clock stands still: nothing here can have waited for its time to pass.
#[tokio::test]
async fn a_deployment_under_way_fails_at_once_when_its_node_has_no_proxy() {
    let world = World::new().await;
    let agent = world.agent().await;
    let shop = world.application("shop").await;
    world.deploy_live(shop.id).await;
    let before = world.serving(shop.id).await;

    agent.behave(|agent| agent.holds_routes = true);
    let (deployment, operation) = world.deploy(shop.id).await;
    world
        .eventually("the route is to be switched", async || {
            (world.deployment(deployment.id).await.status == DeploymentStatus::Swapping).then_some(())
        })
        .await;
    agent.behave(|agent| agent.ingress_problem = Some(NO_NGINX.into()));
    let failed = world.deployment_is(deployment.id, DeploymentStatus::Failed).await;
    let failure = failed.failure.unwrap();
    assert!(failure.to_string().contains("NO_INGRESS") && failure.to_string().contains(NO_NGINX), "{failure}");
    world.operation_is(operation.id, OperationStatus::Failed).await;
    assert_eq!(world.serving(shop.id).await, before, "what served goes on");

    // The next one is refused before anything is built, and goes through once the node has its proxy.
    let refused = world.deployment_is(world.deploy(shop.id).await.0.id, DeploymentStatus::Failed).await;
    assert!(refused.failure.unwrap().to_string().contains(NO_NGINX));
    assert!(world.platform_event_kinds().await.contains(&"node.ingress_unusable".to_owned()));
    agent.behave(|agent| (agent.holds_routes, agent.ingress_problem) = (false, None));
    world.node_says(agent.node, None).await;
    world.deploy_live(shop.id).await;
    world.check(&agent, shop.id).await;
}

#[tokio::test]
async fn an_application_goes_to_a_node_that_has_the_proxy() {
    let world = World::new().await;
    let without = Behaviour { holds_routes: true, ingress_problem: Some(NO_NGINX.into()), ..Behaviour::default() };
    let without = world.agent_that(without).await;
    world.node_says(without.node, Some(NO_NGINX)).await;
    let with = world.agent().await;
    for slug in ["one", "two", "three"] {
        let application = world.application(slug).await;
        world.deploy_live(application.id).await;
        assert!(world.serving(application.id).await.iter().all(|instance| instance.node_id == with.node));
    }
}
