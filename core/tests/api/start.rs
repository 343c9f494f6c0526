//! What a fresh platform begins with, and what a second start leaves as it is.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use slipway_core::seed;

use crate::world::World;

#[tokio::test]
async fn a_fresh_platform_can_be_used_by_its_owner_alone() {
    let world = World::new().await;
    for file in [seed::TOKEN_FILE, seed::PASSWORD_FILE] {
        let mode = std::fs::metadata(world.config.data_dir.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert!(world.admin.starts_with("slip_"));
    let query = "{ viewer { email isPlatformAdmin memberships { role organization { slug } } }
        plans { nodes { slug priceHourly { currency } } } regions(availableOnly: false) { nodes { slug available } }
        runtimes { nodes { kind } } }";
    let data = world.data(&world.admin, query, json!({})).await;
    assert_eq!(data["viewer"]["memberships"], json!([{"role": "ORG_OWNER", "organization": {"slug": "default"}}]));
    let slugs: Vec<_> = data["plans"]["nodes"].as_array().unwrap().iter().map(|plan| plan["slug"].as_str().unwrap()).collect();
    assert_eq!(slugs, ["nano", "small", "medium", "large"]);
    assert_eq!(data["regions"]["nodes"], json!([{"slug": "local", "available": false}]));
    assert!(data["runtimes"]["nodes"].as_array().unwrap().iter().any(|runtime| runtime["kind"] == "node"));
}

#[tokio::test]
async fn a_second_start_changes_nothing_back() {
    let world = World::new().await;
    let query = "{ viewer { id } plans(activeOnly: false) { nodes { id slug name active version } }
        runtimes(activeOnly: false) { nodes { id slug active } } regions(availableOnly: false) { nodes { id name } }
        plugins { nodes { id name status } } organizations { nodes { id } } }";
    let small = world.plan("small").await;
    world.mutate(&world.admin, "planUpdate", json!({"id": small, "name": "Mine", "active": false}), "").await;
    world.mutate(&world.admin, "planDelete", json!({"id": world.plan("nano").await}), "").await;
    world.mutate(&world.admin, "regionUpdate", json!({"id": world.region().await, "name": "Here"}), "").await;
    let runtime =
        world.data(&world.admin, "{ runtimes(kind: \"node\") { nodes { id } } }", json!({})).await["runtimes"]["nodes"][0]["id"].take();
    world.mutate(&world.admin, "runtimeUpdate", json!({"id": runtime, "active": false}), "").await;
    let before = world.data(&world.admin, query, json!({})).await;
    let token = std::fs::read_to_string(world.config.data_dir.join(seed::TOKEN_FILE)).unwrap();
    seed::run(world.platform()).await.unwrap();
    assert_eq!(world.data(&world.admin, query, json!({})).await, before);
    assert_eq!(std::fs::read_to_string(world.config.data_dir.join(seed::TOKEN_FILE)).unwrap(), token);
}
