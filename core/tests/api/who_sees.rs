//! What is the platform's is told to its administrators alone, also where it hangs on what everybody sees.

use serde_json::{Value, json};
use slipway_model::{Role, Viewer};
use slipway_store::{deployments, instances};

use crate::world::World;

const OF_THE_PLATFORM: &str = "query($app: ID!) {
    plan(slug: \"small\") { applicationCount inUse }
    region(slug: \"local\") { available capacity { instances cpuMillis } nodes(first: 5) { nodes { id } } }
    application(id: $app) { deployments(first: 1) { nodes { imageDigest instances { containerId } } } }
}";

fn hidden(answer: &Value) -> [&Value; 4] {
    let instance = &answer["application"]["deployments"]["nodes"][0]["instances"][0];
    [&answer["plan"]["applicationCount"], &answer["region"]["capacity"], &answer["region"]["nodes"], &instance["containerId"]]
}

#[tokio::test]
async fn of_plans_regions_and_instances_administrators_see_what_is_the_platforms_and_others_what_is_theirs() {
    let world = World::new().await;
    let shared = world.shared().await;
    let fixture = world.fixture("shop", &shared).await;
    let mut tx = world.platform().db.begin().await.unwrap();
    let instance = instances::find(&mut tx, &Viewer::Platform, fixture.ids["ins"].parse().unwrap()).await.unwrap().unwrap();
    let deployment = deployments::find(&mut tx, &Viewer::Platform, instance.deployment_id).await.unwrap().unwrap();
    deployments::update(&mut tx, &deployments::Deployment { release_id: Some(instance.release_id), ..deployment }).await.unwrap();
    instances::observe(&mut tx, &instances::Instance { container_id: Some("c0ffee".into()), ..instance }).await.unwrap();
    tx.commit().await.unwrap();
    let variables = json!({"app": fixture.ids["app"]});

    // What is an organization's an administrator sees as one of its members.
    let (admin, token) = world.person("grace", true).await;
    world.join(admin, fixture.organization, Role::Viewer).await;
    let seen = world.data(&token, OF_THE_PLATFORM, variables.clone()).await;
    assert_eq!(seen["plan"], json!({"applicationCount": 1, "inUse": true}));
    assert_eq!(seen["region"]["nodes"], json!({"nodes": [{"id": shared.node.to_string()}]}));
    assert_eq!(seen["region"]["capacity"]["instances"], 0, "{seen}");
    assert_eq!(hidden(&seen)[3], "c0ffee", "{seen}");

    let owner = world.sign_in(fixture.owner).await.1;
    let seen = world.data(&owner, OF_THE_PLATFORM, variables).await;
    assert_eq!(hidden(&seen), [&Value::Null; 4]);
    assert_eq!(seen["plan"]["inUse"], true);
    assert_eq!(seen["application"]["deployments"]["nodes"][0]["imageDigest"], "sha256:0");
}

#[tokio::test]
async fn nobody_and_the_token_of_an_administrator_see_no_more_of_it_than_they_may() {
    let world = World::new().await;
    let shared = world.shared().await;
    let query = "{ plan(slug: \"small\") { applicationCount } region(slug: \"local\") { capacity { instances } nodes { nodes { id } } } }";
    let seen = world.ask(None, query, json!({})).await;
    let nothing = json!({"data": {"plan": {"applicationCount": null}, "region": {"capacity": null, "nodes": null}}});
    assert_eq!((&seen["data"], seen.get("errors")), (&nothing["data"], None));

    let of = async |permission: &str| {
        let input = json!({"name": permission, "permissions": [permission]});
        let token = world.mutate(&world.admin, "apiTokenCreate", input, "secret").await["secret"].as_str().unwrap().to_owned();
        world.data(&token, query, json!({})).await
    };
    let seen = of("PLATFORM_READ").await;
    assert_eq!((&seen["plan"]["applicationCount"], &seen["region"]["nodes"]), (&json!(0), &Value::Null));
    let seen = of("NODE_READ").await;
    assert_eq!(seen["plan"]["applicationCount"], Value::Null);
    assert_eq!(seen["region"]["nodes"]["nodes"][0]["id"], shared.node.to_string());
    let ada = world.customer("ada", Role::Owner).await;
    assert_eq!(world.data(&ada.token, query, json!({})).await, nothing["data"]);
}
