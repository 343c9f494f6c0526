//! What a step records, in one transaction. The rows of the application and of its operation are held throughout, in this order.

use std::collections::BTreeSet;

use anyhow::Context;
use slipway_buildpack_wit::ProcessKind;
use slipway_model::{
    EventId, InstanceId, NodeId, ReleaseId, Viewer,
    state::{ApplicationStatus, DeploymentStatus, InstanceStatus, OperationKind, OperationStatus, StepStatus, VariableScope},
};
use slipway_protocol::{Outcome, SourceSpec, TaskFailure};
use slipway_store::{
    StoreError, Tx,
    applications::{self, Application},
    build_logs,
    deployments::{self, Deployment},
    events, instances, nodes,
    operations::{self, Operation},
    plans, releases as stored, tasks,
};

use super::{
    choose,
    payload::{Origin, Payload},
    resolve::Answers,
    situation, specs,
};
use crate::{
    Platform,
    changes::Changed,
    deployments::DeploymentSource,
    instances as rules, metering, releases,
    rollout::{self, Effect, Step},
};

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
    async fn open(p: &'a Platform, mut tx: Tx, operation: Operation, application: Application, answers: Answers) -> anyhow::Result<Self> {
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

    /// Everything that one step records.
    pub(super) async fn apply(&mut self, effects: Vec<Effect>) -> Result<(), Halt> {
        for effect in effects {
            self.apply_one(effect).await?;
        }
        Ok(())
    }

    async fn apply_one(&mut self, effect: Effect) -> Result<(), Halt> {
        let now = self.p.now();
        match effect {
            Effect::Prepare => choose::prepare(self).await?,
            Effect::StartPlan => {
                let buildpacks = std::mem::take(&mut self.answers.buildpacks);
                specs::start_plan(self, buildpacks).await?;
            }
            Effect::StartBuild => self.start_build().await?,
            Effect::StartPull => specs::start_pull(self).await?,
            Effect::RecordRelease => self.record_release().await?,
            Effect::StartReleaseProcess => {
                let release = self.release().await?;
                let processes = releases::processes(&release)?;
                let process = releases::release_process(&processes).context("the release has no release process")?;
                specs::start_release_process(self, &release, process).await.map_err(unreadable)?;
            }
            Effect::CreateInstances => self.create_instances().await?,
            Effect::Deployment(status) => self.set_deployment(status)?,
            Effect::StepBegan(kind) => {
                if let Some(deployment) = &self.deployment {
                    deployments::begin_step(&mut self.tx, deployment.id, kind, None, now).await?;
                }
            }
            Effect::StepEnded(kind, status) => {
                if let Some(deployment) = &self.deployment {
                    deployments::end_step(&mut self.tx, deployment.id, kind, status, None, now).await?;
                }
            }
            Effect::Route(ids) => {
                instances::set_routed(&mut self.tx, &ids, true).await?;
                self.touch(&ids).await?;
            }
            Effect::Unroute(ids) => {
                instances::set_routed(&mut self.tx, &ids, false).await?;
                self.touch(&ids).await?;
            }
            Effect::Retire(ids) => {
                instances::retire(&mut self.tx, &ids).await?;
                self.touch(&ids).await?;
            }
            Effect::Settle => self.settle().await?,
            Effect::KeepLastLines(ids) => self.keep_last_lines(&ids).await?,
            Effect::CancelTasks => {
                let nodes = tasks::cancel_of_operation(&mut self.tx, self.operation.id, now).await?;
                self.touched.extend(nodes);
            }
            Effect::Finish => self.finish().await?,
        }
        Ok(())
    }

    async fn touch(&mut self, ids: &[InstanceId]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        for row in instances::by_ids(&mut self.tx, &Viewer::Platform, ids).await?.into_values() {
            self.touched.insert(row.node_id);
            self.changed.push(Changed::Instance(row.id));
        }
        Ok(())
    }

    async fn release(&mut self) -> anyhow::Result<stored::Release> {
        let id = self.payload.release.context("the change has no release yet")?;
        stored::find(&mut self.tx, &Viewer::Platform, id).await?.context("the release is gone")
    }

    async fn log(&mut self, lines: &[String]) -> Result<(), StoreError> {
        if let Some(deployment) = &self.deployment
            && !lines.is_empty()
        {
            build_logs::append(&mut self.tx, deployment.id, None, self.p.now(), lines).await?;
            self.changed.push(Changed::BuildLog(deployment.id));
        }
        Ok(())
    }

    async fn start_build(&mut self) -> Result<(), Halt> {
        // Another worker may have taken the step between the question and this transaction; then its fence is newer than ours.
        let planned = self.answers.planned.take().context("the plan was not resolved")?;
        self.log(&planned.notices).await?;
        let deployment = self.deployment.as_mut().context("a plan belongs to a deployment")?;
        deployment.plan_digest = Some(planned.plan.id());
        deployment.plan = Some(serde_json::to_value(&planned.plan)?);
        deployment.tool_lock = Some(serde_json::to_value(&planned.lock)?);
        deployment.commit_sha = planned.commit.or(deployment.commit_sha.take());
        deployment.commit_message = planned.commit_message.or(deployment.commit_message.take());
        specs::start_build(self, planned.plan, planned.lock).await.map_err(unreadable)
    }

    async fn record_release(&mut self) -> Result<(), Halt> {
        let task = self.payload.task.context("a release comes of a task")?;
        let task = tasks::find(&mut self.tx, task).await?.context("the task is gone")?;
        let Some(Outcome::Built { image, digest, image_bytes, exposed_ports, log_truncated }) = situation::outcome(&task)? else {
            return Err(Halt::Refused(TaskFailure::new("TASK_FAILED", "The node did not say what it built.").fix("Deploy again.")));
        };
        if log_truncated {
            self.log(&["The build log was cut at its size limit.".to_owned()]).await?;
        }
        let deployment = self.deployment.as_ref().context("a release belongs to a deployment")?;
        let (deployment_id, plan) = (deployment.id, situation::plan(deployment)?);
        let (port, health) = releases::port_and_health(&self.application, plan.as_ref(), &exposed_ports);
        let processes = releases::processes_of(plan, port);
        let mut values = releases::told(&self.application, std::mem::take(&mut self.answers.launch));
        let application = &self.application;
        values.extend(specs::variables_of(&mut self.tx, self.p, application, VariableScope::Runtime).await.map_err(unreadable)?);
        let id = ReleaseId::new(&*self.p.clock);
        let release = stored::Release {
            id,
            organization_id: application.organization_id,
            application_id: application.id,
            number: stored::next_number(&mut self.tx, application.id).await?,
            deployment_id,
            node_id: Some(task.node_id),
            image,
            image_digest: digest,
            image_bytes,
            processes: serde_json::to_value(&processes)?,
            port,
            health,
            variables_ciphertext: releases::seal(self.p, id, application.organization_id, &values)?,
            created_at: self.p.now(),
        };
        stored::insert(&mut self.tx, &release).await?;
        self.payload.release = Some(id);
        if let Some(deployment) = &mut self.deployment {
            deployment.release_id = Some(id);
        }
        // The image is to be kept from now on.
        self.touched.insert(task.node_id);
        Ok(())
    }

    async fn create_instances(&mut self) -> Result<(), Halt> {
        let release = self.release().await?;
        // A configuration that cannot be read fails here, and not on the node.
        releases::environment(self.p, &release).map_err(unreadable)?;
        let node_id = self.payload.node.context("instances run on a node")?;
        let plan = plans::find(&mut self.tx, self.application.plan_id).await?.context("the application's plan")?;
        let old = instances::by_ids(&mut self.tx, &Viewer::Platform, &self.payload.retiring).await?;
        // A restart is no new purchase: what it replaces keeps its price.
        let kept = (self.operation.kind == OperationKind::Restart).then(|| old.values().find(|row| row.plan_id == plan.id)).flatten();
        let hourly_rate = kept.map_or(plan.price_hourly, |row| row.hourly_rate);
        let now = self.p.now();
        for (process, index) in self.wanted(&release).await? {
            let row = instances::Instance {
                id: InstanceId::new(&*self.p.clock),
                organization_id: self.application.organization_id,
                application_id: self.application.id,
                deployment_id: self.deployment.as_ref().map_or(release.deployment_id, |deployment| deployment.id),
                release_id: release.id,
                node_id,
                process,
                instance_index: index,
                status: InstanceStatus::Created,
                status_reason: None,
                desired: true,
                routed: false,
                plan_id: plan.id,
                hourly_rate,
                cpu_millis: plan.cpu_millis,
                memory_bytes: plan.memory_bytes,
                storage_bytes: plan.storage_bytes,
                container_id: None,
                address: None,
                exit_code: None,
                restart_count: 0,
                last_lines: None,
                created_at: now,
                started_at: None,
                stopped_at: None,
            };
            instances::insert(&mut self.tx, &row).await?;
            self.payload.new.push(row.id);
            self.changed.push(Changed::Instance(row.id));
        }
        self.touched.insert(node_id);
        Ok(())
    }

    /// Process and index of each instance to be made. Web processes are as many as the customer asks for, others run once.
    async fn wanted(&mut self, release: &stored::Release) -> anyhow::Result<Vec<(String, i64)>> {
        if self.operation.kind == OperationKind::Scale {
            let web = choose::web_instances(self).await?;
            let process = web.first().map_or("web", |row| &row.process).to_owned();
            let missing = self.application.desired_instances - web.len() as i64;
            let free = (0..).filter(|index| !web.iter().any(|row| row.instance_index == *index));
            return Ok(free.take(usize::try_from(missing).unwrap_or(0)).map(|index| (process.clone(), index)).collect());
        }
        let mut wanted = Vec::new();
        for process in releases::processes(release)?.into_iter().filter(releases::runs) {
            let count = if process.kind == ProcessKind::Web { self.application.desired_instances } else { 1 };
            wanted.extend((0..count).map(|index| (process.name.clone(), index)));
        }
        Ok(wanted)
    }

    fn set_deployment(&mut self, status: DeploymentStatus) -> Result<(), Halt> {
        let now = self.p.now();
        let Some(deployment) = self.deployment.as_mut().filter(|deployment| deployment.status != status) else { return Ok(()) };
        if !deployment.status.may_become(status) {
            return Err(Halt::Failed(anyhow::anyhow!("a deployment that is {} cannot become {status}", deployment.status)));
        }
        deployment.status = status;
        deployment.started_at = deployment.started_at.or(Some(now));
        if status.is_terminal() {
            deployment.finished_at = Some(now);
        }
        Ok(())
    }

    /// From here on the new release is the application's.
    async fn settle(&mut self) -> Result<(), Halt> {
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

    async fn keep_last_lines(&mut self, ids: &[InstanceId]) -> Result<(), Halt> {
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
    async fn finish(&mut self) -> Result<(), Halt> {
        let id = self.application.id;
        let viewer = &Viewer::Platform;
        let now = self.p.now();
        self.end_usage().await?;
        match self.operation.kind {
            OperationKind::Stop => {
                applications::set_status(&mut self.tx, viewer, id, ApplicationStatus::Stopped, None).await?;
                self.tell("application.stopped", format!("{} is stopped.", self.application.name));
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
                let what = if self.operation.kind == OperationKind::Start { "started" } else { "restarted" };
                self.tell(&format!("application.{what}"), format!("{} is {what}.", self.application.name));
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

    async fn close(&mut self, operation: OperationStatus, ended: DeploymentStatus, failure: &TaskFailure) -> Result<(), Halt> {
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
        if self.operation.kind == OperationKind::Start {
            applications::set_stopped(&mut self.tx, viewer, id, true).await?;
            applications::set_status(&mut self.tx, viewer, id, ApplicationStatus::Stopped, Some(&failure.message)).await?;
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

/// Ends an operation from outside its worker, and undoes what it has brought. The application's row is held by the caller's
/// transaction, and so must be the operation's, by [`operations::end`].
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

fn unreadable(error: anyhow::Error) -> Halt {
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
