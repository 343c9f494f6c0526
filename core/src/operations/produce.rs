//! What a build and a start leave behind: a release, and instances of it.

use anyhow::Context;
use slipway_buildpack_wit::ProcessKind;
use slipway_model::{
    InstanceId, ReleaseId, Viewer,
    state::{InstanceStatus, OperationKind, VariableScope},
};
use slipway_protocol::{Outcome, TaskFailure};
use slipway_store::{instances, plans, releases as stored, tasks};

use super::{
    choose, situation, specs,
    work::{Halt, Work, unreadable},
};
use crate::{changes::Changed, releases};

impl Work<'_> {
    pub(super) async fn record_release(&mut self) -> Result<(), Halt> {
        let task = self.payload.task.context("a release comes of a task")?;
        let task = tasks::find(&mut self.tx, task).await?.context("the task is gone")?;
        let Some(Outcome::Built { image, digest, image_bytes, exposed_ports, log_truncated, .. }) = situation::outcome(&task)? else {
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

    pub(super) async fn create_instances(&mut self) -> Result<(), Halt> {
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
        if self.payload.only.is_some() {
            // One that ended for good in the meantime has been given up, and is not replaced.
            let replaced = instances::by_ids(&mut self.tx, &Viewer::Platform, &self.payload.retiring).await?;
            return Ok(replaced.into_values().map(|row| (row.process, row.instance_index)).collect());
        }
        let mut wanted = Vec::new();
        for process in releases::processes(release)?.into_iter().filter(releases::runs) {
            let count = if process.kind == ProcessKind::Web { self.application.desired_instances } else { 1 };
            wanted.extend((0..count).map(|index| (process.name.clone(), index)));
        }
        Ok(wanted)
    }
}
