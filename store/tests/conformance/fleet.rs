//! Nodes, how they come to be, and what they are given to do.

use slipway_model::{
    ApplicationId, EnrollmentTokenId, NodeId, Resources, TaskId,
    state::{NodeStatus, TaskStatus},
};
use slipway_store::{
    Page, StoreError,
    enrollment_tokens::{self, EnrollmentToken},
    instances,
    nodes::{self, Facts, Vitals},
    operations,
    routes::{self, ObservedRoute},
    tasks::{self, Task},
};
use slipway_store_testing::on_both;

use crate::world::World;

#[tokio::test]
async fn a_node_is_found_and_listed() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let mut node = world.node(1);
        nodes::insert(&mut tx, &node).await.unwrap();
        nodes::insert(&mut tx, &world.node(2)).await.unwrap();
        assert_eq!(nodes::with_public_key(&mut tx, &[1; 32]).await.unwrap().as_ref(), Some(&node));
        assert_eq!(nodes::with_public_key(&mut tx, &[3; 32]).await.unwrap(), None);
        assert_eq!(nodes::by_ids(&mut tx, &[node.id, NodeId::new(&world.clock)]).await.unwrap().len(), 1);
        assert_eq!(nodes::all(&mut tx).await.unwrap().len(), 2);
        assert_eq!(nodes::in_region(&mut tx, world.region.id).await.unwrap().len(), 2);
        let page = Page::default();
        assert_eq!(nodes::list(&mut tx, Some(world.region.id), Some(&[NodeStatus::Online]), &page).await.unwrap().items.len(), 2);
        assert_eq!(nodes::list(&mut tx, None, Some(&[NodeStatus::Offline]), &page).await.unwrap().items.len(), 0);
        let nowhere = slipway_model::RegionId::new(&world.clock);
        let standing = nodes::of_each_region(&mut tx, &[world.region.id, nowhere], &Page::first(1)).await.unwrap();
        let there = &standing[&world.region.id];
        assert!(there.items.len() == 1 && there.has_next && standing.get(&nowhere).is_none_or(|slice| slice.items.is_empty()));
        node.name = "renamed".into();
        node.cordoned = true;
        node.labels = serde_json::json!({"a": "b"});
        assert!(nodes::update(&mut tx, &node).await.unwrap());
        assert_eq!(nodes::find(&mut tx, node.id).await.unwrap(), Some(node));
        assert!(matches!(nodes::insert(&mut tx, &world.node(2)).await, Err(StoreError::Conflict)), "a key is one node's");
    })
    .await;
}

#[tokio::test]
async fn a_session_begins_ahead_of_whatever_the_agent_has() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let node = world.node(1);
        nodes::insert(&mut tx, &node).await.unwrap();
        let facts = |generation| Facts {
            agent_version: Some("1".into()),
            docker_version: Some("20".into()),
            resources: Resources { cpu_millis: 2000, memory_bytes: 2, storage_bytes: 3 },
            generation,
            ..Facts::default()
        };
        for (theirs, ours) in [(0, 1), (7, 8), (3, 8)] {
            assert!(nodes::hello(&mut tx, node.id, &facts(theirs), NodeStatus::Online, world.later(1)).await.unwrap());
            assert_eq!(nodes::find(&mut tx, node.id).await.unwrap().unwrap().generation, ours);
        }
        nodes::bump_generation(&mut tx, node.id).await.unwrap();
        assert!(nodes::observed(&mut tx, node.id, 9, 5).await.unwrap());
        nodes::set_ingress_problem(&mut tx, node.id, Some("it has no nginx")).await.unwrap();
        assert!(!nodes::observed(&mut tx, node.id, 8, 4).await.unwrap(), "late news");
        let seen = nodes::find(&mut tx, node.id).await.unwrap().unwrap();
        assert_eq!((seen.generation, seen.observed_generation, seen.observed_sequence), (9, 9, 5));
        assert_eq!(seen.ingress_problem.as_deref(), Some("it has no nginx"));
        assert_eq!(nodes::bump_all_generations(&mut tx).await.unwrap(), [node.id]);
        assert_eq!(nodes::find(&mut tx, node.id).await.unwrap().unwrap().generation, 10);
        assert!(nodes::hello(&mut tx, node.id, &facts(0), NodeStatus::Online, world.later(2)).await.unwrap());
        assert!(nodes::observed(&mut tx, node.id, 9, 1).await.unwrap(), "a session numbers anew");
        nodes::set_ingress_problem(&mut tx, node.id, None).await.unwrap();
        assert_eq!(nodes::find(&mut tx, node.id).await.unwrap().unwrap().ingress_problem, None);
    })
    .await;
}

#[tokio::test]
async fn a_silent_node_is_noticed_and_a_revoked_one_ignored() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let node = world.node(1);
        nodes::insert(&mut tx, &node).await.unwrap();
        let vitals = Vitals { cpu_percent: 12.5, containers: 3, docker_healthy: true, clock_skew_ms: -4, ..Vitals::default() };
        assert!(nodes::heartbeat(&mut tx, node.id, &vitals, NodeStatus::Online, world.later(30)).await.unwrap());
        let seen = nodes::find(&mut tx, node.id).await.unwrap().unwrap();
        assert_eq!((seen.cpu_percent, seen.containers, seen.clock_skew_ms), (12.5, 3, Some(-4)));
        assert_eq!(nodes::silent_since(&mut tx, world.later(30)).await.unwrap(), []);
        assert_eq!(nodes::silent_since(&mut tx, world.later(31)).await.unwrap().len(), 1);
        assert!(nodes::set_status(&mut tx, node.id, NodeStatus::Offline, world.later(90)).await.unwrap());
        assert_eq!(nodes::silent_since(&mut tx, world.later(99)).await.unwrap(), [], "it is known");

        assert!(nodes::revoke(&mut tx, node.id, world.later(99)).await.unwrap());
        assert!(!nodes::revoke(&mut tx, node.id, world.later(99)).await.unwrap());
        assert!(!nodes::heartbeat(&mut tx, node.id, &vitals, NodeStatus::Online, world.later(100)).await.unwrap());
        assert!(!nodes::hello(&mut tx, node.id, &Facts::default(), NodeStatus::Online, world.later(100)).await.unwrap());
        assert!(!nodes::set_status(&mut tx, node.id, NodeStatus::Online, world.later(100)).await.unwrap());
        assert!(nodes::delete(&mut tx, node.id).await.unwrap());
        assert!(!nodes::delete(&mut tx, node.id).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_nodes_key_is_renewed_in_two_steps() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let node = world.node(1);
        nodes::insert(&mut tx, &node).await.unwrap();
        assert!(!nodes::promote_key(&mut tx, node.id, &[9; 32], world.now()).await.unwrap(), "nobody made that one");
        assert!(nodes::set_next_key(&mut tx, node.id, &[8; 32]).await.unwrap());
        assert!(nodes::set_next_key(&mut tx, node.id, &[9; 32]).await.unwrap());
        let seen = nodes::find(&mut tx, node.id).await.unwrap().unwrap();
        assert_eq!((seen.public_key, seen.next_public_key), (node.public_key.clone(), Some(vec![9; 32])));
        assert!(!nodes::promote_key(&mut tx, node.id, &[8; 32], world.now()).await.unwrap(), "it made another since");
        assert!(nodes::promote_key(&mut tx, node.id, &[9; 32], world.now()).await.unwrap());
        let seen = nodes::find(&mut tx, node.id).await.unwrap().unwrap();
        assert_eq!((seen.public_key, seen.next_public_key), (vec![9; 32], None));
        assert!(nodes::revoke(&mut tx, node.id, world.now()).await.unwrap());
        assert!(!nodes::set_next_key(&mut tx, node.id, &[7; 32]).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn what_should_run_on_a_node_is_promised() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let rollout = world.rollout(&mut tx, "shop", 1).await;
        let second = world.instance(&rollout.release, &rollout.node, 1);
        instances::insert(&mut tx, &second).await.unwrap();
        let allocated = nodes::allocated(&mut tx, &[rollout.node.id]).await.unwrap()[&rollout.node.id];
        assert_eq!((allocated.resources.cpu_millis, allocated.instances), (1000, 2));
        instances::retire(&mut tx, &[rollout.instance.id, second.id]).await.unwrap();
        assert!(nodes::allocated(&mut tx, &[rollout.node.id]).await.unwrap().is_empty());
        assert!(matches!(nodes::delete(&mut tx, rollout.node.id).await, Err(StoreError::Reference)), "its history is kept");
    })
    .await;
}

#[tokio::test]
async fn an_enrollment_token_is_spent_once() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let node = world.node(1);
        nodes::insert(&mut tx, &node).await.unwrap();
        let token = |digest: u8| EnrollmentToken {
            id: EnrollmentTokenId::new(&world.clock),
            region_id: world.region.id,
            token_digest: vec![digest; 32],
            prefix: "abc".into(),
            node_name: None,
            expires_at: world.later(60),
            used_at: None,
            used_by: None,
            revoked_at: None,
            created_by: Some(world.owner.id),
            created_at: world.now(),
        };
        let [spent, revoked] = [token(1), token(2)];
        enrollment_tokens::insert(&mut tx, &spent).await.unwrap();
        enrollment_tokens::insert(&mut tx, &revoked).await.unwrap();
        assert_eq!(enrollment_tokens::valid(&mut tx, &[1; 32], world.now()).await.unwrap().as_ref(), Some(&spent));
        assert_eq!(enrollment_tokens::valid(&mut tx, &[1; 32], world.later(60)).await.unwrap(), None);
        assert!(!enrollment_tokens::spend(&mut tx, spent.id, node.id, world.later(60)).await.unwrap(), "too late");
        assert!(enrollment_tokens::spend(&mut tx, spent.id, node.id, world.later(1)).await.unwrap());
        assert!(!enrollment_tokens::spend(&mut tx, spent.id, node.id, world.later(1)).await.unwrap());
        assert_eq!(enrollment_tokens::by_ids(&mut tx, &[spent.id]).await.unwrap()[&spent.id].id, spent.id);
        assert_eq!(enrollment_tokens::find(&mut tx, spent.id).await.unwrap().unwrap().used_by, Some(node.id));
        assert!(enrollment_tokens::revoke(&mut tx, revoked.id, world.later(1)).await.unwrap());
        assert!(!enrollment_tokens::revoke(&mut tx, spent.id, world.later(1)).await.unwrap());
        assert!(!enrollment_tokens::spend(&mut tx, revoked.id, node.id, world.later(1)).await.unwrap());
        assert_eq!(enrollment_tokens::list(&mut tx, &Page::default()).await.unwrap().items.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_tasks_events_are_counted_once_and_in_order() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let rollout = world.rollout(&mut tx, "shop", 1).await;
        operations::insert(&mut tx, &rollout.operation).await.unwrap();
        let task = rollout.task;
        tasks::insert(&mut tx, &task).await.unwrap();
        assert_eq!(tasks::find(&mut tx, task.id).await.unwrap().as_ref(), Some(&task));
        for (sequence, counted) in [(2, false), (1, true), (1, false), (2, true)] {
            assert_eq!(tasks::count_event(&mut tx, task.id, sequence).await.unwrap(), counted, "event {sequence}");
        }
        assert_eq!(tasks::unfinished_of_node(&mut tx, task.node_id).await.unwrap()[0].status, TaskStatus::Running);
        let outcome = serde_json::json!({"result": "canceled"});
        assert!(tasks::finish(&mut tx, task.id, TaskStatus::Succeeded, &outcome, world.later(1)).await.unwrap());
        assert!(!tasks::finish(&mut tx, task.id, TaskStatus::Failed, &outcome, world.later(2)).await.unwrap());
        assert!(!tasks::count_event(&mut tx, task.id, 3).await.unwrap(), "it has ended");
        assert_eq!(tasks::unfinished_of_node(&mut tx, task.node_id).await.unwrap(), []);
        let built = tasks::build_outcomes_of(&mut tx, &world.viewer, &[task.deployment_id]).await.unwrap();
        assert_eq!(built.get(&task.deployment_id), Some(&outcome));
        let built_task = Task {
            id: TaskId::new(&world.clock),
            status: TaskStatus::Failed,
            outcome: Some(serde_json::json!({"result": "failed"})),
            created_at: world.later(1),
            finished_at: Some(world.later(2)),
            operation_id: None,
            ..task.clone()
        };
        tasks::insert(&mut tx, &built_task).await.unwrap();
        let built = tasks::build_outcomes_of(&mut tx, &world.viewer, &[task.deployment_id]).await.unwrap();
        assert_eq!(built.get(&task.deployment_id), built_task.outcome.as_ref(), "of the last");
        let second = Task { id: TaskId::new(&world.clock), ..task.clone() };
        tasks::insert(&mut tx, &second).await.unwrap();
        let canceled = tasks::cancel_of_operation(&mut tx, rollout.operation.id, world.later(3)).await.unwrap();
        assert_eq!(canceled, [task.node_id], "what had ended stays as it is");
        let all = tasks::of_deployment(&mut tx, task.deployment_id).await.unwrap();
        let mut statuses: Vec<_> = all.iter().map(|task| task.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [TaskStatus::Succeeded, TaskStatus::Failed, TaskStatus::Canceled]);
    })
    .await;
}

#[tokio::test]
async fn of_observed_routes_only_changes_are_news() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let world = World::new(&mut tx, "acme").await;
        let node = world.node(1);
        nodes::insert(&mut tx, &node).await.unwrap();
        let [a, b] = [0, 1].map(|_| ApplicationId::new(&world.clock));
        let route = |application_id, revision: &str| ObservedRoute {
            node_id: node.id,
            application_id,
            revision_in_force: Some(revision.into()),
            problem: None,
        };
        let (first, second) = ([route(a, "1"), route(b, "1")], [route(a, "2")]);
        assert_eq!(routes::replace(&mut tx, node.id, &first).await.unwrap(), [a, b]);
        assert_eq!(routes::replace(&mut tx, node.id, &first).await.unwrap(), []);
        assert_eq!(routes::replace(&mut tx, node.id, &second).await.unwrap(), [a, b]);
        assert_eq!(routes::find(&mut tx, node.id, a).await.unwrap().as_ref(), Some(&second[0]));
        assert_eq!(routes::find(&mut tx, node.id, b).await.unwrap(), None);
    })
    .await;
}
