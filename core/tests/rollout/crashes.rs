//! The control plane is killed at every named place of a deployment, and another one goes on from the database.

use std::sync::Arc;

use slipway_core::{
    crash::{BRANCH_POINTS, CrashPoints, POINTS},
    deployments::request,
};
use slipway_model::state::{DeploymentStatus, InstanceStatus};
use slipway_protocol::TaskFailure;
use slipway_store::Page;
use slipway_store_testing::TestDatabase;
use tokio::sync::Notify;

use crate::world::{EVERYBODY, World, deploy, forward};

/// Deploys a second release with a control plane that dies at `point`, and gives what became of it.
async fn killed_at(point: &str, database: TestDatabase, fails: bool) -> DeploymentStatus {
    let mut world = World::on(database).await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    let first = world.deploy_live(application.id).await;
    if fails {
        agent.behave(|behaviour| behaviour.build = Err(TaskFailure::new("BUILD_COMMAND_FAILED", "It failed.")));
    }
    if point.starts_with("release.") {
        agent.behave(|behaviour| {
            let mut plan = crate::agent::plan();
            plan.fragment.processes.push(crate::agent::process("release", slipway_buildpack_wit::ProcessKind::Release));
            behaviour.plan = Ok(plan);
        });
    }

    let reached = Arc::new(Notify::new());
    world.restart_with(CrashPoints::halt_at(point, reached.clone())).await;
    let asking = tokio::spawn({
        let p = world.platform();
        async move { request(&p, EVERYBODY, deploy(application.id)).await.map(drop) }
    });
    tokio::time::timeout(std::time::Duration::from_secs(20), reached.notified())
        .await
        .unwrap_or_else(|_| panic!("{point} is never reached"));
    asking.abort();
    let _ = asking.await;
    world.restart().await;
    // On PostgreSQL the dead process's lease has to run out.
    forward(&world, 31);

    let mut tx = world.database.db.read().await.unwrap();
    let (ids, page) = ([application.id], Page::first(10));
    let mut all = slipway_store::deployments::of_each_application(&mut tx, EVERYBODY, &ids, None, &page).await.unwrap();
    let all = all.remove(&application.id).unwrap().items;
    drop(tx);
    let Some(second) = all.into_iter().find(|deployment| deployment.id != first.id) else {
        // It was killed before anything was acknowledged: nothing of it is there.
        assert_eq!(point, "deploy.before_request");
        world.check(&agent, application.id).await;
        return DeploymentStatus::Queued;
    };
    let ended = world
        .eventually(&format!("{point}: it ends"), async || {
            let deployment = world.deployment(second.id).await;
            deployment.status.is_terminal().then_some(deployment.status)
        })
        .await;
    world
        .eventually(&format!("{point}: its operation ends"), async || {
            let mut tx = world.database.db.read().await.unwrap();
            slipway_store::operations::unfinished_of(&mut tx, application.id).await.unwrap().is_empty().then_some(())
        })
        .await;
    world.check(&agent, application.id).await;
    let serving = world.serving(application.id).await;
    let expected = if ended == DeploymentStatus::Live { second.id } else { first.id };
    assert!(serving.iter().all(|row| row.deployment_id == expected && row.status == InstanceStatus::Healthy), "{point}: {serving:#?}");
    assert_eq!(serving.len(), 1, "{point}");
    assert!(agent.tasks_begun().iter().all(|times| *times == 1), "{point}: no task is done twice");
    ended
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_moment_the_deployment_goes_on_and_goes_live() {
    for point in POINTS.iter().chain(BRANCH_POINTS).filter(|point| !point.starts_with("fail.")) {
        let ended = killed_at(point, TestDatabase::sqlite().await, false).await;
        let expected = if *point == "deploy.before_request" { DeploymentStatus::Queued } else { DeploymentStatus::Live };
        assert_eq!(ended, expected, "{point}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_on_postgresql_around_the_switch() {
    for point in ["operation.after_claim", "build.after_commit", "swap.before_commit", "swap.after_commit"] {
        assert_eq!(killed_at(point, TestDatabase::postgres().await, false).await, DeploymentStatus::Live, "{point}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_is_interrupted_is_still_a_failure() {
    for point in ["fail.before_commit", "fail.after_commit"] {
        assert_eq!(killed_at(point, TestDatabase::sqlite().await, true).await, DeploymentStatus::Failed, "{point}");
    }
}

#[test]
fn every_crash_point_is_tested_by_its_own_name() {
    let mut names = [POINTS, BRANCH_POINTS].concat();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}
