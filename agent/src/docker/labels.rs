//! The labels by which Slipway knows what it made: nothing without them is ever touched.

use std::collections::HashMap;

use slipway_model::NodeId;

use crate::engine::{ContainerSpec, Owner};

pub const MANAGED: &str = "slipway.managed";
pub const NODE: &str = "slipway.node";
pub const APPLICATION: &str = "slipway.application";
pub const INSTANCE: &str = "slipway.instance";
pub const TASK: &str = "slipway.task";
pub const RELEASE: &str = "slipway.release";
pub const DEPLOYMENT: &str = "slipway.deployment";
pub const ORGANIZATION: &str = "slipway.organization";
pub const SPEC: &str = "slipway.spec";
/// What has to be known of a container that is no longer desired.
pub const DRAIN_SECONDS: &str = "slipway.drain-seconds";
pub const STOP_GRACE_SECONDS: &str = "slipway.stop-grace-seconds";
pub const PORT: &str = "slipway.port";
/// What was done differently from what the image asks.
pub const NOTE: &str = "slipway.note";

/// The labels of a container.
pub fn of(spec: &ContainerSpec, node: NodeId, note: Option<String>) -> HashMap<String, String> {
    let owner = match spec.owner {
        Owner::Instance(id) => (INSTANCE, id.to_string()),
        Owner::Task(id) => (TASK, id.to_string()),
    };
    let always = [
        (MANAGED, "true".to_owned()),
        (NODE, node.to_string()),
        owner,
        (APPLICATION, spec.application.to_string()),
        (DEPLOYMENT, spec.deployment.to_string()),
        (ORGANIZATION, spec.organization.to_string()),
        (SPEC, spec.hash()),
        (DRAIN_SECONDS, spec.drain_seconds.to_string()),
        (STOP_GRACE_SECONDS, spec.stop_grace_seconds.to_string()),
    ];
    let sometimes = [
        spec.release.map(|release| (RELEASE, release.to_string())),
        spec.port.map(|port| (PORT, port.to_string())),
        note.map(|note| (NOTE, note)),
    ];
    always.into_iter().chain(sometimes.into_iter().flatten()).map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Selects what this node's agent made.
pub fn filter(node: NodeId) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("{MANAGED}=true"), format!("{NODE}={node}")])])
}

/// Whose container these labels say it is; `None` unless this node's agent made it.
pub fn owner(labels: &HashMap<String, String>, node: NodeId) -> Option<Owner> {
    let label = |key: &str| labels.get(key).map(String::as_str);
    if label(MANAGED) != Some("true") || label(NODE) != Some(node.to_string().as_str()) {
        return None;
    }
    let instance = label(INSTANCE).and_then(|id| id.parse().ok()).map(Owner::Instance);
    instance.or_else(|| label(TASK).and_then(|id| id.parse().ok()).map(Owner::Task))
}
