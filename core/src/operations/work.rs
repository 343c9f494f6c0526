//! A change whose rows a transaction holds: what is read and written by every step.

use std::collections::BTreeSet;

use anyhow::Context;
use slipway_model::{EventId, InstanceId, NodeId, Viewer};
use slipway_protocol::{SourceSpec, TaskFailure};
use slipway_store::{
    StoreError, Tx,
    applications::{self, Application},
    build_logs,
    deployments::{self, Deployment},
    events, instances, nodes,
    operations::{self, Operation},
    releases as stored,
};

use super::{payload::Payload, resolve::Answers};
use crate::{Platform, changes::Changed, deployments::DeploymentSource, rollout::Step};

/// A change whose rows this transaction holds.
pub(crate) struct Work<'a> {
    pub p: &'a Platform,
    pub tx: Tx,
    pub operation: Operation,
    pub payload: Payload,
    pub application: Application,
    pub deployment: Option<Deployment>,
    pub answers: Answers,
    /// Nodes whose desired state or tasks change.
    pub touched: BTreeSet<NodeId>,
    pub changed: Vec<Changed>,
    events: Vec<events::NewEvent>,
}

/// Why a step was not recorded.
pub(crate) enum Halt {
    /// It cannot be done, and the customer is told why.
    Refused(TaskFailure),
    /// Something else: tried again.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl<'a> Work<'a> {
    /// Takes hold of the application and its operation. `None`: the worker does not hold the operation any more.
    pub(super) async fn hold(p: &'a Platform, operation: &Operation, answers: Answers) -> anyhow::Result<Option<Self>> {
        let id = operation.application_id.context("an operation without an application")?;
        let mut tx = p.db.begin().await?;
        let Some(application) = applications::lock(&mut tx, &Viewer::Platform, id).await? else { return Ok(None) };
        if !operations::hold(&mut tx, operation.id, operation.fence, p.now() + super::LEASE).await? {
            return Ok(None);
        }
        Self::open(p, tx, operation.clone(), application, answers).await.map(Some)
    }

    /// For whoever holds both rows already.
    pub(super) async fn open(
        p: &'a Platform,
        mut tx: Tx,
        operation: Operation,
        application: Application,
        answers: Answers,
    ) -> anyhow::Result<Self> {
        let payload = Payload::from_json(&operation.payload)?;
        let deployment = match operation.deployment_id {
            Some(id) => deployments::find(&mut tx, &Viewer::Platform, id).await?,
            None => None,
        };
        let mut changed = vec![Changed::Operation(operation.id), Changed::Application(application.id)];
        changed.extend(deployment.as_ref().map(|deployment| Changed::Deployment(deployment.id)));
        Ok(Self { p, tx, operation, payload, application, deployment, answers, touched: BTreeSet::new(), changed, events: vec![] })
    }

    pub(super) fn step(&self) -> Step {
        self.operation.step.as_deref().map_or(Step::Begin, Step::named)
    }

    /// What the deployment deploys.
    pub(super) fn source(&self) -> anyhow::Result<DeploymentSource> {
        let deployment = self.deployment.as_ref().context("a source belongs to a deployment")?;
        serde_json::from_value(deployment.source.clone()).context("the source of a deployment")
    }

    /// The same, at the commit that was planned.
    pub(super) fn pinned_source(&self) -> anyhow::Result<DeploymentSource> {
        let planned = self.deployment.as_ref().and_then(|deployment| deployment.commit_sha.clone());
        Ok(match self.source()? {
            DeploymentSource::Code(SourceSpec::Git { url, branch, commit }) => {
                DeploymentSource::Code(SourceSpec::Git { url, branch, commit: planned.or(commit) })
            }
            other => other,
        })
    }

    pub(super) fn tell(&mut self, kind: &str, message: String) {
        let resource = self.deployment.as_ref().map_or_else(|| self.application.id.to_string(), |deployment| deployment.id.to_string());
        self.events.push(events::NewEvent {
            id: EventId::new(&*self.p.clock),
            organization_id: Some(self.application.organization_id),
            application_id: Some(self.application.id),
            resource: Some(resource),
            kind: kind.to_owned(),
            message,
            data: None,
            created_at: self.p.now(),
        });
        self.changed.push(Changed::Events);
    }

    pub(super) async fn touch(&mut self, ids: &[InstanceId]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        for row in instances::by_ids(&mut self.tx, &Viewer::Platform, ids).await?.into_values() {
            self.touched.insert(row.node_id);
            self.changed.push(Changed::Instance(row.id));
        }
        Ok(())
    }

    pub(super) async fn release(&mut self) -> anyhow::Result<stored::Release> {
        let id = self.payload.release.context("the change has no release yet")?;
        stored::find(&mut self.tx, &Viewer::Platform, id).await?.context("the release is gone")
    }

    pub(super) async fn log(&mut self, lines: &[String]) -> Result<(), StoreError> {
        if let Some(deployment) = &self.deployment
            && !lines.is_empty()
        {
            build_logs::append(&mut self.tx, deployment.id, None, self.p.now(), lines).await?;
            self.changed.push(Changed::BuildLog(deployment.id));
        }
        Ok(())
    }

    /// Writes the deployment, the nodes' generations and the events: what comes last, in the order in which rows are taken.
    pub(super) async fn write_rest(&mut self) -> anyhow::Result<()> {
        if let Some(deployment) = &self.deployment {
            deployments::update(&mut self.tx, deployment).await?;
        }
        for node in &self.touched {
            nodes::bump_generation(&mut self.tx, *node).await?;
        }
        for event in std::mem::take(&mut self.events) {
            events::insert(&mut self.tx, &event).await?;
        }
        Ok(())
    }

    /// Commits, and tells everybody who should know.
    pub(super) async fn commit(self, before: &str, after: &str) -> anyhow::Result<()> {
        let Self { p, tx, application, touched, changed, .. } = self;
        p.crash.reach(before).await;
        tx.commit().await?;
        p.crash.reach(after).await;
        for what in changed {
            p.changes.publish(Some(application.organization_id), what);
        }
        for node in touched {
            p.fleet.nudge(node);
        }
        p.wake.wake();
        Ok(())
    }
}

/// What became of a configuration that does not open: the customer's to know. Anything else is tried again.
pub(super) fn unreadable(error: anyhow::Error) -> Halt {
    match error.downcast::<slipway_store::crypt::CryptError>() {
        Ok(error) => {
            tracing::error!(%error, "a configuration cannot be read");
            Halt::Refused(
                TaskFailure::new("CONFIGURATION_UNREADABLE", "An environment variable of the application cannot be decrypted.").fix(
                    "Set the application's variables again; if that does not help, ask the administrator about the platform's key file.",
                ),
            )
        }
        Err(error) => Halt::Failed(error),
    }
}
