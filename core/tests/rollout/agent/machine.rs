//! The pretended machine: containers that come up and serve, routes that come into force, and tasks that are done.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
};

use slipway_model::{
    ApplicationId, InstanceId, TaskId,
    state::{InstanceStatus, StepKind, StepStatus},
    system_clock,
};
use slipway_protocol::{
    BuildTask, DesiredState, LogLine, LogQuery, LogQueryId, ObservedInstance, ObservedRoute, ObservedState, Outcome, Samples, Task,
    TaskEvent, TaskEventKind, TaskSpec,
};

use super::Behaviour;

#[derive(Debug, Clone)]
pub(super) struct Container {
    pub(super) application: ApplicationId,
    pub(super) status: InstanceStatus,
    pub(super) env: BTreeMap<String, String>,
}

/// What a real agent keeps on disk, and the pretended machine.
#[derive(Default)]
pub(super) struct Record {
    pub(super) desired: DesiredState,
    pub(super) containers: BTreeMap<InstanceId, Container>,
    /// Application to revision and backends.
    pub(super) routes: HashMap<ApplicationId, (String, Vec<InstanceId>)>,
    pub(super) sequence: u64,
    pub(super) tasks: BTreeMap<TaskId, Vec<TaskEvent>>,
    /// How often each task was begun: once, however often it is sent.
    pub(super) begun: BTreeMap<TaskId, u32>,
    pub(super) canceled: Vec<TaskId>,
    /// What each instance wrote.
    pub(super) output: BTreeMap<InstanceId, Vec<LogLine>>,
    /// Open log queries, and how much of each instance was sent to each.
    pub(super) queries: BTreeMap<LogQueryId, (LogQuery, HashMap<InstanceId, usize>)>,
    pub(super) lost_requests: HashMap<ApplicationId, u32>,
    /// Measured and not sent yet.
    pub(super) samples: Vec<Samples>,
    pub(super) builds: Vec<BuildTask>,
}

/// Tasks that were taken and not begun: apart from the record only because they are not cloned.
pub(super) static PENDING: Mutex<BTreeMap<TaskId, Task>> = Mutex::new(BTreeMap::new());

/// One turn of the machine. `true`: something is to be observed.
pub(super) fn work(record: &mut Record, behaviour: &Behaviour) -> bool {
    if !behaviour.holds_tasks {
        let mine: Vec<TaskId> = record.tasks.keys().copied().collect();
        for id in mine {
            let Some(task) = PENDING.lock().unwrap().remove(&id) else { continue };
            *record.begun.entry(id).or_default() += 1;
            record.tasks.insert(id, perform(&task, behaviour));
            if let TaskSpec::Build(build) = task.spec {
                record.builds.push(build);
            }
        }
    }
    let before = format!("{:?}{:?}", record.containers, record.routes);
    for instance in &record.desired.instances {
        record.containers.entry(instance.id).or_insert_with(|| Container {
            application: instance.application,
            status: InstanceStatus::Created,
            env: instance.env.iter().map(|(key, value)| (key.to_string(), value.expose().to_owned())).collect(),
        });
    }
    for container in record.containers.values_mut() {
        container.status = match container.status {
            InstanceStatus::Created => InstanceStatus::Starting,
            InstanceStatus::Starting => behaviour.becomes,
            other => other,
        };
    }
    if !behaviour.holds_routes {
        let wanted: HashMap<ApplicationId, (String, Vec<InstanceId>)> =
            record.desired.routes.iter().map(|route| (route.application, (route.revision.clone(), route.instances.clone()))).collect();
        let served: Vec<ApplicationId> = record.routes.keys().copied().collect();
        for application in served {
            if !wanted.contains_key(&application) {
                record.routes.remove(&application);
            }
        }
        record.routes.extend(wanted);
    }
    // The route has left what is not wanted any more, or else the drain would wait.
    let routed: Vec<InstanceId> = record.routes.values().flat_map(|(_, backends)| backends.clone()).collect();
    let wanted: Vec<InstanceId> = record.desired.instances.iter().map(|instance| instance.id).collect();
    record.containers.retain(|id, _| wanted.contains(id) || routed.contains(id));
    // A visitor comes by at every turn.
    for (application, (_, backends)) in &record.routes {
        let is_served =
            backends.iter().all(|id| record.containers.get(id).is_some_and(|container| container.status == InstanceStatus::Healthy));
        if !is_served
            && !backends.is_empty()
            && !backends.iter().any(|id| record.containers.get(id).is_some_and(|c| c.status == InstanceStatus::Exited))
        {
            *record.lost_requests.entry(*application).or_default() += 1;
        }
    }
    before != format!("{:?}{:?}", record.containers, record.routes)
}

pub(super) fn observe(record: &mut Record, behaviour: &Behaviour) -> ObservedState {
    record.sequence += 1;
    let instances = record.containers.iter().map(|(id, container)| {
        let has_failed = container.status == InstanceStatus::Exited;
        ObservedInstance {
            id: *id,
            status: container.status,
            container_id: Some(format!("c-{id}")),
            address: Some("10.0.0.2:3000".into()),
            started_at: None,
            finished_at: None,
            exit_code: has_failed.then_some(1),
            oom_killed: false,
            restart_count: 0,
            reason: has_failed.then(|| "it ended 4 times in 5 minutes".into()),
            last_lines: if has_failed { vec!["Error: no such table".into()] } else { vec![] },
        }
    });
    let instances = instances.collect();
    let routes = record.routes.iter().map(|(application, (revision, _))| ObservedRoute {
        application: *application,
        revision_in_force: Some(revision.clone()),
        problem: None,
    });
    let ingress_problem = behaviour.ingress_problem.clone();
    ObservedState { generation: record.desired.generation, sequence: record.sequence, instances, routes: routes.collect(), ingress_problem }
}

fn perform(task: &Task, behaviour: &Behaviour) -> Vec<TaskEvent> {
    let step = |step, status| TaskEventKind::Step { step, status, message: None };
    let log = |line: &str| TaskEventKind::Log { lines: vec![line.to_owned()] };
    let (mut kinds, outcome) = match &task.spec {
        TaskSpec::Plan(_) => (
            vec![step(StepKind::FetchSource, StepStatus::Running), log("fetched"), step(StepKind::FetchSource, StepStatus::Succeeded)],
            match &behaviour.plan {
                Ok(plan) => Outcome::Planned {
                    plan: plan.clone(),
                    commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
                    commit_message: Some("Open the shop".into()),
                },
                Err(failure) => Outcome::Failed(failure.clone()),
            },
        ),
        TaskSpec::Build(build) => (
            vec![step(StepKind::Build, StepStatus::Running), log("building"), log("built")],
            match &behaviour.build {
                Ok(()) => built(build.image.clone()),
                Err(failure) => Outcome::Failed(failure.clone()),
            },
        ),
        TaskSpec::Pull(pull) => (vec![log("pulled")], built(pull.image.to_string())),
        TaskSpec::Run(_) => (vec![log("migrated")], Outcome::Ran { exit_code: behaviour.release_process_exits }),
    };
    kinds.push(TaskEventKind::Finished { outcome });
    let events = kinds.into_iter().zip(1..).map(|(event, sequence)| TaskEvent { task: task.id, sequence, at: system_clock().now(), event });
    events.collect()
}

fn built(image: String) -> Outcome {
    let (digest, exposed_ports, from_cache) = ("sha256:0".into(), vec![8000], Some(true));
    Outcome::Built { image, digest, image_bytes: 1 << 20, exposed_ports, log_truncated: false, from_cache }
}
