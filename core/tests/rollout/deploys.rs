//! What becomes of a deployment.

use slipway_buildpack_wit::ProcessKind;
use slipway_core::{
    Error, UserErrorCode,
    deployments::{self, DeployRequest, DeploySource, request},
};
use slipway_model::{
    ImageRef,
    state::{ApplicationStatus, DeploymentStatus, InstanceStatus, OperationStatus, StepKind, StepStatus},
};
use slipway_protocol::TaskFailure;
use slipway_store_testing::on_both;

use crate::{
    agent::{Behaviour, plan, process},
    world::{EVERYBODY, World, deploy},
};

#[tokio::test(flavor = "multi_thread")]
async fn source_becomes_a_running_application() {
    on_both(async |database| {
        let world = World::on(database).await;
        let agent = world.agent().await;
        let application = world.application("shop").await;
        let deployment = world.deploy_live(application.id).await;

        let application = world.application_now(application.id).await;
        assert_eq!(application.status, ApplicationStatus::Running);
        assert_eq!(application.current_deployment_id, Some(deployment.id));
        assert_eq!(application.current_release_id, deployment.release_id);
        assert_eq!(deployment.commit_message.as_deref(), Some("Open the shop"));
        let serving = world.serving(application.id).await;
        assert_eq!(serving.len(), 1);
        assert_eq!(agent.route_of(application.id), [serving[0].id]);
        assert_eq!(agent.env_of(serving[0].id)["PORT"], "3000");
        assert_eq!(agent.env_of(serving[0].id)["SLIPWAY_APPLICATION"], "shop");
        let lock = application.tool_lock.clone().unwrap();
        assert_eq!(lock["node"]["constraint"], "22");
        let log = world.build_log(deployment.id).await;
        assert_eq!(log.first().map(String::as_str), Some("fetched"));
        assert!(log.contains(&"built".to_owned()), "{log:?}");
        let steps =
            slipway_store::deployments::steps(&mut world.platform().db.read().await.unwrap(), EVERYBODY, deployment.id).await.unwrap();
        for step in &steps {
            let expected = if step.kind == StepKind::Release { StepStatus::Skipped } else { StepStatus::Succeeded };
            assert_eq!(step.status, expected, "{:?}", step.kind);
        }
        assert_eq!(world.event_kinds(application.id).await, ["application.created", "deployment.requested", "deployment.live"]);
        assert_eq!(agent.tasks_begun(), [1, 1]);
        world.check(&agent, application.id).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_deployment_takes_over_without_a_gap() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application_on("shop", "small", 2).await;
    let first = world.deploy_live(application.id).await;
    let second = world.deploy_live(application.id).await;
    assert_eq!(world.deployment(first.id).await.status, DeploymentStatus::Superseded);
    let serving = world.serving(application.id).await;
    assert_eq!(serving.len(), 2);
    assert!(serving.iter().all(|row| row.deployment_id == second.id));
    assert!(
        world
            .instances(application.id)
            .await
            .iter()
            .filter(|row| row.deployment_id == first.id)
            .all(|row| row.status == InstanceStatus::Stopped)
    );
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_constraint_keeps_its_version() {
    let world = World::new().await;
    let _agent = world.agent().await;
    let application = world.application("shop").await;
    world.deploy_live(application.id).await;
    // As if the default had moved on since.
    let mut lock = world.application_now(application.id).await.tool_lock.unwrap();
    lock["node"]["version"] = "22.0.1".into();
    let mut tx = world.database.db.begin().await.unwrap();
    slipway_store::applications::set_tool_lock(&mut tx, EVERYBODY, application.id, &lock).await.unwrap();
    tx.commit().await.unwrap();
    let again = world.deploy_live(application.id).await;
    assert_eq!(again.tool_lock.unwrap()["node"]["version"], "22.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_build_says_why_and_changes_nothing_for_visitors() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    let first = world.deploy_live(application.id).await;
    let failure = TaskFailure { exit_code: Some(2), ..TaskFailure::new("BUILD_COMMAND_FAILED", "`npm run build` ended with exit code 2.") };
    agent.behave(|behaviour| behaviour.build = Err(failure.clone()));
    let (second, operation) = world.deploy(application.id).await;
    let second = world.deployment_is(second.id, DeploymentStatus::Failed).await;
    assert_eq!(deployments::failure(&second), Some(failure.clone()));
    assert_eq!(second.status_reason.as_deref(), Some(failure.message.as_str()));
    assert_eq!(world.operation_is(operation.id, OperationStatus::Failed).await.error, Some(failure.message));
    let steps = slipway_store::deployments::steps(&mut world.platform().db.read().await.unwrap(), EVERYBODY, second.id).await.unwrap();
    let status = |kind| steps.iter().find(|step| step.kind == kind).unwrap().status;
    assert_eq!(status(StepKind::Build), StepStatus::Failed);
    assert_eq!(status(StepKind::HealthCheck), StepStatus::Skipped);
    let now = world.application_now(application.id).await;
    assert_eq!((now.status, now.current_deployment_id), (ApplicationStatus::Running, Some(first.id)));
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_dies_keeps_the_old_release_and_its_last_words() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    let first = world.deploy_live(application.id).await;
    agent.behave(|behaviour| behaviour.becomes = InstanceStatus::Exited);
    let (second, _) = world.deploy(application.id).await;
    let second = world.deployment_is(second.id, DeploymentStatus::Failed).await;
    let failure = deployments::failure(&second).unwrap();
    assert_eq!((failure.code.as_str(), failure.exit_code), ("INSTANCE_EXITED", Some(1)));
    let mut tx = world.platform().db.read().await.unwrap();
    let log = slipway_store::build_logs::ends_of(&mut tx, EVERYBODY, &[second.id], 50).await.unwrap().remove(&second.id);
    let page = slipway_store::Page::default();
    let mut brought = slipway_store::instances::of_each_deployment(&mut tx, EVERYBODY, &[second.id], &page).await.unwrap();
    let brought = brought.remove(&second.id).unwrap().items;
    assert_eq!(deployments::last_lines(brought, log.unwrap_or_default()), ["Error: no such table"]);
    drop(tx);
    assert!(world.build_log(second.id).await.contains(&"Error: no such table".to_owned()));
    let serving = world.serving(application.id).await;
    assert!(serving.iter().all(|row| row.deployment_id == first.id) && serving.len() == 1);
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_deployment_that_fails_leaves_a_crashed_application() {
    let world = World::new().await;
    let refusal = TaskFailure::new("NO_BUILDPACK", "Nothing here looks like an application.");
    let agent = world.agent_that(Behaviour { plan: Err(refusal.clone()), ..Behaviour::default() }).await;
    let application = world.application("shop").await;
    let (deployment, _) = world.deploy(application.id).await;
    assert_eq!(world.application_now(application.id).await.status, ApplicationStatus::Deploying);
    world.deployment_is(deployment.id, DeploymentStatus::Failed).await;
    let now = world.application_is(application.id, ApplicationStatus::Crashed).await;
    assert_eq!(now.status_reason, Some(refusal.message));
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_process_runs_before_anything_starts_and_can_block_it() {
    let world = World::new().await;
    let mut with_release = plan();
    with_release.fragment.processes.push(process("release", ProcessKind::Release));
    let agent = world.agent_that(Behaviour { plan: Ok(with_release), ..Behaviour::default() }).await;
    let application = world.application("shop").await;
    let first = world.deploy_live(application.id).await;
    assert!(world.build_log(first.id).await.contains(&"migrated".to_owned()));
    agent.behave(|behaviour| behaviour.release_process_exits = 3);
    let (second, _) = world.deploy(application.id).await;
    let second = world.deployment_is(second.id, DeploymentStatus::Failed).await;
    assert_eq!(deployments::failure(&second).unwrap().exit_code, Some(3));
    assert!(world.instances(application.id).await.iter().all(|row| row.deployment_id == first.id), "nothing was started");
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_run_beside_the_web_process_without_a_route() {
    let world = World::new().await;
    let mut with_worker = plan();
    with_worker.fragment.processes.push(process("mailer", ProcessKind::Worker));
    let agent = world.agent_that(Behaviour { plan: Ok(with_worker), ..Behaviour::default() }).await;
    let application = world.application_on("shop", "small", 2).await;
    world.deploy_live(application.id).await;
    let rows = world.instances(application.id).await;
    let mut processes: Vec<_> = rows.iter().map(|row| (row.process.as_str(), row.instance_index, row.routed)).collect();
    processes.sort_unstable();
    assert_eq!(processes, [("mailer", 0, false), ("web", 0, true), ("web", 1, true)]);
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ready_image_is_pulled_and_not_built() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    let mut tx = world.database.db.begin().await.unwrap();
    let image: ImageRef = "nginx:1.27".parse().unwrap();
    let source = Some(slipway_model::Source::Image(slipway_model::ImageSource { image: image.clone() }));
    let changed = slipway_store::applications::Application { source, version: 2, ..application.clone() };
    slipway_store::applications::update(&mut tx, EVERYBODY, &changed, 1).await.unwrap();
    tx.commit().await.unwrap();
    let fresh = DeployRequest { source: Some(DeploySource::Image(image.clone())), fresh: true, ..deploy(application.id) };
    let Err(Error::User(errors)) = request(&world.platform(), EVERYBODY, fresh).await else { panic!("an image is not built") };
    assert_eq!(errors[0].path, ["clearCache"]);
    let ask = DeployRequest { source: Some(DeploySource::Image(image)), ..deploy(application.id) };
    let (deployment, _) = request(&world.platform(), EVERYBODY, ask).await.unwrap();
    world.deployment_is(deployment.id, DeploymentStatus::Live).await;
    let serving = world.serving(application.id).await;
    assert_eq!(agent.env_of(serving[0].id)["PORT"], "8000", "the port that the image exposes");
    assert!(agent.kept_images().contains(&"nginx:1.27".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_runtime_is_refused_with_that_reason() {
    let world = World::new().await;
    let _agent = world.agent().await;
    let application = world.application("shop").await;
    world.platform().plugins.get("runtime-node").unwrap().set_enabled(false);
    let (deployment, _) = world.deploy(application.id).await;
    let deployment = world.deployment_is(deployment.id, DeploymentStatus::Failed).await;
    assert_eq!(deployments::failure(&deployment).unwrap().code, "RUNTIME_DISABLED");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsatisfiable_constraint_is_the_plugins_own_refusal() {
    let world = World::new().await;
    let mut distant = plan();
    distant.fragment.tools[0].constraint = ">=99".into();
    let _agent = world.agent_that(Behaviour { plan: Ok(distant), ..Behaviour::default() }).await;
    let application = world.application("shop").await;
    let (deployment, _) = world.deploy(application.id).await;
    let failure = deployments::failure(&world.deployment_is(deployment.id, DeploymentStatus::Failed).await).unwrap();
    assert_eq!(failure.file.as_deref(), Some("package.json"));
    assert!(failure.message.contains(">=99"), "{failure:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_the_refusal_names_the_node_and_what_it_lacks() {
    let world = World::new().await;
    let _agent = world.agent().await;
    let application = world.application_on("shop", "large", 5).await;
    let (deployment, _) = world.deploy(application.id).await;
    let deployment = world.deployment_is(deployment.id, DeploymentStatus::Failed).await;
    let failure = deployments::failure(&deployment).unwrap();
    assert_eq!(failure.code, "INSUFFICIENT_CAPACITY");
    assert_eq!(failure.message, "No node of this region has room: node-a has 4000 CPU millicores free of the 10000 needed.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_deployment_takes_its_traces_with_it() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    let first = world.deploy_live(application.id).await;
    agent.behave(|behaviour| behaviour.holds_tasks = true);
    let (second, operation) = world.deploy(application.id).await;
    world.deployment_is(second.id, DeploymentStatus::Building).await;
    let canceled = deployments::cancel(&world.platform(), EVERYBODY, second.id).await.unwrap();
    assert_eq!(canceled.status, DeploymentStatus::Canceled);
    world.operation_is(operation.id, OperationStatus::Canceled).await;
    world.eventually("the agent is told", async || (agent.canceled_tasks() == 1).then_some(())).await;
    let refused = deployments::cancel(&world.platform(), EVERYBODY, second.id).await.unwrap_err();
    let Error::User(errors) = refused else { panic!("{refused:?}") };
    assert_eq!(errors[0].code, UserErrorCode::InvalidState);
    let now = world.application_now(application.id).await;
    assert_eq!((now.status, now.current_deployment_id), (ApplicationStatus::Running, Some(first.id)));
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn once_the_switch_has_begun_it_is_too_late_to_cancel() {
    let world = World::new().await;
    let agent = world.agent_that(Behaviour { holds_routes: true, ..Behaviour::default() }).await;
    let application = world.application("shop").await;
    let (deployment, _) = world.deploy(application.id).await;
    world.deployment_is(deployment.id, DeploymentStatus::Swapping).await;
    assert!(deployments::cancel(&world.platform(), EVERYBODY, deployment.id).await.is_err());
    agent.behave(|behaviour| behaviour.holds_routes = false);
    world.deployment_is(deployment.id, DeploymentStatus::Live).await;
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_request_takes_the_place_of_one_that_waits() {
    let world = World::new().await;
    let agent = world.agent_that(Behaviour { holds_tasks: true, ..Behaviour::default() }).await;
    let application = world.application("shop").await;
    let (first, _) = world.deploy(application.id).await;
    world.deployment_is(first.id, DeploymentStatus::Building).await;
    let (second, _) = world.deploy(application.id).await;
    let (third, _) = world.deploy(application.id).await;
    assert_eq!(world.deployment(second.id).await.status, DeploymentStatus::Superseded);
    agent.behave(|behaviour| behaviour.holds_tasks = false);
    world.deployment_is(third.id, DeploymentStatus::Live).await;
    assert_eq!(world.deployment(first.id).await.status, DeploymentStatus::Superseded);
    world
        .eventually("it is over", async || {
            let mut tx = world.database.db.read().await.unwrap();
            slipway_store::operations::unfinished_of(&mut tx, application.id).await.unwrap().is_empty().then_some(())
        })
        .await;
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_brings_the_image_and_the_variables_of_then() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    let first = world.deploy_live(application.id).await;
    let second = world.deploy_live(application.id).await;
    let (back, operation) = deployments::rollback(&world.platform(), EVERYBODY, first.id, None).await.unwrap();
    let back = world.deployment_is(back.id, DeploymentStatus::Live).await;
    world.operation_is(operation.id, OperationStatus::Succeeded).await;
    assert_eq!((back.release_id, back.rollback_of, back.number), (first.release_id, Some(first.id), 3));
    assert_eq!(world.application_now(application.id).await.current_release_id, first.release_id);
    assert_eq!(world.deployment(second.id).await.status, DeploymentStatus::Superseded);
    assert_eq!(agent.tasks_begun().len(), 4, "nothing was built again");
    world.check(&agent, application.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gives_the_same_deployment_and_another_input_a_conflict() {
    let world = World::new().await;
    let _agent = world.agent_that(Behaviour { holds_tasks: true, ..Behaviour::default() }).await;
    let application = world.application("shop").await;
    let ask = || DeployRequest { idempotency_key: Some("k1".into()), ..deploy(application.id) };
    let (one, _) = request(&world.platform(), EVERYBODY, ask()).await.unwrap();
    let (two, _) = request(&world.platform(), EVERYBODY, ask()).await.unwrap();
    assert_eq!(one.id, two.id);
    let other = DeployRequest { source: Some(DeploySource::Commit("a".repeat(40))), ..ask() };
    let Err(Error::User(errors)) = request(&world.platform(), EVERYBODY, other).await else { panic!("a conflict") };
    assert_eq!(errors[0].code, UserErrorCode::Conflict);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_without_cache_begins_the_caches_of_those_after_it() {
    let world = World::new().await;
    let agent = world.agent().await;
    let application = world.application("shop").await;
    world.deploy_live(application.id).await;
    let ask = DeployRequest { fresh: true, ..deploy(application.id) };
    let (fresh, _) = request(&world.platform(), EVERYBODY, ask).await.unwrap();
    world.deployment_is(fresh.id, DeploymentStatus::Live).await;
    world.deploy_live(application.id).await;
    let builds: Vec<_> = agent.builds().into_iter().map(|build| (build.fresh, build.caches_since)).collect();
    assert_eq!(builds, [(false, None), (true, Some(fresh.id)), (false, Some(fresh.id))]);

    let key = || DeployRequest { idempotency_key: Some("k".into()), ..deploy(application.id) };
    request(&world.platform(), EVERYBODY, key()).await.unwrap();
    let Err(Error::User(errors)) = request(&world.platform(), EVERYBODY, DeployRequest { fresh: true, ..key() }).await else {
        panic!("a conflict")
    };
    assert_eq!(errors[0].code, UserErrorCode::Conflict, "it is another request");
}
