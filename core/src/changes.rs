//! News inside this process: who watches a thing hears that it changed, loads it again and asks again whether it may see it.
//!
//! Nothing is carried but the name of what changed, and only after it was committed. A watcher that falls behind loses news, not
//! state: it loads everything it watches.

use slipway_model::{ApiTokenId, ApplicationId, DeploymentId, InstanceId, NodeId, OperationId, OrganizationId, SessionId};
use tokio::sync::broadcast;

/// News that a watcher may be behind by before it has to load everything.
const CAPACITY: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Changed {
    Application(ApplicationId),
    Deployment(DeploymentId),
    /// Lines were added to the deployment's build log.
    BuildLog(DeploymentId),
    Instance(InstanceId),
    Node(NodeId),
    Operation(OperationId),
    /// The organization's account, its ledger, invoices or alerts.
    Billing(OrganizationId),
    /// A row was added to the events.
    Events,
    /// The session was revoked.
    Session(SessionId),
    /// The API token was revoked.
    ApiToken(ApiTokenId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// `None`: of the platform.
    pub organization: Option<OrganizationId>,
    pub what: Changed,
}

/// Sends and receives [`Change`]s.
#[derive(Debug, Clone)]
pub struct Changes(broadcast::Sender<Change>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}

impl Changes {
    /// To be called after the commit. Nobody listening is fine.
    pub fn publish(&self, organization: Option<OrganizationId>, what: Changed) {
        let _ = self.0.send(Change { organization, what });
    }

    /// On `RecvError::Lagged`, load again whatever is watched.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }
}
