//! How a change ends: the new release is settled, or everything is as it was, and somebody is told.

use slipway_model::{
    InstanceId, NodeId, Viewer,
    state::{ApplicationStatus, DeploymentStatus, OperationKind, OperationStatus, StepStatus},
};
use slipway_protocol::TaskFailure;
use slipway_store::{
    StoreError, Tx,
    applications::{self, Application},
    deployments, instances,
    operations::Operation,
    suspensions,
};

use super::{
    payload::Origin,
    resolve::Answers,
    situation,
    work::{Halt, Work},
};
use crate::{Platform, changes::Changed, instances as rules, metering, rollout};

impl Work<'_> {
    /// From here on the new release is the application's.
    pub(super) async fn settle(&mut self) -> Result<(), Halt> {
        let id = self.application.id;
        let viewer = &Viewer::Platform;
        if self.payload.origin == Origin::Nothing {
            return Ok(());
        }
        let release = self.release().await?;
        if let Some(deployment) = self.deployment.clone() {
            applications::set_current(&mut self.tx, viewer, id, release.id, deployment.id).await?;
            if let Some(lock) = &deployment.tool_lock {
                applications::set_tool_lock(&mut self.tx, viewer, id, lock).await?;
            }
            for mut old in deployments::in_states(&mut self.tx, id, &[DeploymentStatus::Live]).await? {
                if old.id != deployment.id {
                    old.status = DeploymentStatus::Superseded;
                    deployments::update(&mut self.tx, &old).await?;
                    self.changed.push(Changed::Deployment(old.id));
                }
            }
            self.tell("deployment.live", format!("Deployment {} is live.", deployment.number));
        }
        if self.operation.kind != OperationKind::Scale {
            applications::set_stopped(&mut self.tx, viewer, id, false).await?;
            applications::set_status(&mut self.tx, viewer, id, ApplicationStatus::Running, None).await?;
        }
        Ok(())
    }

    pub(super) async fn keep_last_lines(&mut self, ids: &[InstanceId]) -> Result<(), Halt> {
        if ids.is_empty() {
            return Ok(());
        }
        let rows = instances::by_ids(&mut self.tx, &Viewer::Platform, ids).await?;
        for row in rows.values() {
            if let Some(lines) = row.last_lines.as_ref().filter(|lines| !lines.is_empty()) {
                let mut kept = vec![format!("--- the end of what {}.{} wrote ---", row.process, row.instance_index)];
                kept.extend(lines.iter().cloned());
                self.log(&kept).await?;
            }
        }
        Ok(())
    }

    /// The application as this kind of operation leaves it.
    pub(super) async fn finish(&mut self) -> Result<(), Halt> {
        let id = self.application.id;
        let viewer = &Viewer::Platform;
        let now = self.p.now();
        self.end_usage().await?;
        match self.operation.kind {
            OperationKind::Stop => {
                // Who suspended it has said so.
                if suspensions::find(&mut self.tx, viewer, id).await?.is_none() {
                    applications::set_status(&mut self.tx, viewer, id, ApplicationStatus::Stopped, None).await?;
                    self.tell("application.stopped", format!("{} is stopped.", self.application.name));
                }
            }
            OperationKind::Delete => {
                // Told first: the event names the application while there is one.
                self.tell("application.deleted", format!("{} is deleted.", self.application.name));
                applications::delete(&mut self.tx, viewer, id, now).await?;
            }
            OperationKind::Scale => {
                let count = self.application.desired_instances;
                self.tell("application.scaled", format!("{} is scaled to {count}.", self.application.name));
                rules::refresh_status(&mut self.tx, self.p, id).await?;
            }
            OperationKind::Restart | OperationKind::Start => {
                let (kind, what) = match (self.operation.kind, self.payload.plan) {
                    (_, Some(_)) => ("plan_changed", "on its new plan"),
                    (OperationKind::Start, None) => ("started", "started"),
                    (_, None) => ("restarted", "restarted"),
                };
                self.tell(&format!("application.{kind}"), format!("{} is {what}.", self.application.name));
                rules::refresh_status(&mut self.tx, self.p, id).await?;
            }
            OperationKind::Deploy => rules::refresh_status(&mut self.tx, self.p, id).await?,
        }
        self.operation.status = OperationStatus::Succeeded;
        self.operation.finished_at = Some(now);
        Ok(())
    }

    /// What is retired costs nothing from now on, even where its node is away and stops it later (R15.3).
    async fn end_usage(&mut self) -> Result<(), StoreError> {
        for id in self.payload.retiring.clone() {
            metering::end(&mut self.tx, id, self.p.now()).await?;
        }
        Ok(())
    }

    /// The change has failed, and its effects were undone: what is left is to say so.
    pub(super) async fn fail(&mut self, failure: &TaskFailure) -> Result<(), Halt> {
        self.close(OperationStatus::Failed, DeploymentStatus::Failed, failure).await
    }

    pub(super) async fn close(&mut self, operation: OperationStatus, ended: DeploymentStatus, failure: &TaskFailure) -> Result<(), Halt> {
        let now = self.p.now();
        self.operation.status = operation;
        self.operation.error = Some(failure.message.clone());
        self.operation.finished_at = Some(now);
        let viewer = &Viewer::Platform;
        let id = self.application.id;
        let is_failure = operation == OperationStatus::Failed;
        if let Some(mut deployment) = self.deployment.take() {
            let (running, pending) =
                if is_failure { (StepStatus::Failed, StepStatus::Skipped) } else { (StepStatus::Canceled, StepStatus::Canceled) };
            deployments::end_steps(&mut self.tx, deployment.id, running, pending, Some(&failure.message), now).await?;
            deployment.status = ended;
            deployment.status_reason = Some(failure.message.clone());
            deployment.failure = is_failure.then(|| serde_json::to_value(failure)).transpose()?;
            deployment.finished_at = Some(now);
            let number = deployment.number;
            self.deployment = Some(deployment);
            if is_failure {
                self.log(&[format!("{}: {}", failure.code, failure.message)]).await?;
                self.tell("deployment.failed", format!("Deployment {number} failed: {}", failure.message));
            } else if ended == DeploymentStatus::Superseded {
                self.tell("deployment.superseded", format!("Deployment {number} was left out for a newer one."));
            } else {
                self.tell("deployment.canceled", format!("Deployment {number} was canceled."));
            }
        } else if is_failure {
            let kind = self.operation.kind;
            self.tell(&format!("application.{kind}_failed"), format!("{} could not {kind}: {}", self.application.name, failure.message));
        }
        // Only what has never run shows its first failure; what runs, goes on running.
        if self.application.status == ApplicationStatus::Deploying {
            let (status, reason) = match (is_failure, self.application.stopped, self.application.current_release_id) {
                (_, true, Some(_)) => (ApplicationStatus::Stopped, None),
                (true, _, _) => (ApplicationStatus::Crashed, Some(failure.message.as_str())),
                (false, _, None) => (ApplicationStatus::Created, None),
                (false, _, Some(_)) => (ApplicationStatus::Crashed, None),
            };
            applications::set_status(&mut self.tx, viewer, id, status, reason).await?;
        }
        if let Some(change) = self.payload.plan.filter(|_| self.step() < rollout::Step::Drain) {
            // What serves runs on the plan that it had.
            crate::plan_changes::take_back(&mut self.tx, id, change).await?;
        }
        if self.operation.kind == OperationKind::Start {
            // What the platform was to resume its customer has not stopped.
            let is_stopped = self.operation.created_by.is_some();
            applications::set_stopped(&mut self.tx, viewer, id, is_stopped).await?;
            let status = if is_stopped { ApplicationStatus::Stopped } else { ApplicationStatus::Crashed };
            applications::set_status(&mut self.tx, viewer, id, status, Some(&failure.message)).await?;
        }
        Ok(())
    }
}

/// Ends an operation from outside its worker, and undoes what it has brought. The application's row is held by the caller's
/// transaction, and so must be the operation's, by [`slipway_store::operations::end`].
pub(crate) async fn abandon(
    p: &Platform,
    tx: Tx,
    operation: Operation,
    application: Application,
    ended: DeploymentStatus,
    failure: &TaskFailure,
) -> anyhow::Result<(Tx, Vec<NodeId>)> {
    let mut work = Work::open(p, tx, operation, application, Answers::default()).await?;
    let situation = situation::read(&mut work).await?;
    let undone = async {
        work.apply(rollout::undo(&situation)).await?;
        work.close(OperationStatus::Canceled, ended, failure).await
    };
    match undone.await {
        Ok(()) => {}
        Err(Halt::Failed(error)) => return Err(error),
        Err(Halt::Refused(failure)) => return Err(anyhow::anyhow!(failure)),
    }
    work.write_rest().await?;
    Ok((work.tx, work.touched.into_iter().collect()))
}
