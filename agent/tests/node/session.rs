//! Sessions: identity, resume, tasks done once, events until they are acknowledged.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use slipway_agent::sim::{self, Builds};
use slipway_model::state::InstanceStatus;
use slipway_model::{
    ApplicationId, Clock, DeploymentId, HealthCheck, InstanceId, NodeId, OrganizationId, ReleaseId, Resources, TaskId, system_clock,
};
use slipway_protocol::{
    AgentMessage, CoreMessage, DesiredInstance, DesiredRoute, DesiredState, Outcome, PullTask, Task, TaskEventKind, TaskSpec, close,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::core::{PATIENCE, Peer, TinyCore, proves, quick};

struct Node {
    core: TinyCore,
    clock: Arc<dyn Clock>,
    folder: tempfile::TempDir,
    id: NodeId,
    key: ed25519_dalek::VerifyingKey,
    done: Arc<AtomicUsize>,
    takes: Duration,
}

struct Running {
    agent: Arc<sim::Agent>,
    stop: CancellationToken,
    handle: JoinHandle<()>,
}

impl Running {
    async fn stop(self) -> Arc<sim::Agent> {
        self.stop.cancel();
        self.handle.await.unwrap();
        self.agent
    }
}

impl Node {
    async fn new(takes: Duration) -> Self {
        let (core, clock, folder) = (TinyCore::new().await, system_clock(), tempfile::tempdir().unwrap());
        let (id, key) = core.enrolled(folder.path(), &*clock);
        Self { core, clock, folder, id, key, done: Arc::default(), takes }
    }

    fn builds(&self) -> Builds {
        let done = Arc::clone(&self.done);
        let outcome = move |_: &Task| {
            let number = done.fetch_add(1, Ordering::SeqCst);
            Outcome::Built {
                image: format!("image-{number}"),
                digest: "sha256:0".into(),
                image_bytes: 1,
                exposed_ports: vec![],
                log_truncated: false,
                from_cache: None,
            }
        };
        Builds { takes: self.takes, outcome: Arc::new(outcome) }
    }

    fn agent(&self) -> Arc<sim::Agent> {
        let folder: &Path = self.folder.path();
        Arc::new(sim::Agent::new(self.core.url.clone(), folder.to_owned(), "sim", quick(), self.builds(), Arc::clone(&self.clock)))
    }

    fn start(&self) -> Running {
        run(self.agent())
    }

    fn task(&self) -> Task {
        Task {
            id: TaskId::new(&*self.clock),
            organization: OrganizationId::new(&*self.clock),
            application: ApplicationId::new(&*self.clock),
            deployment: DeploymentId::new(&*self.clock),
            deadline: self.clock.now() + chrono::TimeDelta::hours(1),
            spec: TaskSpec::Pull(PullTask { image: "python:3.13-slim".parse().unwrap() }),
        }
    }

    fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }
}

fn run(agent: Arc<sim::Agent>) -> Running {
    let (stop, same) = (CancellationToken::new(), Arc::clone(&agent));
    let token = stop.clone();
    let handle = tokio::spawn(async move { same.run(token).await.unwrap() });
    Running { agent, stop, handle }
}

/// All events until the last, acknowledged or not; checks that there are no gaps.
async fn events_to_the_end(peer: &mut Peer, from: u64, acknowledge: bool) -> Vec<TaskEventKind> {
    let (mut events, mut next) = (Vec::new(), from);
    loop {
        let event = peer.event().await;
        if event.sequence < next {
            continue;
        }
        assert_eq!(event.sequence, next, "a gap");
        next += 1;
        if acknowledge {
            peer.send(CoreMessage::TaskAck { task: event.task, sequence: event.sequence }).await;
        }
        let last = matches!(event.event, TaskEventKind::Finished { .. });
        events.push(event.event);
        if last {
            return events;
        }
    }
}

#[tokio::test]
async fn a_session_begins_with_the_proof_of_identity_and_a_heartbeat() {
    let node = Node::new(Duration::ZERO).await;
    let running = node.start();
    let mut peer = node.core.socket().await;
    let nonce = "cd".repeat(32);
    let hello = peer.challenge(&nonce).await;
    assert_eq!(hello.node, node.id);
    assert!(proves(&hello, &node.key, &nonce) && !proves(&hello, &node.key, "another"));
    drop(peer);

    let (mut peer, hello) = node.core.session(&*node.clock).await;
    assert_eq!((hello.generation, hello.tasks.len()), (0, 0));
    let beat = peer.until(|message| if let AgentMessage::Heartbeat(beat) = message { Some(beat) } else { None }).await;
    assert!(beat.memory_total_bytes > 0 && beat.storage_total_bytes > 0);
    peer.until(|message| matches!(message, AgentMessage::Heartbeat(beat) if beat.docker_healthy).then_some(())).await;
    running.agent.engine.behave(|engine| engine.down = true);
    peer.until(|message| matches!(message, AgentMessage::Heartbeat(beat) if !beat.docker_healthy).then_some(())).await;
    running.stop().await;
}

#[tokio::test]
async fn an_unacknowledged_event_is_sent_again_over_a_new_connection_and_the_work_is_done_once() {
    let node = Node::new(Duration::from_millis(50)).await;
    let running = node.start();
    let task = node.task();
    let (mut peer, _) = node.core.session(&*node.clock).await;
    peer.send(CoreMessage::Task(task.clone())).await;
    let first = events_to_the_end(&mut peer, 1, false).await;
    assert_eq!(first.len(), 4, "{first:?}");
    drop(peer);

    let (mut peer, hello) = node.core.session(&*node.clock).await;
    assert_eq!(hello.tasks, [task.id]);
    peer.send(CoreMessage::Task(task.clone())).await;
    peer.send(CoreMessage::TaskAck { task: task.id, sequence: 2 }).await;
    let again = events_to_the_end(&mut peer, 1, false).await;
    assert_eq!(again, first);
    peer.send(CoreMessage::TaskAck { task: task.id, sequence: 4 }).await;
    peer.until(|message| matches!(message, AgentMessage::Heartbeat(_)).then_some(())).await;
    drop(peer);

    let (_peer, hello) = node.core.session(&*node.clock).await;
    assert_eq!(hello.tasks, [], "acknowledged to the end is over");
    assert_eq!(node.done(), 1);
    running.stop().await;
}

#[tokio::test]
async fn an_event_that_is_lost_is_sent_again_on_the_same_connection() {
    let node = Node::new(Duration::ZERO).await;
    let running = node.start();
    let (mut peer, _) = node.core.session(&*node.clock).await;
    peer.send(CoreMessage::Task(node.task())).await;
    let first = events_to_the_end(&mut peer, 1, false).await;
    assert_eq!(events_to_the_end(&mut peer, 1, true).await, first);
    running.stop().await;
}

#[tokio::test]
async fn a_late_duplicate_of_a_task_gets_the_stored_outcome() {
    let node = Node::new(Duration::ZERO).await;
    let running = node.start();
    let task = node.task();
    let (mut peer, _) = node.core.session(&*node.clock).await;
    peer.send(CoreMessage::Task(task.clone())).await;
    let first = events_to_the_end(&mut peer, 1, true).await;
    // Also for another process of the agent.
    tokio::time::sleep(Duration::from_millis(200)).await;
    running.stop().await;
    let running = node.start();
    let (mut peer, _) = node.core.session(&*node.clock).await;
    peer.send(CoreMessage::Task(task.clone())).await;
    let event = peer.event().await;
    assert_eq!((event.sequence, &event.event), (4, first.last().unwrap()));
    assert_eq!(node.done(), 1);
    running.stop().await;
}

#[tokio::test]
async fn an_unfinished_task_is_taken_up_by_the_next_agent_and_its_numbers_go_on() {
    let node = Node::new(Duration::from_secs(2)).await;
    let task = node.task();
    let running = node.start();
    let (mut peer, _) = node.core.session(&*node.clock).await;
    peer.send(CoreMessage::Task(task.clone())).await;
    for sequence in 1..=2 {
        assert_eq!(peer.event().await.sequence, sequence);
        peer.send(CoreMessage::TaskAck { task: task.id, sequence }).await;
    }
    peer.until(|message| matches!(message, AgentMessage::Heartbeat(_)).then_some(())).await;
    running.stop().await;

    let running = node.start();
    let (mut peer, hello) = node.core.session(&*node.clock).await;
    assert_eq!(hello.tasks, [task.id]);
    peer.send(CoreMessage::Task(task)).await;
    let rest = events_to_the_end(&mut peer, 3, true).await;
    assert!(matches!(rest.last(), Some(TaskEventKind::Finished { outcome: Outcome::Built { .. } })));
    assert_eq!(node.done(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_task_that_the_core_does_not_name_any_more_is_dropped() {
    let node = Node::new(Duration::from_secs(60)).await;
    let (wanted, unwanted) = (node.task(), node.task());
    let running = node.start();
    let (mut peer, _) = node.core.session(&*node.clock).await;
    for task in [&wanted, &unwanted] {
        peer.send(CoreMessage::Task(task.clone())).await;
        peer.until(|message| matches!(message, AgentMessage::Task(event) if event.task == task.id).then_some(())).await;
    }
    drop(peer);
    let (mut peer, hello) = node.core.session(&*node.clock).await;
    assert_eq!(hello.tasks.len(), 2);
    peer.send(CoreMessage::Task(wanted.clone())).await;
    let since = std::time::Instant::now();
    while since.elapsed() < Duration::from_secs(3) {
        peer.next().await;
    }
    drop(peer);
    let (_peer, hello) = node.core.session(&*node.clock).await;
    assert_eq!(hello.tasks, [wanted.id]);
    running.stop().await;
}

#[tokio::test]
async fn a_canceled_task_and_one_past_its_deadline_end_soon() {
    let node = Node::new(Duration::from_secs(60)).await;
    let running = node.start();
    let (mut peer, _) = node.core.session(&*node.clock).await;
    let task = node.task();
    peer.send(CoreMessage::Task(task.clone())).await;
    peer.event().await;
    peer.send(CoreMessage::CancelTask { task: task.id }).await;
    let events = events_to_the_end(&mut peer, 2, true).await;
    assert_eq!(events.last(), Some(&TaskEventKind::Finished { outcome: Outcome::Canceled }));

    let mut late = node.task();
    late.deadline = node.clock.now() + chrono::TimeDelta::milliseconds(500);
    peer.send(CoreMessage::Task(late.clone())).await;
    let outcome = peer
        .until(|message| match message {
            AgentMessage::Task(event) if event.task == late.id => match event.event {
                TaskEventKind::Finished { outcome } => Some(outcome),
                _ => None,
            },
            _ => None,
        })
        .await;
    assert!(matches!(&outcome, Outcome::Failed(failure) if failure.code == "TIMED_OUT"), "{outcome:?}");
    running.stop().await;
}

/// F4, and R7: messages lost and repeated at random; each task is done once, no event is missing, and never more than two at once.
#[tokio::test]
async fn tasks_over_a_bad_line_are_each_done_once() {
    const TASKS: usize = 60;
    let node = Node::new(Duration::ZERO).await;
    let running = node.start();
    let tasks: Vec<Task> = (0..TASKS).map(|_| node.task()).collect();
    let mut stored: BTreeMap<TaskId, (u64, Option<Outcome>)> = tasks.iter().map(|task| (task.id, (0, None))).collect();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut chance = move |percent: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % 100 < percent
    };
    let whole = tokio::time::Instant::now();
    while stored.values().any(|(_, outcome)| outcome.is_none()) {
        assert!(whole.elapsed() < PATIENCE * 6, "{} are not done", stored.values().filter(|(_, outcome)| outcome.is_none()).count());
        let (mut peer, _) = node.core.session(&*node.clock).await;
        for task in tasks.iter().filter(|task| stored[&task.id].1.is_none()) {
            for _ in 0..if chance(30) { 2 } else { 1 } {
                peer.send(CoreMessage::Task(task.clone())).await;
            }
        }
        // Until the connection is cut.
        while !chance(1) && stored.values().any(|(_, outcome)| outcome.is_none()) {
            let AgentMessage::Task(event) = peer.next().await.unwrap() else { continue };
            if chance(30) {
                continue;
            }
            let (sequence, outcome) = stored.get_mut(&event.task).unwrap();
            if event.sequence == *sequence + 1 {
                *sequence += 1;
                if let TaskEventKind::Finished { outcome: end } = event.event {
                    assert!(outcome.replace(end).is_none());
                }
            }
            if *sequence > 0 && !chance(30) {
                peer.send(CoreMessage::TaskAck { task: event.task, sequence: *sequence }).await;
            }
        }
    }
    assert_eq!(node.done(), TASKS);
    assert!(stored.values().all(|(sequence, _)| *sequence == 4));
    running.stop().await;
}

#[tokio::test]
async fn a_refused_identity_is_not_tried_again_soon() {
    let node = Node::new(Duration::ZERO).await;
    let running = node.start();
    node.core.socket().await.close(close::IDENTITY_REFUSED).await;
    assert!(node.core.is_left_alone(Duration::from_secs(3)).await);
    running.stop().await;
}

#[tokio::test]
async fn an_agent_says_nothing_to_a_core_of_another_authority() {
    let node = Node::new(Duration::ZERO).await;
    // It is told the impostor's address, and believes the real one's authority.
    let node = Node { core: TinyCore::new().await, ..node };
    let running = node.start();
    let met = tokio::time::timeout(Duration::from_secs(2), node.core.socket()).await;
    assert!(met.is_err(), "a session began with an impostor");
    running.stop().await;
}

#[tokio::test]
async fn desired_state_takes_effect_is_reported_and_survives_and_an_older_one_does_not() {
    let node = Node::new(Duration::ZERO).await;
    let running = node.start();
    let (mut peer, _) = node.core.session(&*node.clock).await;
    let state = desired(&node, 5);
    let (instance, route) = (state.instances[0].id, state.routes[0].clone());
    peer.send(CoreMessage::Desired(state.clone())).await;
    peer.send(CoreMessage::Desired(DesiredState { generation: 4, ..DesiredState::default() })).await;
    let in_force = async |peer: &mut Peer| {
        peer.until(|message| match message {
            AgentMessage::Observed(seen) => {
                let healthy = seen.instances.iter().any(|seen| seen.id == instance && seen.status == InstanceStatus::Healthy);
                let routed = seen.routes.iter().any(|seen| seen.revision_in_force.as_ref() == Some(&route.revision));
                (healthy && routed).then_some(seen)
            }
            _ => None,
        })
        .await
    };
    let before = in_force(&mut peer).await;
    assert_eq!(before.generation, 5);
    assert!(running.agent.ingress.text("app.toml").unwrap().contains("http://10.0.0.2:3000"));
    drop(peer);
    let agent = running.stop().await;
    assert_eq!(agent.engine.running().len(), 1, "applications go on without the agent");

    let running = run(agent);
    let (mut peer, hello) = node.core.session(&*node.clock).await;
    assert_eq!(hello.generation, 5);
    let after = in_force(&mut peer).await;
    assert!(after.sequence > before.sequence, "late news must not pass for new");
    assert_eq!(after.instances[0].started_at, before.instances[0].started_at, "it was not started again");
    running.stop().await;
}

fn desired(node: &Node, generation: u64) -> DesiredState {
    let clock = &*node.clock;
    let (id, application) = (InstanceId::new(clock), ApplicationId::new(clock));
    let instance = DesiredInstance {
        id,
        application,
        organization: OrganizationId::new(clock),
        deployment: DeploymentId::new(clock),
        release: ReleaseId::new(clock),
        process: "web".into(),
        image: "image".into(),
        command: None,
        env: BTreeMap::new(),
        port: Some(3000),
        resources: Resources::default(),
        health: HealthCheck::default(),
        stop_grace_seconds: 1,
        drain_seconds: 1,
        restart: slipway_model::state::RestartPolicy::Always,
    };
    let route = DesiredRoute {
        application,
        revision: "rev-1".into(),
        file: "app.toml".into(),
        content: format!("[http.services.a.loadBalancer]\nservers = [{{ url = \"http://@{id}@:3000\" }}]\n"),
        hostname: "a.example.com".parse().unwrap(),
        instances: vec![id],
    };
    DesiredState { generation, instances: vec![instance], routes: vec![route], keep_images: Vec::new(), proxy: None }
}

#[tokio::test]
async fn a_renewed_key_is_shown_with_the_next_session_and_survives_a_restart() {
    let node = Node::new(Duration::ZERO).await;
    let agent = node.start();
    let (mut peer, _) = node.core.session(&*node.clock).await;
    peer.send(CoreMessage::RenewKey).await;
    let (public_key, signature) = peer
        .until(|message| if let AgentMessage::NextKey { public_key, signature } = message { Some((public_key, signature)) } else { None })
        .await;
    let bytes: [u8; 32] = hex::decode(&public_key).unwrap().try_into().unwrap();
    let next = ed25519_dalek::VerifyingKey::from_bytes(&bytes).unwrap();
    let proof = ed25519_dalek::Signature::from_slice(&hex::decode(signature).unwrap()).unwrap();
    assert!(next.verify_strict(&slipway_protocol::renewal_payload(&public_key, node.id), &proof).is_ok());

    // Nobody said that it is kept: the present one is shown.
    peer.close(1001).await;
    let mut peer = node.core.socket().await;
    let hello = peer.challenge(&"cd".repeat(32)).await;
    assert!(proves(&hello, &node.key, &"cd".repeat(32)) && !proves(&hello, &next, &"cd".repeat(32)));
    drop(peer);
    let (mut peer, _) = node.core.session(&*node.clock).await;
    peer.send(CoreMessage::NextKeyKept { public_key: "00".repeat(32) }).await;
    peer.send(CoreMessage::NextKeyKept { public_key }).await;
    let mut peer = node.core.socket().await;
    let hello = peer.challenge(&"ef".repeat(32)).await;
    assert!(proves(&hello, &next, &"ef".repeat(32)) && !proves(&hello, &node.key, &"ef".repeat(32)));
    agent.stop().await;
    let _agent = node.start();
    let mut peer = node.core.socket().await;
    let hello = peer.challenge(&"01".repeat(32)).await;
    assert!(proves(&hello, &next, &"01".repeat(32)));
}
