//! What is done to a running application.

use slipway_core::{
    Error, UserErrorCode,
    lifecycle::{self, Scaled},
};
use slipway_model::state::{ApplicationStatus, DeploymentStatus, InstanceStatus, OperationStatus};
use slipway_store_testing::on_both;

use crate::world::{EVERYBODY, World};

#[tokio::test(flavor = "multi_thread")]
async fn scaling_up_adds_instances_and_scaling_down_takes_the_last_ones() {
    on_both(async |database| {
        let world = World::on(database).await;
        let agent = world.agent().await;
        let application = world.application("shop").await;
        world.deploy_live(application.id).await;
        let first = world.serving(application.id).await[0].id;

        let Scaled { application: scaled, operation, before } =
            lifecycle::scale(&world.platform(), EVERYBODY, application.id, 3, None).await.unwrap();
        assert_eq!((before, scaled.desired_instances, scaled.version), (1, 3, application.version + 1));
        world.operation_is(operation.unwrap().id, OperationStatus::Succeeded).await;
        let serving = world.serving(application.id).await;
        let indexes: Vec<_> = serving.iter().map(|row| row.instance_index).collect();
        assert_eq!(indexes, [0, 1, 2]);
        assert_eq!(serving[0].id, first, "what ran goes on");
        assert_eq!(agent.route_of(application.id).len(), 3);

        let operation = lifecycle::scale(&world.platform(), EVERYBODY, application.id, 1, Some(scaled.version)).await.unwrap().operation;
        world.operation_is(operation.unwrap().id, OperationStatus::Succeeded).await;
        let serving: Vec<_> = world.serving(application.id).await.into_iter().map(|row| row.id).collect();
        assert_eq!(serving, [first]);
        assert_eq!(world.application_now(application.id).await.status, ApplicationStatus::Running);
        world.check(&agent, application.id).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_instances_than_the_plan_grants_are_refused() {
    let world = World::new().await;
    let application = world.application("shop").await;
    let refused = lifecycle::scale(&world.platform(), EVERYBODY, application.id, 6, None).await.unwrap_err();
    let Error::User(errors) = refused else { panic!("{refused:?}") };
    assert_eq!(errors[0].code, UserErrorCode::QuotaExceeded);
    let refused = lifecycle::scale(&world.platform(), EVERYBODY, application.id, 2, Some(7)).await.unwrap_err();
    let Error::User(errors) = refused else { panic!("{refused:?}") };
    assert_eq!(errors[0].code, UserErrorCode::StaleVersion);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_application_runs_nothing_costs_nothing_and_can_be_started() {
    on_both(async |database| {
        let world = World::on(database).await;
        let agent = world.agent().await;
        let application = world.application("shop").await;
        world.deploy_live(application.id).await;
        let (_, operation) = lifecycle::stop(&world.platform(), EVERYBODY, application.id).await.unwrap();
        world.operation_is(operation.id, OperationStatus::Succeeded).await;
        let stopped = world.application_now(application.id).await;
        assert_eq!((stopped.status, stopped.stopped), (ApplicationStatus::Stopped, true));
        assert!(agent.containers_of(application.id).is_empty() && agent.route_of(application.id).is_empty());
        let open = slipway_store::usage::open(&mut world.database.db.read().await.unwrap()).await.unwrap();
        assert!(open.is_empty(), "{open:?}");
        assert!(lifecycle::stop(&world.platform(), EVERYBODY, application.id).await.is_err());

        let (_, operation) = lifecycle::start(&world.platform(), EVERYBODY, application.id).await.unwrap();
        world.operation_is(operation.id, OperationStatus::Succeeded).await;
        let started = world.application_now(application.id).await;
        assert_eq!((started.status, started.stopped), (ApplicationStatus::Running, false));
        assert_eq!(agent.tasks_begun().len(), 2, "nothing was built again");
        let open = slipway_store::usage::open(&mut world.database.db.read().await.unwrap()).await.unwrap();
        assert_eq!(open.len(), 1);
        world.check(&agent, application.id).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_replaces_every_instance_without_a_gap() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application_on("shop", "small", 2).await;
    world.deploy_live(application.id).await;
    let before: Vec<_> = world.serving(application.id).await.into_iter().map(|row| row.id).collect();
    let (_, operation) = lifecycle::restart(&world.platform(), EVERYBODY, application.id).await.unwrap();
    world.operation_is(operation.id, OperationStatus::Succeeded).await;
    let after: Vec<_> = world.serving(application.id).await.into_iter().map(|row| row.id).collect();
    assert_eq!(after.len(), 2);
    assert!(after.iter().all(|id| !before.contains(id)));
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_fails_keeps_what_ran() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    world.deploy_live(application.id).await;
    let before: Vec<_> = world.serving(application.id).await.into_iter().map(|row| row.id).collect();
    agent.behave(|behaviour| behaviour.becomes = InstanceStatus::Exited);
    let (_, operation) = lifecycle::restart(&world.platform(), EVERYBODY, application.id).await.unwrap();
    world.operation_is(operation.id, OperationStatus::Failed).await;
    let after: Vec<_> = world.serving(application.id).await.into_iter().map(|row| row.id).collect();
    assert_eq!(after, before);
    assert_eq!(world.application_now(application.id).await.status, ApplicationStatus::Running);
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_takes_everything_away_and_frees_the_slug() {
    on_both(async |database| {
        let world = World::on(database).await;
        let agent = world.agent().await;
        let application = world.application("shop").await;
        world.deploy_live(application.id).await;
        assert!(lifecycle::delete(&world.platform(), EVERYBODY, application.id, "other").await.is_err());
        let operation = lifecycle::delete(&world.platform(), EVERYBODY, application.id, "shop").await.unwrap();
        world.operation_is(operation.id, OperationStatus::Succeeded).await;
        assert!(agent.containers_of(application.id).is_empty() && agent.route_of(application.id).is_empty());
        world.eventually("no image is kept", async || agent.kept_images().is_empty().then_some(())).await;
        assert!(world.application_now(application.id).await.deleted_at.is_some());
        world.application("shop").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_calls_off_what_is_under_way() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    agent.behave(|behaviour| behaviour.holds_tasks = true);
    let (deployment, _) = world.deploy(application.id).await;
    world.deployment_is(deployment.id, DeploymentStatus::Building).await;
    let operation = lifecycle::delete(&world.platform(), EVERYBODY, application.id, "shop").await.unwrap();
    world.operation_is(operation.id, OperationStatus::Succeeded).await;
    assert_eq!(world.deployment(deployment.id).await.status, DeploymentStatus::Canceled);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_ends_for_good_leaves_the_route_and_its_bill() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application_on("shop", "small", 2).await;
    world.deploy_live(application.id).await;
    let serving = world.serving(application.id).await;
    agent.crash(serving[0].id);
    let degraded = world.application_is(application.id, ApplicationStatus::Degraded).await;
    assert_eq!(degraded.status_reason.as_deref(), Some("1 of 2 web instances are healthy."));
    world.eventually("the route leaves it out", async || (agent.route_of(application.id) == [serving[1].id]).then_some(())).await;
    agent.crash(serving[1].id);
    world.application_is(application.id, ApplicationStatus::Crashed).await;
    let open = slipway_store::usage::open(&mut world.database.db.read().await.unwrap()).await.unwrap();
    assert!(open.is_empty(), "{open:?}");
    assert!(world.event_kinds(application.id).await.ends_with(&["application.degraded".into(), "application.crashed".into()]));
    // And it can be helped up again.
    let (_, operation) = lifecycle::start(&world.platform(), EVERYBODY, application.id).await.unwrap();
    world.operation_is(operation.id, OperationStatus::Succeeded).await;
    assert_eq!(world.serving(application.id).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn use_is_charged_by_the_hour_once() {
    on_both(async |database| {
        let world = World::on(database).await;
        let agent = world.agent().await;
        let application = world.application("shop").await;
        world.deploy_live(application.id).await;
        let p = world.platform();
        let rate = world.instances(application.id).await[0].hourly_rate;
        world.clock.advance(chrono::TimeDelta::hours(3));
        let later = p.now();
        for _ in 0..2 {
            slipway_core::billing::rating::rate_due(&p, later).await.unwrap();
        }
        let (_, operation) = lifecycle::stop(&p, EVERYBODY, application.id).await.unwrap();
        world.operation_is(operation.id, OperationStatus::Succeeded).await;
        slipway_core::billing::rating::rate_due(&p, later).await.unwrap();
        let mut tx = world.database.db.read().await.unwrap();
        let from = later - chrono::TimeDelta::hours(9);
        let charged = slipway_store::ledger::charged(&mut tx, EVERYBODY, None, from, later).await.unwrap();
        assert_eq!(charged.iter().map(|row| row.amount.nanos()).collect::<Vec<_>>(), [3 * rate.nanos()]);
        // Nobody pays where billing is off.
        let balance = slipway_store::ledger::balance(&mut tx, EVERYBODY, application.organization_id).await.unwrap();
        assert_eq!(balance.nanos(), 0);
        drop(agent);
    })
    .await;
}
