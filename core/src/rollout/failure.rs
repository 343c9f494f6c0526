//! Why a change failed, in words for the person whose application it is.

use chrono::TimeDelta;
use slipway_model::state::InstanceStatus;
use slipway_protocol::TaskFailure;

use super::{Instance, Route, Step};

pub const CANCELED: &str = "CANCELED";
pub const DEADLINE: &str = "DEADLINE";
pub const HEALTH_CHECK_FAILED: &str = "HEALTH_CHECK_FAILED";
pub const INSTANCE_EXITED: &str = "INSTANCE_EXITED";
pub const INSUFFICIENT_CAPACITY: &str = "INSUFFICIENT_CAPACITY";
pub const NODE_OFFLINE: &str = "NODE_OFFLINE";
pub const NO_INGRESS: &str = "NO_INGRESS";
pub const RELEASE_PROCESS_FAILED: &str = "RELEASE_PROCESS_FAILED";
pub const ROUTE_NOT_CONFIRMED: &str = "ROUTE_NOT_CONFIRMED";

fn doing(step: Step) -> &'static str {
    match step {
        Step::Begin => "finding a node",
        Step::Plan => "fetching and examining the source",
        Step::Build => "building the image",
        Step::Release => "running the release process",
        Step::Start => "starting the instances",
        Step::Health => "waiting for the instances to become healthy",
        Step::Swap => "switching the route",
        Step::Drain | Step::Done => "stopping the old instances",
    }
}

pub(super) fn deadline(step: Step) -> TaskFailure {
    TaskFailure::new(DEADLINE, format!("The time limit passed while {}.", doing(step)))
        .fix("Look at the build log for what took so long, then deploy again.")
}

pub(super) fn node_offline(step: Step) -> TaskFailure {
    TaskFailure::new(NODE_OFFLINE, format!("The worker node went offline while {}, and did not come back.", doing(step)))
        .fix("Deploy again: another node is chosen if this one is still away.")
}

pub(super) fn canceled() -> TaskFailure {
    TaskFailure::new(CANCELED, "The node canceled the work.")
}

pub(super) fn task_missing(step: Step) -> TaskFailure {
    TaskFailure::new("TASK_FAILED", format!("The node failed while {} and gave no reason.", doing(step))).fix("Deploy again.")
}

pub(super) fn release_process(exit_code: i64) -> TaskFailure {
    let failure = TaskFailure::new(RELEASE_PROCESS_FAILED, format!("The release process ended with exit code {exit_code}."))
        .fix("Its output is in the build log. Nothing was started, and the previous release still serves.");
    TaskFailure { exit_code: Some(exit_code), ..failure }
}

pub(super) fn instance_ended(instance: &Instance) -> TaskFailure {
    let process = &instance.process;
    let because = instance.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let failure = match (instance.status, instance.exit_code) {
        (InstanceStatus::Lost, _) => TaskFailure::new(NODE_OFFLINE, format!("The node of a new {process} instance is gone{because}.")),
        (_, Some(code)) => TaskFailure::new(
            INSTANCE_EXITED,
            format!("A new {process} instance ended with exit code {code} before it was healthy{because}."),
        ),
        (_, None) => TaskFailure::new(HEALTH_CHECK_FAILED, format!("A new {process} instance did not become healthy{because}.")),
    };
    TaskFailure { exit_code: instance.exit_code, ..failure }.fix("The end of its output is in the build log.")
}

pub(super) fn not_started(allowed: TimeDelta) -> TaskFailure {
    TaskFailure::new("NOT_STARTED", format!("The node did not start the new instances within {} s.", allowed.num_seconds()))
        .fix("Deploy again; if it stays so, the administrator should look at the node's agent.")
}

pub(super) fn not_healthy(late: Option<&Instance>, allowed: TimeDelta) -> TaskFailure {
    let process = late.map_or("web", |instance| instance.process.as_str());
    let because = late.and_then(|i| i.reason.as_ref()).map(|reason| format!(": {reason}")).unwrap_or_default();
    TaskFailure::new(HEALTH_CHECK_FAILED, format!("A new {process} instance was not healthy within {} s{because}.", allowed.num_seconds()))
        .fix("Listen on 0.0.0.0 at the port in the PORT variable, and check the health check's path.")
}

pub(super) fn route_not_confirmed(route: &Route, allowed: TimeDelta) -> TaskFailure {
    let because = route.problem.as_ref().map(|problem| format!(": {problem}")).unwrap_or_default();
    TaskFailure::new(ROUTE_NOT_CONFIRMED, format!("The ingress did not serve the new route within {} s{because}.", allowed.num_seconds()))
        .fix("The route leads to the previous release again. The administrator should look at the node's ingress.")
}

pub(super) fn no_ingress(problem: &str) -> TaskFailure {
    TaskFailure::new(NO_INGRESS, format!("Visitors cannot come in at the application's node: {problem}."))
        .fix("Nothing has changed for visitors. The administrator should give the node's agent the proxy, or enable another ingress.")
}
