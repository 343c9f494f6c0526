//! What is told of a build once it has ended.

use chrono::TimeDelta;
use serde_json::{Value, json};
use slipway_model::{
    Clock, DeploymentId, TaskId, Viewer,
    state::{StepKind, StepStatus, TaskKind, TaskStatus},
};
use slipway_store::{build_logs, deployments, instances, tasks};

use crate::{
    fixture::{Fixture, Shared},
    world::World,
};

async fn build(world: &World, fixture: &Fixture) -> Value {
    let query = "query($id: ID!) { application(id: $id) { deployments(first: 1) { nodes { build {
        status finishedAt cacheHit logBytes logTruncated } } } } }";
    let token = world.sign_in(fixture.owner).await.1;
    world.data(&token, query, json!({"id": fixture.ids["app"]})).await["application"]["deployments"]["nodes"][0]["build"].take()
}

/// A task of the deployment that has ended in this.
async fn ended(world: &World, fixture: &Fixture, shared: &Shared, outcome: Value) -> DeploymentId {
    let now = world.clock.now();
    let mut tx = world.platform().db.begin().await.unwrap();
    let instance = instances::find(&mut tx, &Viewer::Platform, fixture.ids["ins"].parse().unwrap()).await.unwrap().unwrap();
    let task = tasks::Task {
        id: TaskId::new(&world.clock),
        organization_id: fixture.organization,
        application_id: instance.application_id,
        deployment_id: instance.deployment_id,
        operation_id: None,
        node_id: shared.node,
        kind: TaskKind::Build,
        status: TaskStatus::Succeeded,
        spec_ciphertext: vec![0],
        outcome: Some(outcome),
        last_sequence: 1,
        deadline: now,
        created_at: now,
        finished_at: Some(now),
    };
    tasks::insert(&mut tx, &task).await.unwrap();
    tx.commit().await.unwrap();
    instance.deployment_id
}

#[tokio::test]
async fn a_build_tells_when_it_ended_whether_anything_was_done_and_how_long_its_log_is() {
    let world = World::new().await;
    let shared = world.shared().await;
    let fixture = world.fixture("shop", &shared).await;
    let nothing = json!({"status": "FAILED", "finishedAt": null, "cacheHit": null, "logBytes": "0", "logTruncated": null});
    assert_eq!(build(&world, &fixture).await, nothing);

    let deployment = ended(&world, &fixture, &shared, json!({"result": "failed", "code": "X", "message": "x"})).await;
    let mut tx = world.platform().db.begin().await.unwrap();
    let now = world.clock.now();
    build_logs::append(&mut tx, deployment, None, now, &["four".to_owned(), "ä".to_owned()]).await.unwrap();
    deployments::end_step(&mut tx, deployment, StepKind::FetchSource, StepStatus::Succeeded, None, now).await.unwrap();
    let later = now + TimeDelta::seconds(7);
    deployments::end_step(&mut tx, deployment, StepKind::Build, StepStatus::Failed, None, later).await.unwrap();
    deployments::end_step(&mut tx, deployment, StepKind::Release, StepStatus::Skipped, None, later + TimeDelta::hours(1)).await.unwrap();
    tx.commit().await.unwrap();
    let failed = build(&world, &fixture).await;
    assert_eq!((&failed["cacheHit"], &failed["logTruncated"], &failed["logBytes"]), (&Value::Null, &Value::Null, &json!("8")));
    assert_eq!(failed["finishedAt"].as_str().unwrap().parse::<slipway_model::Timestamp>().unwrap(), later);

    world.clock.advance(TimeDelta::seconds(1));
    // As an agent says it that does not know of the cache, and as one that does.
    for (from_cache, expected) in [(None, Value::Null), (Some(true), json!(true))] {
        let mut outcome =
            json!({"result": "built", "image": "i", "digest": "d", "image_bytes": 1, "exposed_ports": [], "log_truncated": true});
        if let Some(from_cache) = from_cache {
            outcome["from_cache"] = json!(from_cache);
        }
        ended(&world, &fixture, &shared, outcome).await;
        world.clock.advance(TimeDelta::seconds(1));
        let built = build(&world, &fixture).await;
        assert_eq!((&built["cacheHit"], &built["logTruncated"]), (&expected, &json!(true)));
    }
}
