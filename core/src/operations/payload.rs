//! What a change has to remember between its steps, beside what other rows tell. Stored with its operation.

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use slipway_model::{InstanceId, NodeId, PlanId, ReleaseId, TaskId, Timestamp};

use crate::{error::Result, rollout::Obtain};

/// Where the release that is to run comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The deployment's source, planned and built.
    Source,
    /// The deployment's source is a ready image.
    Image,
    /// It exists.
    Release,
    /// Nothing is started.
    Nothing,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Payload {
    pub origin: Origin,
    /// The one that is to run, once it is known.
    pub release: Option<ReleaseId>,
    pub node: Option<NodeId>,
    /// The one that the present step waits for.
    pub task: Option<TaskId>,
    /// When it came to the present step.
    pub since: Timestamp,
    /// Whether its turn has come.
    pub begun: bool,
    pub new: Vec<InstanceId>,
    pub retiring: Vec<InstanceId>,
    /// The one instance that is replaced; `None`: all of them.
    #[serde(default)]
    pub only: Option<InstanceId>,
    /// By then it has ended, whenever its turn comes; `None`: its time counts from its turn.
    #[serde(default)]
    pub until: Option<Timestamp>,
    /// Whether it builds without what earlier builds have left.
    #[serde(default)]
    pub fresh: bool,
    /// The change of plan that it brings into force.
    #[serde(default)]
    pub plan: Option<PlanChange>,
}

/// From one plan to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanChange {
    pub from: PlanId,
    pub to: PlanId,
}

impl Payload {
    #[must_use]
    pub fn of(origin: Origin, release: Option<ReleaseId>) -> Self {
        let since = DateTime::UNIX_EPOCH;
        Self {
            origin,
            release,
            node: None,
            task: None,
            since,
            begun: false,
            new: Vec::new(),
            retiring: Vec::new(),
            only: None,
            until: None,
            fresh: false,
            plan: None,
        }
    }

    pub fn to_json(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(|error| crate::Error::internal(anyhow::Error::from(error).context("an operation's payload")))
    }

    pub fn from_json(value: &serde_json::Value) -> anyhow::Result<Self> {
        Ok(serde_json::from_value(value.clone())?)
    }

    #[must_use]
    pub fn obtain(&self) -> Obtain {
        match self.origin {
            Origin::Source => Obtain::Build,
            Origin::Image => Obtain::Pull,
            Origin::Release => Obtain::Reuse,
            Origin::Nothing => Obtain::Nothing,
        }
    }
}
