//! How a change of what runs proceeds: a function from what is recorded and observed to what is done next. No I/O.
//!
//! One machine serves deploy, rollback, restart, start, stop, scale and delete; they differ in where they begin, how the release is
//! had, and which instances come and go. What holds at every moment:
//!
//! * the instances that serve lose neither route nor container before all new ones are healthy,
//! * a retired instance keeps its container until the route that leaves it out is in force,
//! * a failure takes away only what this change has brought, and gives the route back.

use chrono::TimeDelta;
use slipway_model::{
    InstanceId, Timestamp,
    state::{DeploymentStatus, InstanceStatus, StepKind, StepStatus, TaskStatus},
};
use slipway_protocol::{OFFLINE_AFTER_SECONDS, TaskFailure};

mod failure;
#[cfg(test)]
mod proof;

pub use failure::{
    CANCELED, DEADLINE, HEALTH_CHECK_FAILED, INSTANCE_EXITED, INSUFFICIENT_CAPACITY, NO_INGRESS, NODE_OFFLINE, ROUTE_NOT_CONFIRMED,
};

/// How long after a node counts as offline a change waits for it to come back.
const OFFLINE_PATIENCE: TimeDelta = TimeDelta::seconds(60);
/// From the first desired state that names an instance to the first word of it.
const START_ALLOWANCE: TimeDelta = TimeDelta::seconds(120);
/// From the changed route table to its confirmation.
const SWAP_ALLOWANCE: TimeDelta = TimeDelta::seconds(120);
/// From the desired state without an instance to its end. Past it the change is done all the same: the node goes on by itself.
const DRAIN_ALLOWANCE: TimeDelta = TimeDelta::seconds(90);
/// An agent ends its tasks at their deadline; its word of that may take this long.
const TASK_SLACK: TimeDelta = TimeDelta::seconds(30);
/// Every waiting operation is looked at this often, in case the news of what it waits for was lost.
pub const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(5);

/// What a change waits for. Stored by name with its operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// For nothing: a node is chosen, or what is to be retired is marked.
    Begin,
    /// For the plan task.
    Plan,
    /// For the build or pull task.
    Build,
    /// For the release process.
    Release,
    /// For the node to say anything of every new instance.
    Start,
    /// For every new instance to be healthy.
    Health,
    /// For the new route to be in force.
    Swap,
    /// For the retired instances to end.
    Drain,
    /// For nothing more.
    Done,
}

impl Step {
    pub const ALL: [Self; 9] =
        [Self::Begin, Self::Plan, Self::Build, Self::Release, Self::Start, Self::Health, Self::Swap, Self::Drain, Self::Done];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Plan => "plan",
            Self::Build => "build",
            Self::Release => "release",
            Self::Start => "start",
            Self::Health => "health",
            Self::Swap => "swap",
            Self::Drain => "drain",
            Self::Done => "done",
        }
    }

    /// The name as stored; anything unknown begins again, which is safe at every step.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|step| step.as_str() == name).unwrap_or(Self::Begin)
    }
}

/// How the release that is to run is had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obtain {
    /// Planned and built from source.
    Build,
    /// A ready image is fetched.
    Pull,
    /// It exists: rollback, restart, start, scaling up.
    Reuse,
    /// Nothing is started: stop, scaling down, delete.
    Nothing,
}

/// What is known of one instance that comes or goes with this change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    pub id: InstanceId,
    pub process: String,
    /// Serves visitors.
    pub is_web: bool,
    /// On the node of the new instances: its route changes with theirs. One elsewhere is left until the new route is in force.
    pub is_here: bool,
    pub status: InstanceStatus,
    pub reason: Option<String>,
    pub exit_code: Option<i64>,
}

/// The task that the present step waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    pub status: TaskStatus,
    pub deadline: Timestamp,
    pub failure: Option<TaskFailure>,
    /// Of a release process.
    pub exit_code: Option<i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// Revision that the database asks for; `None`: no route.
    pub wanted: Option<String>,
    /// Revision that the node last reported.
    pub in_force: Option<String>,
    pub problem: Option<String>,
    /// Why no route at all can be in force on the node.
    pub no_ingress: Option<String>,
}

/// Everything that the next step depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    pub now: Timestamp,
    pub deadline: Timestamp,
    pub step: Step,
    /// When the change came to this step.
    pub since: Timestamp,
    pub obtain: Obtain,
    /// Whether the built release has a process that runs before any instance.
    pub has_release_process: bool,
    /// When the chosen node was last heard of. `None`: none is chosen yet.
    pub heard_at: Option<Timestamp>,
    pub task: Option<Task>,
    pub new: Vec<Instance>,
    pub retiring: Vec<Instance>,
    pub route: Route,
    /// How long new instances may take from their start until all are healthy.
    pub health_allowance: TimeDelta,
}

/// One thing to be recorded. Applied in order, in one transaction with the step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Chooses the node, or refuses; marks what is to be retired.
    Prepare,
    StartPlan,
    StartBuild,
    StartPull,
    RecordRelease,
    StartReleaseProcess,
    CreateInstances,
    Deployment(DeploymentStatus),
    StepBegan(StepKind),
    StepEnded(StepKind, StepStatus),
    /// They are to be in the route.
    Route(Vec<InstanceId>),
    /// They are not to be in the route.
    Unroute(Vec<InstanceId>),
    /// They are to have neither route nor container.
    Retire(Vec<InstanceId>),
    /// The new release is the application's.
    Settle,
    /// The end of these instances' output goes to the build log.
    KeepLastLines(Vec<InstanceId>),
    CancelTasks,
    /// The application is as this kind of operation leaves it.
    Finish,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Look again after this long, or when there is news.
    Wait(TimeDelta),
    To(Step, Vec<Effect>),
    Fail(TaskFailure, Vec<Effect>),
}

/// What to do now.
#[must_use]
pub fn next(s: &Situation) -> Next {
    match judge(s) {
        Verdict::Wait => Next::Wait(LOOK_AGAIN.min((s.deadline - s.now).max(TimeDelta::zero()))),
        Verdict::Fail(failure) => Next::Fail(failure, undo(s)),
        Verdict::Go => {
            let to = following(s);
            Next::To(to, entering(s, to))
        }
    }
}

enum Verdict {
    Wait,
    Go,
    Fail(TaskFailure),
}

/// Whether what the step waits for has come, can come, or will not.
fn judge(s: &Situation) -> Verdict {
    // Past this point nothing can be lost by going on, and something could be by failing.
    let is_settled = match s.step {
        Step::Swap => s.route.wanted == s.route.in_force && !s.new.iter().any(|i| i.status.is_terminal()),
        Step::Drain => {
            s.retiring.iter().all(|i| i.status.is_terminal()) || s.now - s.since >= DRAIN_ALLOWANCE || silent(s, TimeDelta::zero())
        }
        Step::Done => true,
        Step::Begin | Step::Plan | Step::Build | Step::Release | Step::Start | Step::Health => false,
    };
    if is_settled {
        return Verdict::Go;
    }
    let is_only_retiring = s.obtain == Obtain::Nothing;
    if s.now >= s.deadline && s.step != Step::Drain {
        return if is_only_retiring { Verdict::Go } else { Verdict::Fail(failure::deadline(s.step)) };
    }
    if matches!(s.step, Step::Begin | Step::Drain | Step::Done) {
        return if s.step == Step::Drain { Verdict::Wait } else { Verdict::Go };
    }
    let waited = match s.step {
        Step::Plan | Step::Build | Step::Release => judge_task(s),
        Step::Start | Step::Health | Step::Swap | Step::Begin | Step::Drain | Step::Done => judge_instances(s),
    };
    match waited {
        Verdict::Wait if silent(s, OFFLINE_PATIENCE) => {
            // What is to be stopped on a node that is gone is stopped when it comes back.
            if is_only_retiring { Verdict::Go } else { Verdict::Fail(failure::node_offline(s.step)) }
        }
        Verdict::Fail(_) if is_only_retiring => Verdict::Go,
        other => other,
    }
}

/// Whether the node counts as offline since `patience` or longer.
fn silent(s: &Situation, patience: TimeDelta) -> bool {
    let offline_after = TimeDelta::seconds(OFFLINE_AFTER_SECONDS.cast_signed());
    s.heard_at.is_some_and(|heard| s.now - heard >= offline_after + patience)
}

fn judge_task(s: &Situation) -> Verdict {
    let Some(task) = &s.task else {
        return Verdict::Fail(failure::task_missing(s.step));
    };
    match task.status {
        TaskStatus::Succeeded => match task.exit_code {
            Some(code) if s.step == Step::Release && code != 0 => Verdict::Fail(failure::release_process(code)),
            _ => Verdict::Go,
        },
        TaskStatus::Failed => Verdict::Fail(task.failure.clone().unwrap_or_else(|| failure::task_missing(s.step))),
        TaskStatus::Canceled => Verdict::Fail(failure::canceled()),
        TaskStatus::Queued | TaskStatus::Running if s.now >= task.deadline + TASK_SLACK => Verdict::Fail(failure::deadline(s.step)),
        TaskStatus::Queued | TaskStatus::Running => Verdict::Wait,
    }
}

fn judge_instances(s: &Situation) -> Verdict {
    if let Some(ended) = s.new.iter().find(|i| i.status.is_terminal()) {
        return Verdict::Fail(failure::instance_ended(ended));
    }
    let needs_ingress = s.obtain == Obtain::Nothing || s.new.iter().any(|i| i.is_web);
    if let Some(problem) = s.route.no_ingress.as_ref().filter(|_| needs_ingress) {
        return Verdict::Fail(failure::no_ingress(problem));
    }
    let waited = s.now - s.since;
    match s.step {
        Step::Start if s.new.iter().all(|i| i.status != InstanceStatus::Created) => Verdict::Go,
        Step::Start if waited >= START_ALLOWANCE => Verdict::Fail(failure::not_started(START_ALLOWANCE)),
        Step::Health if s.new.iter().all(|i| i.status == InstanceStatus::Healthy) => Verdict::Go,
        Step::Health if waited >= s.health_allowance => {
            let late = s.new.iter().find(|i| i.status != InstanceStatus::Healthy);
            Verdict::Fail(failure::not_healthy(late, s.health_allowance))
        }
        Step::Swap if waited >= SWAP_ALLOWANCE => Verdict::Fail(failure::route_not_confirmed(&s.route, SWAP_ALLOWANCE)),
        _ => Verdict::Wait,
    }
}

fn following(s: &Situation) -> Step {
    match s.step {
        Step::Begin => match s.obtain {
            Obtain::Build => Step::Plan,
            Obtain::Pull => Step::Build,
            Obtain::Reuse => Step::Start,
            Obtain::Nothing => Step::Swap,
        },
        Step::Plan => Step::Build,
        Step::Build if s.has_release_process => Step::Release,
        Step::Build | Step::Release => Step::Start,
        Step::Start => Step::Health,
        Step::Health => Step::Swap,
        Step::Swap => Step::Drain,
        Step::Drain | Step::Done => Step::Done,
    }
}

/// What is recorded on coming to a step. The edge that is taken is (`s.step`, `to`).
fn entering(s: &Situation, to: Step) -> Vec<Effect> {
    use DeploymentStatus as D;
    use Effect as E;
    use StepKind as K;
    use StepStatus::{Skipped, Succeeded};
    let mut effects = match s.step {
        Step::Begin => vec![E::Deployment(D::Scheduling), E::StepBegan(K::Schedule), E::Prepare, E::StepEnded(K::Schedule, Succeeded)],
        // What the agent has told of these steps stands; this is for what it did not tell.
        Step::Plan => vec![E::StepEnded(K::FetchSource, Succeeded), E::StepEnded(K::Detect, Succeeded)],
        Step::Build => vec![E::StepEnded(K::Build, Succeeded), E::RecordRelease],
        Step::Release => vec![E::StepEnded(K::Release, Succeeded)],
        Step::Start => vec![E::StepEnded(K::CreateContainer, Succeeded)],
        Step::Health => vec![E::StepEnded(K::HealthCheck, Succeeded)],
        Step::Swap => vec![E::StepEnded(K::SwapRoute, Succeeded)],
        Step::Drain => vec![E::StepEnded(K::DrainOld, Succeeded)],
        Step::Done => vec![],
    };
    let mut skipped = |kinds: &[K]| effects.extend(kinds.iter().map(|kind| E::StepEnded(*kind, Skipped)));
    match (s.step, to) {
        (Step::Begin, Step::Build) => skipped(&[K::FetchSource, K::Detect]),
        (Step::Begin, Step::Start) => skipped(&[K::FetchSource, K::Detect, K::Build, K::Release]),
        (Step::Build, Step::Start) => skipped(&[K::Release]),
        _ => {}
    }
    match to {
        Step::Plan => effects.extend([E::Deployment(D::Building), E::StepBegan(K::FetchSource), E::StartPlan]),
        Step::Build if s.step == Step::Begin => {
            effects.extend([E::Deployment(D::Building), E::StepBegan(K::Build), E::StartPull]);
        }
        Step::Build => effects.extend([E::StepBegan(K::Build), E::StartBuild]),
        Step::Release => effects.extend([E::Deployment(D::Starting), E::StepBegan(K::Release), E::StartReleaseProcess]),
        Step::Start => effects.extend([E::Deployment(D::Starting), E::StepBegan(K::CreateContainer), E::CreateInstances]),
        Step::Health => effects.extend([E::Deployment(D::HealthChecking), E::StepBegan(K::HealthCheck)]),
        Step::Swap => {
            effects.extend([E::Deployment(D::Swapping), E::StepBegan(K::SwapRoute)]);
            // The order does not matter to visitors: both are one new route table.
            effects.push(E::Route(ids(&s.new, |i| i.is_web)));
            effects.push(E::Unroute(ids(&s.retiring, |i| i.is_here)));
        }
        Step::Drain => {
            effects.extend([E::Settle, E::Deployment(D::Live), E::StepBegan(K::DrainOld), E::Retire(ids(&s.retiring, |_| true))])
        }
        Step::Done => effects.push(E::Finish),
        Step::Begin => {}
    }
    effects
}

/// What is recorded on a failure: the world as it was before this change.
#[must_use]
pub fn undo(s: &Situation) -> Vec<Effect> {
    let mut effects = vec![
        Effect::CancelTasks,
        Effect::KeepLastLines(ids(&s.new, |i| i.status != InstanceStatus::Healthy)),
        Effect::Retire(ids(&s.new, |_| true)),
    ];
    if s.step == Step::Swap {
        effects.push(Effect::Route(ids(&s.retiring, |i| i.is_web && !i.status.is_terminal())));
    }
    effects
}

fn ids(instances: &[Instance], which: impl Fn(&Instance) -> bool) -> Vec<InstanceId> {
    instances.iter().filter(|i| which(i)).map(|i| i.id).collect()
}
