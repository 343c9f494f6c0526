//! What agents report. A node speaks of its own tasks and instances alone: anything else is refused and rings an alarm (F22).

use std::collections::{BTreeSet, HashMap, HashSet};

use data_encoding::HEXLOWER_PERMISSIVE;
use ed25519_dalek::{Signature, VerifyingKey};
use slipway_model::{
    ApplicationId, InstanceId, NodeId, Resources, Viewer,
    state::{InstanceStatus, NodeStatus, StepKind, StepStatus, TaskStatus},
};
use slipway_protocol::{Heartbeat, Hello, ObservedState, Outcome, Samples, TaskEvent, TaskEventKind, renewal_payload};
use slipway_store::{
    applications, build_logs, deployments,
    instances::{self, Instance},
    nodes::{self, Facts, Node, Vitals},
    operations,
    routes::{self, ObservedRoute},
    tasks,
};
use tokio::time::Instant;

use crate::{
    Platform,
    changes::Changed,
    error::{Error, Result},
    events, instances as rules, metrics, placement,
};

/// Heartbeats that come faster are not written.
const HEARTBEAT_WRITES: std::time::Duration = std::time::Duration::from_secs(10);
/// Of one session: what goes on and on is known by then.
const MAX_ALARMS: u32 = 20;
/// Of a reason that a node gives.
const MAX_SENTENCE_BYTES: usize = 1000;
/// Of one line of a build log.
const MAX_LINE_BYTES: usize = 16 * 1024;

/// Samples that come faster than this are not taken: the series are no finer.
const SAMPLES: std::time::Duration = std::time::Duration::from_millis(500);

/// What one session remembers to write less.
#[derive(Debug, Default)]
pub(super) struct Pace {
    written: Option<(Instant, NodeStatus)>,
    sampled: Option<Instant>,
    alarms: u32,
}

/// Something that should not happen: logged, and kept for administrators.
pub(super) async fn alarm(p: &Platform, node: NodeId, kind: &str, message: &str) {
    tracing::error!(%node, kind, message, "alarm");
    let recorded = async {
        let mut tx = p.db.begin().await?;
        events::record_platform(&mut tx, p, node.to_string(), kind, message.to_owned()).await?;
        tx.commit().await?;
        p.changes.publish(None, Changed::Events);
        Ok::<(), Error>(())
    };
    if let Err(error) = recorded.await {
        tracing::error!(%node, error = format!("{error:?}"), "an alarm could not be kept");
    }
}

/// Keeps the key that a node has made, if it proves to have it.
pub(super) async fn next_key(p: &Platform, node: NodeId, public_key: &str, signature: &str) -> Result<bool> {
    let bytes = |text: &str| HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
    let key = bytes(public_key).and_then(|bytes| VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok());
    let signature = bytes(signature).and_then(|bytes| Signature::from_slice(&bytes).ok());
    let (Some(key), Some(signature)) = (key, signature) else { return Ok(false) };
    if key.verify_strict(&renewal_payload(public_key, node), &signature).is_err() {
        return Ok(false);
    }
    let mut tx = p.db.begin().await?;
    if !nodes::set_next_key(&mut tx, node, key.as_bytes()).await? {
        return Err(Error::NotFound);
    }
    tx.commit().await?;
    Ok(true)
}

/// A node has come with its new key: the old one opens nothing any more.
pub(super) async fn key_renewed(p: &Platform, node: &Node) -> Result<()> {
    let key = node.next_public_key.as_deref().unwrap_or_default();
    let mut tx = p.db.begin().await?;
    if !nodes::promote_key(&mut tx, node.id, key, p.now()).await? {
        return Err(Error::NotFound);
    }
    let message = format!("Node {} uses another key; the one before is worth nothing.", node.name);
    events::record_platform(&mut tx, p, node.id.to_string(), "node.key_renewed", message).await?;
    tx.commit().await?;
    p.changes.publish(None, Changed::Node(node.id));
    Ok(())
}

pub(super) async fn hello(p: &Platform, node: NodeId, hello: &Hello) -> Result<()> {
    let facts = &hello.facts;
    let facts = Facts {
        agent_version: Some(facts.agent_version.clone()),
        docker_version: facts.docker_version.clone(),
        kernel_version: facts.kernel_version.clone(),
        public_address: facts.public_address.clone(),
        resources: Resources { cpu_millis: facts.cpu_millis, memory_bytes: facts.memory_bytes, storage_bytes: facts.storage_bytes },
        // An agent that has more than we have would ignore everything we say.
        generation: i64::try_from(hello.generation).unwrap_or(i64::MAX - 1),
    };
    let mut tx = p.db.begin().await?;
    let Some(before) = nodes::find(&mut tx, node).await? else { return Err(Error::NotFound) };
    let ahead = if facts.generation > before.generation { facts.generation } else { -1 };
    if !nodes::hello(&mut tx, node, &Facts { generation: ahead, ..facts }, NodeStatus::Online, p.now()).await? {
        return Err(Error::NotFound);
    }
    if matches!(before.status, NodeStatus::Pending | NodeStatus::Offline) {
        events::record_platform(&mut tx, p, node.to_string(), "node.online", format!("Node {} is connected.", before.name)).await?;
    }
    tx.commit().await?;
    p.changes.publish(None, Changed::Node(node));
    p.wake.wake();
    Ok(())
}

impl Pace {
    async fn alarm(&mut self, p: &Platform, node: NodeId, kind: &str, message: &str) {
        self.alarms += 1;
        if self.alarms <= MAX_ALARMS {
            alarm(p, node, kind, message).await;
        }
    }

    pub(super) async fn samples(&mut self, p: &Platform, node: NodeId, samples: Samples) -> Result<()> {
        if self.sampled.is_some_and(|at| at.elapsed() < SAMPLES) {
            return Ok(());
        }
        self.sampled = Some(Instant::now());
        let foreign = metrics::take_in(p, node, samples).await?;
        if !foreign.is_empty() {
            let ids: Vec<String> = foreign.iter().map(ToString::to_string).collect();
            let message = format!("The node measured instances that are not its own: {}.", ids.join(", "));
            self.alarm(p, node, "node.foreign_instance", &message).await;
        }
        Ok(())
    }

    pub(super) async fn heartbeat(&mut self, p: &Platform, node: NodeId, heartbeat: &Heartbeat) -> Result<()> {
        let status = condition(heartbeat);
        if self.written.is_some_and(|(at, before)| at.elapsed() < HEARTBEAT_WRITES && before == status) {
            return Ok(());
        }
        let now = p.now();
        let vitals = Vitals {
            cpu_percent: heartbeat.cpu_percent,
            memory_used_bytes: heartbeat.memory_used_bytes,
            memory_bytes: heartbeat.memory_total_bytes,
            storage_used_bytes: heartbeat.storage_used_bytes,
            storage_bytes: heartbeat.storage_total_bytes,
            containers: heartbeat.containers.into(),
            docker_healthy: heartbeat.docker_healthy,
            clock_skew_ms: (heartbeat.at - now).num_milliseconds(),
        };
        let mut tx = p.db.begin().await?;
        let Some(before) = nodes::find(&mut tx, node).await? else { return Err(Error::NotFound) };
        if !nodes::heartbeat(&mut tx, node, &vitals, status, now).await? {
            return Err(Error::NotFound);
        }
        if let Some(message) = alert(&before, status, heartbeat) {
            let kind = format!("node.{status}");
            events::record_platform(&mut tx, p, node.to_string(), &kind, message).await?;
        }
        tx.commit().await?;
        self.written = Some((Instant::now(), status));
        p.changes.publish(None, Changed::Node(node));
        Ok(())
    }
}

/// At 90 % of its memory or storage a node is degraded (R4.4), and so it is without its engine. A busy processor is not: a single
/// build keeps it busy, and what is slow for a while does not fail. Placement only prefers others to it.
fn condition(heartbeat: &Heartbeat) -> NodeStatus {
    let is_full = placement::is_full(heartbeat.memory_used_bytes, heartbeat.memory_total_bytes)
        || placement::is_full(heartbeat.storage_used_bytes, heartbeat.storage_total_bytes);
    if is_full || !heartbeat.docker_healthy { NodeStatus::Degraded } else { NodeStatus::Online }
}

fn alert(before: &Node, status: NodeStatus, heartbeat: &Heartbeat) -> Option<String> {
    if before.status == status {
        return None;
    }
    let name = &before.name;
    Some(match status {
        NodeStatus::Degraded if !heartbeat.docker_healthy => format!("The Docker engine of node {name} does not answer."),
        NodeStatus::Degraded => format!("Node {name} is at {} % of its memory or storage or more.", placement::FULL_PERCENT),
        _ => format!("Node {name} is {status}."),
    })
}

/// Applies a whole observation, unless it is late news.
pub(super) async fn observed(pace: &mut Pace, p: &Platform, node: NodeId, seen: ObservedState) -> Result<()> {
    let viewer = &Viewer::Platform;
    let now = p.now();
    // Whose rows are taken is known before any is: applications first, in order, as everybody takes them.
    let mut tx = p.db.read().await?;
    let named: Vec<InstanceId> = seen.instances.iter().map(|instance| instance.id).collect();
    let known = instances::by_ids(&mut tx, viewer, &named).await?;
    let open = instances::open_on(&mut tx, node).await?;
    drop(tx);
    let foreign: Vec<InstanceId> = named.iter().filter(|id| known.get(id).is_none_or(|row| row.node_id != node)).copied().collect();
    if !foreign.is_empty() {
        let ids: Vec<String> = foreign.iter().map(ToString::to_string).collect();
        pace.alarm(p, node, "node.foreign_instance", &format!("The node reported instances that are not its own: {}.", ids.join(", ")))
            .await;
    }
    let mine = known.values().filter(|row| row.node_id == node).chain(&open);
    let applications: BTreeSet<ApplicationId> = mine.map(|row| row.application_id).collect();

    let mut tx = p.db.begin().await?;
    for id in &applications {
        applications::lock(&mut tx, viewer, *id).await?;
    }
    let generation = i64::try_from(seen.generation).unwrap_or(i64::MAX);
    if !nodes::observed(&mut tx, node, generation, i64::try_from(seen.sequence).unwrap_or(i64::MAX)).await? {
        return Ok(());
    }
    let Some(row) = nodes::find(&mut tx, node).await? else { return Err(Error::NotFound) };
    let is_way_in_news = ingress_changed(&mut tx, p, &row, seen.ingress_problem.as_deref().map(shortened)).await?;
    let by_id: HashMap<InstanceId, _> = seen.instances.iter().map(|instance| (instance.id, instance)).collect();
    let mut rows: HashMap<InstanceId, Instance> = instances::by_ids(&mut tx, viewer, &named).await?;
    rows.extend(instances::open_on(&mut tx, node).await?.into_iter().map(|row| (row.id, row)));
    let mut news = News::default();
    for old in rows.into_values().filter(|old| old.node_id == node && applications.contains(&old.application_id)) {
        let new = match by_id.get(&old.id) {
            Some(instance) => rules::observe(&old, instance, row.clock_skew_ms, now),
            // The node has done everything it should, and has no such container any more.
            None if !old.desired && !old.status.is_terminal() && generation >= row.generation => {
                Some(Instance { status: InstanceStatus::Stopped, stopped_at: Some(now), ..old.clone() })
            }
            None => None,
        };
        let Some(new) = new else { continue };
        rules::record(&mut tx, p, &old, &new).await?;
        news.applications.insert(new.application_id);
        news.instances.push(new);
    }
    let told: Vec<ObservedRoute> = seen
        .routes
        .into_iter()
        .filter(|route| applications.contains(&route.application))
        .map(|route| ObservedRoute {
            node_id: node,
            application_id: route.application,
            revision_in_force: route.revision_in_force,
            problem: route.problem,
        })
        .collect();
    let rerouted = routes::replace(&mut tx, node, &told).await?;
    news.applications.extend(rerouted.into_iter().filter(|id| applications.contains(id)));
    if is_way_in_news {
        // Whatever waits for a route there need not wait.
        news.applications.extend(&applications);
    }
    let is_touched = give_up(&mut tx, &news).await?;
    if is_touched {
        nodes::bump_generation(&mut tx, node).await?;
    }
    let changed: Vec<ApplicationId> = news.applications.iter().copied().collect();
    operations::nudge(&mut tx, &changed, now).await?;
    for id in &changed {
        rules::refresh_status(&mut tx, p, *id).await?;
    }
    let is_news = !changed.is_empty();
    if is_news {
        p.crash.reach("observed.before_commit").await;
    }
    tx.commit().await?;
    if is_news {
        p.crash.reach("observed.after_commit").await;
    }
    for instance in &news.instances {
        p.changes.publish(Some(instance.organization_id), Changed::Instance(instance.id));
        p.changes.publish(Some(instance.organization_id), Changed::Application(instance.application_id));
    }
    if is_way_in_news {
        p.changes.publish(None, Changed::Node(node));
        p.changes.publish(None, Changed::Events);
    }
    if is_touched {
        p.fleet.nudge(node);
    }
    if is_news || is_way_in_news {
        p.wake.wake();
    }
    Ok(())
}

/// Records that no visitor can come in at a node any more, or that they can again, and tells administrators. `false`: it is as it was.
async fn ingress_changed(tx: &mut slipway_store::Tx, p: &Platform, node: &Node, problem: Option<&str>) -> Result<bool> {
    if node.ingress_problem.as_deref() == problem {
        return Ok(false);
    }
    nodes::set_ingress_problem(tx, node.id, problem).await?;
    let (kind, message) = match problem {
        Some(problem) => ("node.ingress_unusable", format!("No visitor can come in at node {}: {problem}.", node.name)),
        None => ("node.ingress_usable", format!("Visitors can come in at node {} again.", node.name)),
    };
    events::record_platform(tx, p, node.id.to_string(), kind, message).await?;
    Ok(true)
}

/// A sentence of a node's, as long as a sentence is.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_SENTENCE_BYTES)]
}

#[derive(Default)]
struct News {
    applications: BTreeSet<ApplicationId>,
    instances: Vec<Instance>,
}

/// An instance that serves and has ended for good is given up: it leaves the route, and its node need not keep it (R12).
async fn give_up(tx: &mut slipway_store::Tx, news: &News) -> Result<bool> {
    let mut given_up = Vec::new();
    for instance in news.instances.iter().filter(|row| row.desired && row.status == InstanceStatus::Exited) {
        let coming: HashSet<InstanceId> = rules::coming(tx, instance.application_id).await?.into_iter().collect();
        if !coming.contains(&instance.id) {
            given_up.push(instance.id);
        }
    }
    instances::retire(tx, &given_up).await?;
    Ok(!given_up.is_empty())
}

/// Stores one event of a task, once and in its turn. Gives the sequence number up to which the agent may forget.
pub(super) async fn task_event(pace: &mut Pace, p: &Platform, node: NodeId, event: TaskEvent) -> Result<Option<u64>> {
    let Some(known) = tasks::find(&mut p.db.read_once().await?, event.task).await?.filter(|task| task.node_id == node) else {
        let message = format!("The node reported on task {}, which is not its own.", event.task);
        pace.alarm(p, node, "node.foreign_task", &message).await;
        return Ok(None);
    };
    let now = p.now();
    let sequence = i64::try_from(event.sequence).unwrap_or(i64::MAX);
    let mut tx = p.db.begin().await?;
    applications::lock(&mut tx, &Viewer::Platform, known.application_id).await?;
    if !tasks::count_event(&mut tx, known.id, sequence).await? {
        drop(tx);
        let Some(stored) = tasks::find(&mut p.db.read_once().await?, known.id).await? else { return Ok(None) };
        // Of what has ended, nothing more is wanted.
        return Ok(Some(if stored.status.is_terminal() { event.sequence } else { stored.last_sequence.unsigned_abs() }));
    }
    let deployment = known.deployment_id;
    let mut changed = vec![Changed::Deployment(deployment)];
    let mut is_finished = false;
    match event.event {
        TaskEventKind::Step { step, status, message } => {
            if matches!(step, StepKind::FetchSource | StepKind::Detect | StepKind::Build | StepKind::Release) {
                let message = message.map(|text| clean(&text));
                match status {
                    StepStatus::Pending => {}
                    StepStatus::Running => deployments::begin_step(&mut tx, deployment, step, message.as_deref(), now).await?,
                    ended => deployments::end_step(&mut tx, deployment, step, ended, message.as_deref(), now).await?,
                }
            }
        }
        TaskEventKind::Log { lines } => {
            let lines: Vec<String> = lines.iter().map(|line| clean(line)).collect();
            build_logs::append(&mut tx, deployment, Some(known.id), now, &lines).await?;
            changed = vec![Changed::BuildLog(deployment)];
        }
        TaskEventKind::Finished { outcome } => {
            let status = match &outcome {
                Outcome::Failed(_) => TaskStatus::Failed,
                Outcome::Canceled => TaskStatus::Canceled,
                Outcome::Planned { .. } | Outcome::Built { .. } | Outcome::Ran { .. } => TaskStatus::Succeeded,
            };
            let stored = serde_json::to_value(&outcome).map_err(|error| Error::internal(anyhow::Error::from(error)))?;
            tasks::finish(&mut tx, known.id, status, &stored, now).await?;
            operations::nudge(&mut tx, &[known.application_id], now).await?;
            is_finished = true;
        }
    }
    p.crash.reach("task_event.before_commit").await;
    tx.commit().await?;
    p.crash.reach("task_event.after_commit").await;
    for what in changed {
        p.changes.publish(Some(known.organization_id), what);
    }
    if is_finished {
        p.wake.wake();
    }
    Ok(Some(event.sequence))
}

/// A line as it is kept: of bounded length, without what a database's text cannot hold.
fn clean(line: &str) -> String {
    let mut end = line.len().min(MAX_LINE_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    line[..end].replace('\0', "\u{fffd}")
}
