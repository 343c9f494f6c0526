//! What a step records, effect by effect, in one transaction.

use anyhow::Context;
use slipway_model::state::DeploymentStatus;
use slipway_store::{deployments, instances, tasks};

use super::{
    choose, specs,
    work::{Halt, Work, unreadable},
};
use crate::{releases, rollout::Effect};

impl Work<'_> {
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
}
