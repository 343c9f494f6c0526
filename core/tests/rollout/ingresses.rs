//! What nodes are told when the ingress is another one, or is set otherwise: without any deployment.

use serde_json::json;
use slipway_core::plugins;
use slipway_model::{ApplicationId, PluginRowId};
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
