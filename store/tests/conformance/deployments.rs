//! Deployments, their steps and logs, and what they lead to: releases and instances.

use slipway_model::{
    Viewer,
    state::{DeploymentStatus, InstanceStatus, StepKind, StepStatus},
};
use slipway_store::{
    Page, StoreError, applications, build_logs,
    deployments::{self, Deployment},
    instances::{self, Instance},
    releases,
};
use slipway_store_testing::on_both;

use crate::world::World;

const PLATFORM: &Viewer = &Viewer::Platform;

#[tokio::test]
async fn deployments_are_numbered_within_their_application() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let application = world.insert_application(&mut tx, "shop").await;
        for number in 1..=3 {
            assert_eq!(deployments::next_number(&mut tx, application.id).await.unwrap(), number);
            deployments::insert(&mut tx, &world.deployment(&application, number)).await.unwrap();
        }
        let other = world.insert_application(&mut tx, "blog").await;
        assert_eq!(deployments::next_number(&mut tx, other.id).await.unwrap(), 1);
        assert!(matches!(deployments::insert(&mut tx, &world.deployment(&application, 3)).await, Err(StoreError::Conflict)));
    })
    .await;
}

#[tokio::test]
async fn what_a_deployment_comes_to_is_written() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let rollout = world.rollout(&mut tx, "shop", 1).await;
        let changed = Deployment {
            status: DeploymentStatus::Failed,
            status_reason: Some("it broke".into()),
            failure: Some(serde_json::json!({"code": "X"})),
            commit_sha: Some("abc".into()),
            commit_message: Some("a change".into()),
            release_id: Some(rollout.release.id),
            node_id: Some(rollout.node.id),
            plan: Some(serde_json::json!({"version": 1})),
            plan_digest: Some("d".into()),
            tool_lock: Some(serde_json::json!({})),
            attempt: 2,
            started_at: Some(world.later(1)),
            finished_at: Some(world.later(2)),
            ..rollout.deployment
        };
        deployments::update(&mut tx, &changed).await.unwrap();
        assert_eq!(deployments::find(&mut tx, &world.viewer, changed.id).await.unwrap().as_ref(), Some(&changed));
        let page = Page::default();
        for (statuses, expected) in [(None, 1), (Some(&[DeploymentStatus::Failed][..]), 1), (Some(&[DeploymentStatus::Live][..]), 0)] {
            let ids = [changed.application_id];
            let listed = deployments::of_each_application(&mut tx, &world.viewer, &ids, statuses, &page).await.unwrap();
            assert_eq!(listed[&changed.application_id].items.len(), expected);
            if let Some(statuses) = statuses {
                assert_eq!(deployments::in_states(&mut tx, changed.application_id, statuses).await.unwrap().len(), expected);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn steps_begin_and_end_once() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let id = world.rollout(&mut tx, "shop", 1).await.deployment.id;
        let steps = deployments::steps(&mut tx, PLATFORM, id).await.unwrap();
        assert_eq!(steps.iter().map(|step| step.kind).collect::<Vec<_>>(), StepKind::ALL);
        assert!(steps.iter().all(|step| step.status == StepStatus::Pending));

        deployments::begin_step(&mut tx, id, StepKind::Schedule, Some("looking"), world.later(1)).await.unwrap();
        deployments::begin_step(&mut tx, id, StepKind::Schedule, None, world.later(2)).await.unwrap();
        deployments::end_step(&mut tx, id, StepKind::Schedule, StepStatus::Succeeded, None, world.later(3)).await.unwrap();
        deployments::end_step(&mut tx, id, StepKind::Schedule, StepStatus::Failed, Some("late"), world.later(4)).await.unwrap();
        deployments::begin_step(&mut tx, id, StepKind::Build, None, world.later(5)).await.unwrap();
        deployments::end_steps(&mut tx, id, StepStatus::Failed, StepStatus::Skipped, Some("no"), world.later(6)).await.unwrap();

        let steps = deployments::steps_of(&mut tx, PLATFORM, &[id]).await.unwrap().remove(&id).unwrap();
        let of = |kind| steps.iter().find(|step| step.kind == kind).unwrap();
        let schedule = of(StepKind::Schedule);
        assert_eq!((schedule.status, schedule.message.as_deref()), (StepStatus::Succeeded, Some("looking")));
        assert_eq!((schedule.started_at, schedule.finished_at), (Some(world.later(1)), Some(world.later(3))));
        assert_eq!((of(StepKind::Build).status, of(StepKind::Build).finished_at), (StepStatus::Failed, Some(world.later(6))));
        assert_eq!((of(StepKind::Detect).status, of(StepKind::Detect).started_at), (StepStatus::Skipped, None));
    })
    .await;
}

#[tokio::test]
async fn a_log_is_read_on_from_any_line() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let id = world.rollout(&mut tx, "shop", 1).await.deployment.id;
        assert_eq!(build_logs::last_number(&mut tx, id).await.unwrap(), 0);
        let lines: Vec<String> = (1..=5).map(|n| format!("line {n}")).collect();
        build_logs::append(&mut tx, id, None, world.now(), &lines[..2]).await.unwrap();
        build_logs::append(&mut tx, id, None, world.now(), &lines[2..]).await.unwrap();
        build_logs::append(&mut tx, id, None, world.now(), &[]).await.unwrap();
        assert_eq!(build_logs::last_number(&mut tx, id).await.unwrap(), 5);
        for (after, most, expected) in [(0, 10, &lines[..]), (2, 2, &lines[2..4]), (5, 10, &[]), (0, i64::MAX, &lines[..])] {
            let read = build_logs::after(&mut tx, &world.viewer, id, after, most).await.unwrap();
            assert_eq!(read.iter().map(|line| line.message.clone()).collect::<Vec<_>>(), expected);
        }
        let ends = build_logs::ends_of(&mut tx, &world.viewer, &[id], 3).await.unwrap();
        assert_eq!(ends[&id].iter().map(|line| line.message.clone()).collect::<Vec<_>>(), &lines[2..]);
        build_logs::append(&mut tx, id, None, world.now(), &["ä".to_owned()]).await.unwrap();
        let unlogged = slipway_model::DeploymentId::new(&world.clock);
        let sizes = build_logs::sizes_of(&mut tx, &world.viewer, &[id, unlogged]).await.unwrap();
        assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [(id, 5 * 7 + 3)], "in bytes, with the ends of lines");
    })
    .await;
}

#[tokio::test]
async fn the_newest_releases_and_the_current_one_keep_their_images() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let rollout = world.rollout(&mut tx, "shop", 1).await;
        let (application, node) = (rollout.application.id, rollout.node.id);
        let mut all = vec![rollout.release.clone()];
        for number in 2..=4 {
            assert_eq!(releases::next_number(&mut tx, application).await.unwrap(), number);
            let release = world.release(&rollout.deployment, &rollout.node, number);
            releases::insert(&mut tx, &release).await.unwrap();
            all.push(release);
        }
        assert_eq!(releases::find(&mut tx, &world.viewer, all[2].id).await.unwrap().as_ref(), Some(&all[2]));
        let newest = releases::newest(&mut tx, application, 2).await.unwrap();
        assert_eq!(newest, [all[3].clone(), all[2].clone()]);
        let images = |of: &[usize]| of.iter().map(|index| all[*index].image.clone()).collect::<Vec<_>>();
        assert_eq!(releases::images_to_keep(&mut tx, node, 2).await.unwrap(), images(&[2, 3]));
        applications::set_current(&mut tx, PLATFORM, application, all[0].id, rollout.deployment.id).await.unwrap();
        assert_eq!(releases::images_to_keep(&mut tx, node, 2).await.unwrap(), images(&[0, 2, 3]));
        applications::delete(&mut tx, PLATFORM, application, world.later(1)).await.unwrap();
        assert_eq!(releases::images_to_keep(&mut tx, node, 2).await.unwrap(), images(&[]));
    })
    .await;
}

#[tokio::test]
async fn an_instance_is_observed_routed_and_retired() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let rollout = world.rollout(&mut tx, "shop", 1).await;
        let second = world.instance(&rollout.release, &rollout.node, 1);
        instances::insert(&mut tx, &second).await.unwrap();
        let (node, application) = (rollout.node.id, rollout.application.id);
        let ids = [rollout.instance.id, second.id];
        let desired = instances::desired_of(&mut tx, PLATFORM, application).await.unwrap();
        assert_eq!(desired.iter().map(|instance| instance.id).collect::<Vec<_>>(), ids);
        assert_eq!(instances::desired_on(&mut tx, node).await.unwrap().len(), 2);
        assert_eq!(instances::on_each(&mut tx, PLATFORM, &[node], &Page::default()).await.unwrap()[&node].items.len(), 2);

        let seen = Instance {
            status: InstanceStatus::Exited,
            status_reason: Some("it ended".into()),
            container_id: Some("c".into()),
            address: Some("172.17.0.2".into()),
            exit_code: Some(137),
            restart_count: 3,
            last_lines: Some(vec!["killed\0".into()]),
            started_at: Some(world.later(1)),
            stopped_at: Some(world.later(2)),
            ..second
        };
        instances::observe(&mut tx, &seen).await.unwrap();
        let kept = instances::find(&mut tx, &world.viewer, seen.id).await.unwrap().unwrap();
        assert_eq!(kept, Instance { last_lines: Some(vec!["killed\u{fffd}".into()]), ..seen });

        instances::set_routed(&mut tx, &ids, true).await.unwrap();
        let routed = instances::routed_on(&mut tx, node).await.unwrap();
        assert_eq!(routed.len(), 2);
        assert!(routed.iter().all(|routed| ids.contains(&routed.id) && routed.slug.as_str() == "shop" && routed.port == Some(8080)));

        instances::retire(&mut tx, &ids[1..]).await.unwrap();
        instances::set_routed(&mut tx, &ids[1..], true).await.unwrap();
        assert_eq!(instances::routed_on(&mut tx, node).await.unwrap().len(), 1, "what is retired gets no route");
        let open = instances::open_on(&mut tx, node).await.unwrap();
        assert_eq!(open.iter().map(|instance| instance.id).collect::<Vec<_>>(), ids[..1], "what ended and is not wanted is done with");
        instances::set_routed(&mut tx, &[], false).await.unwrap();
        instances::retire(&mut tx, &[]).await.unwrap();
        assert_eq!(instances::desired_on(&mut tx, node).await.unwrap().len(), 1, "none named, none touched");
    })
    .await;
}
