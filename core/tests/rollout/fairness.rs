//! One organization's queue is not everybody's (F43).

use std::time::Instant;

use slipway_core::{
    applications::{self, NewApplication},
    deployments,
    quotas::{self, QuotaChange},
};
use slipway_model::{BuildConfig, Clock, GitSource, OrganizationId, Source};
use slipway_store::{Page, organizations, plans, regions, tasks};

use crate::world::{EVERYBODY, World, deploy};

const QUEUED: usize = 500;

async fn organization(world: &World, slug: &str) -> OrganizationId {
    let id = OrganizationId::new(&world.clock);
    let row = organizations::Organization { id, slug: slug.parse().unwrap(), name: slug.parse().unwrap(), created_at: world.clock.now() };
    let mut tx = world.database.db.begin().await.unwrap();
    organizations::insert(&mut tx, &row).await.unwrap();
    tx.commit().await.unwrap();
    let change = QuotaChange { max_applications: Some(1000), max_instances: Some(1000), max_builds_concurrent: None };
    quotas::update(&world.platform(), EVERYBODY, id, change).await.unwrap();
    id
}

async fn request(world: &World, organization: OrganizationId, slug: &str) {
    let mut tx = world.database.db.read().await.unwrap();
    let region = regions::list(&mut tx, false, &Page::first(1)).await.unwrap().items.remove(0).id;
    let plan = plans::by_slug(&mut tx, &"nano".parse().unwrap()).await.unwrap().unwrap().id;
    drop(tx);
    let git = GitSource { repository_url: "https://git.example/shop.git".parse().unwrap(), branch: "main".parse().unwrap() };
    let new = NewApplication {
        organization,
        name: slug.to_owned(),
        slug: Some(slug.to_owned()),
        plan,
        region,
        runtime: None,
        source: Some(Source::Git(git)),
        build_config: BuildConfig::default(),
        health_check: None,
        variables: vec![],
        auto_deploy: false,
        instances: 1,
    };
    let application = applications::create(&world.platform(), EVERYBODY, new).await.unwrap();
    world.clock.advance(chrono::TimeDelta::milliseconds(1));
    deployments::request(&world.platform(), EVERYBODY, deploy(application.id)).await.unwrap();
}

/// What the node has to do of an organization.
async fn tasks_of(world: &World, node: slipway_model::NodeId, organization: OrganizationId) -> usize {
    let all = tasks::unfinished_of_node(&mut world.database.db.read_once().await.unwrap(), node).await.unwrap();
    all.iter().filter(|task| task.organization_id == organization).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[expect(clippy::print_stdout, reason = "how long it took is worth seeing")]
async fn others_begin_while_one_organization_has_five_hundred_builds_in_the_queue() {
    let world = World::new().await;
    let agent = world.agent().await;
    // Builds go on for ever, as long builds do.
    agent.behave(|behaviour| behaviour.holds_tasks = true);
    let (hog, other) = (organization(&world, "hog").await, organization(&world, "other").await);
    for number in 0..QUEUED {
        request(&world, hog, &format!("hog-{number}")).await;
    }
    let asked = Instant::now();
    request(&world, other, "patient").await;
    world.eventually("the other's build is on the node", async || (tasks_of(&world, agent.node, other).await == 1).then_some(())).await;
    println!("{QUEUED} builds of one in the queue: another's began after {:?}", asked.elapsed());
    assert!(asked.elapsed().as_secs() < 30);
    assert_eq!(tasks_of(&world, agent.node, hog).await, 2, "as many as it may have under way, of three that the node builds at once");
}
