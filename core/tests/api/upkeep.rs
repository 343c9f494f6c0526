//! What administrators do now and then.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_region_in_which_nothing_stands_goes() {
    let world = World::new().await;
    let made = world.mutate(&world.admin, "regionCreate", json!({"slug": "moon", "name": "Moon"}), "region { id }").await;
    let id = made["region"]["id"].clone();
    world.mutate(&world.admin, "nodeEnrollmentTokenCreate", json!({"regionId": id}), "").await;
    assert_eq!(world.refusals(&world.admin, "regionDelete", json!({"id": id})).await, ["IN_USE"]);
    let made = world.mutate(&world.admin, "regionCreate", json!({"slug": "mars", "name": "Mars"}), "region { id }").await;
    let id = made["region"]["id"].clone();
    assert_eq!(world.mutate(&world.admin, "regionDelete", json!({"id": id}), "deletedId").await["deletedId"], id);
    assert_eq!(world.refusals(&world.admin, "regionDelete", json!({"id": id})).await, ["NOT_FOUND id"]);
}

#[tokio::test]
async fn an_image_of_the_platforms_own_is_made_and_deleted_and_a_plugins_is_not() {
    let world = World::new().await;
    let input =
        json!({"slug": "node-22-acme", "kind": "node", "name": "Node 22 with our CA", "version": "22", "builderImage": "acme/node:22"});
    let made = world.mutate(&world.admin, "runtimeCreate", input.clone(), "runtime { id plugin builderImage active }").await;
    assert_eq!((&made["runtime"]["plugin"], &made["runtime"]["builderImage"]), (&json!("administrator"), &json!("acme/node:22")));
    assert_eq!(world.refusals(&world.admin, "runtimeCreate", input).await, ["ALREADY_EXISTS version"]);
    let bad = json!({"slug": "A b", "kind": "cobol", "name": "", "version": "v1", "builderImage": "not an image"});
    let mut refusals = world.refusals(&world.admin, "runtimeCreate", bad).await;
    refusals.sort();
    let expected = ["INVALID builderImage", "INVALID kind", "INVALID name", "INVALID slug", "INVALID version"];
    assert_eq!(refusals.iter().map(|text| text.split(' ').next_back().unwrap()).collect::<Vec<_>>(), expected.map(|text| &text[8..]));
    let id = made["runtime"]["id"].clone();
    assert_eq!(world.mutate(&world.admin, "runtimeDelete", json!({"id": id}), "deletedId").await["deletedId"], id);
    let brought = world.data(&world.admin, "{ runtimes(first: 1) { nodes { id plugin } } }", json!({})).await;
    let brought = brought["runtimes"]["nodes"][0]["id"].clone();
    assert_eq!(world.refusals(&world.admin, "runtimeDelete", json!({"id": brought})).await, ["IN_USE"]);
}

#[tokio::test]
async fn missing_defaults_are_told_and_then_made() {
    let world = World::new().await;
    let id = world.plan("nano").await;
    world.mutate(&world.admin, "planDelete", json!({"id": id}), "").await;
    let slugs = async |dry_run| {
        let made = world.mutate(&world.admin, "defaultsSeed", json!({"dryRun": dry_run}), "plans { slug } runtimes { slug }").await;
        made["plans"].as_array().unwrap().iter().map(|plan| plan["slug"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(slugs(true).await, ["nano"]);
    assert_eq!(slugs(true).await, ["nano"], "nothing was made");
    assert_eq!(slugs(false).await, ["nano"]);
    assert!(world.plan("nano").await.is_string());
    assert_eq!(slugs(false).await, Vec::<String>::new());
}
