//! Builds: how a deployment's image is made.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use slipway_buildpack_wit::Plan;
use slipway_model::{BuildId, state as model};
use slipway_protocol::Outcome;
use slipway_store as store;

use super::{
    Deployment, Organization, Runtime, WorkerNode,
    log::{LogBatch, LogLine},
    state::LogStream,
};
use crate::{
    deployments,
    error::UserError,
    graphql::{
        context::Request,
        cost::cost,
        error::Result,
        load,
        scalar::{BigInt, Slug},
    },
    runtimes,
};

/// How far a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum BuildStatus {
    /// Not yet begun.
    Queued,
    /// Under way.
    Running,
    /// Its image is there, or none had to be built.
    Succeeded,
    /// There is no image.
    Failed,
    /// It was called off.
    Canceled,
}

/// A runtime that was recognized in a source.
#[derive(SimpleObject)]
pub struct DetectedRuntime {
    /// Such as `node`.
    kind: Slug,
    /// The runtime, as far as it is on offer.
    runtime: Option<Runtime>,
    /// How sure its buildpack is: 0 to 1.
    confidence: f64,
    /// The files that speak for it, and why.
    evidence: Vec<String>,
    /// The exact version that it was resolved to.
    version: Option<String>,
}

/// How a deployment's image is made: from fetching the source to the finished image.
pub struct Build(pub(crate) store::deployments::Deployment);

/// How a deployment's image is made: from fetching the source to the finished image.
#[Object]
impl Build {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(BuildId::from_uuid(self.0.id.uuid()).to_string())
    }

    /// Whose it is.
    pub async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        Ok(Organization(ctx.rows().need(self.0.organization_id).await?))
    }

    /// What it is made for.
    async fn deployment(&self) -> Deployment {
        Deployment(self.0.clone())
    }

    /// How far it is.
    async fn status(&self) -> BuildStatus {
        match (self.0.release_id, self.0.status) {
            (Some(_), _) => BuildStatus::Succeeded,
            (None, model::DeploymentStatus::Queued | model::DeploymentStatus::Scheduling) => BuildStatus::Queued,
            (None, model::DeploymentStatus::Failed) => BuildStatus::Failed,
            (None, model::DeploymentStatus::Canceled | model::DeploymentStatus::Superseded) => BuildStatus::Canceled,
            (None, _) => BuildStatus::Running,
        }
    }

    /// The runtime that it is built for, in the version it was resolved to as far as that is on offer.
    async fn runtime(&self, ctx: &Context<'_>) -> Result<Option<Runtime>> {
        let Some(plan) = self.parsed_plan() else { return Ok(None) };
        let version = self.locked_version(&plan.buildpack);
        let of_kind = ctx.rows().need_of(load::RuntimesOf(plan.buildpack)).await?;
        Ok(runtimes::matching(&of_kind, version.as_deref()).cloned().map(Runtime))
    }

    /// What was recognized, and by what.
    async fn detected(&self, ctx: &Context<'_>) -> Result<Vec<DetectedRuntime>> {
        let Some(plan) = self.parsed_plan() else { return Ok(Vec::new()) };
        let version = self.locked_version(&plan.buildpack);
        let of_kind = ctx.rows().need_of(load::RuntimesOf(plan.buildpack.clone())).await?;
        let runtime = runtimes::matching(&of_kind, version.as_deref()).cloned().map(Runtime);
        let evidence = plan.detection.reasons.into_iter().map(|reason| format!("{}: {}", reason.file, reason.why)).collect();
        let confidence = f64::from(plan.detection.score) / 100.0;
        Ok(vec![DetectedRuntime { kind: Slug(plan.buildpack), runtime, confidence, evidence, version }])
    }

    /// The plan that its buildpack made: steps, images, processes.
    async fn plan(&self) -> Option<serde_json::Value> {
        self.0.plan.clone()
    }

    /// The exact versions of tools that it was built with.
    async fn tool_lock(&self) -> Option<serde_json::Value> {
        self.0.tool_lock.clone()
    }

    /// SHA-256 of the finished image.
    async fn image_digest(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        Ok(self.release(ctx).await?.map(|release| release.image_digest))
    }

    /// How large the finished image is.
    async fn image_bytes(&self, ctx: &Context<'_>) -> Result<Option<BigInt>> {
        Ok(self.release(ctx).await?.map(|release| BigInt(release.image_bytes)))
    }

    /// The machine it is built on. Only administrators of the platform see this.
    async fn node(&self, ctx: &Context<'_>) -> Result<Option<WorkerNode>> {
        Ok(match self.0.node_id.filter(|_| ctx.viewer().is_ok_and(slipway_model::Viewer::is_platform_admin)) {
            Some(id) => ctx.rows().load(id).await?.map(WorkerNode),
            None => None,
        })
    }

    /// What its command ended with, if that is why it failed.
    async fn exit_code(&self) -> Option<i64> {
        deployments::failure(&self.0).filter(|_| self.0.release_id.is_none())?.exit_code
    }

    /// Why it failed.
    async fn failure_reason(&self) -> Option<String> {
        deployments::failure(&self.0).filter(|_| self.0.release_id.is_none()).map(|failure| failure.message)
    }

    /// When its deployment began.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.0.started_at
    }

    /// When it ended: its image was there, or there was to be none.
    async fn finished_at(&self, ctx: &Context<'_>) -> Result<Option<DateTime<Utc>>> {
        if self.0.release_id.is_none() && !self.0.status.is_terminal() {
            return Ok(None);
        }
        let steps = ctx.rows().need_of(load::StepsOf(self.0.id)).await?;
        let is_of_build = |kind| matches!(kind, model::StepKind::FetchSource | model::StepKind::Detect | model::StepKind::Build);
        let done = steps.into_iter().filter(|step| is_of_build(step.kind) && step.status != model::StepStatus::Skipped);
        Ok(done.filter_map(|step| step.finished_at).max())
    }

    /// Whether every command and every copy was unchanged and taken from the cache. `null`: nothing was built, or its node does not say.
    async fn cache_hit(&self, ctx: &Context<'_>) -> Result<Option<bool>> {
        Ok(self.built(ctx).await?.and_then(|(from_cache, _)| from_cache))
    }

    /// How long its log is, in bytes.
    async fn log_bytes(&self, ctx: &Context<'_>) -> Result<BigInt> {
        Ok(BigInt(ctx.rows().need_of(load::SizeOfBuildLog(self.0.id)).await?))
    }

    /// Whether its log was cut at its size limit. `null`: nothing was built.
    async fn log_truncated(&self, ctx: &Context<'_>) -> Result<Option<bool>> {
        Ok(self.built(ctx).await?.map(|(_, log_truncated)| log_truncated))
    }

    /// A piece of its log, in order. `buildLogs` follows it.
    #[graphql(directive = cost::apply(50, None))]
    async fn logs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many lines: 1 to 1000.", default_with = "Some(100)")] first: Option<i32>,
        #[graphql(desc = "Only lines after this cursor.")] after: Option<String>,
    ) -> Result<LogBatch> {
        let first = first.unwrap_or(100);
        if !(1..=1000).contains(&first) {
            return Err(crate::error::Error::from(UserError::invalid("first", "Use 1 to 1000.")).into());
        }
        let after = line_number(after.as_deref())?;
        let tx = &mut ctx.platform().db.read().await?;
        let lines = store::build_logs::after(tx, ctx.viewer()?, self.0.id, after, i64::from(first)).await?;
        Ok(batch(lines, after))
    }
}

impl Build {
    fn parsed_plan(&self) -> Option<Plan> {
        let plan = self.0.plan.clone()?;
        serde_json::from_value(plan).map_err(|error| tracing::error!(%error, deployment = %self.0.id, "a plan cannot be read")).ok()
    }

    /// The exact version of the tool that bears the runtime's name.
    fn locked_version(&self, kind: &str) -> Option<String> {
        self.0.tool_lock.as_ref()?.get(kind)?.get("version")?.as_str().map(str::to_owned)
    }

    /// What its node said of it: whether it came from the cache, and whether its log was cut.
    async fn built(&self, ctx: &Context<'_>) -> Result<Option<(Option<bool>, bool)>> {
        let outcome = ctx.rows().need_of(load::BuildOutcomeOf(self.0.id)).await?;
        Ok(match serde_json::from_value(outcome) {
            Ok(Outcome::Built { from_cache, log_truncated, .. }) => Some((from_cache, log_truncated)),
            // It failed, was called off, or has not ended.
            Ok(_) | Err(_) => None,
        })
    }

    async fn release(&self, ctx: &Context<'_>) -> Result<Option<store::releases::Release>> {
        Ok(match self.0.release_id {
            Some(id) => ctx.rows().load(id).await?,
            None => None,
        })
    }
}

/// A cursor of a build log is the number of the line that was last seen.
pub(crate) fn line_number(cursor: Option<&str>) -> Result<i64, crate::error::Error> {
    let Some(cursor) = cursor else { return Ok(0) };
    let number = cursor.parse().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| UserError::invalid("after", "Not a cursor that this log gave.").into())
}

pub(crate) fn batch(lines: Vec<store::build_logs::BuildLogLine>, after: i64) -> LogBatch {
    let end = lines.last().map_or(after, |line| line.line_number);
    let lines = lines.into_iter().map(|line| LogLine {
        cursor: line.line_number.to_string(),
        timestamp: line.at,
        stream: if line.task_id.is_some() { LogStream::Build } else { LogStream::System },
        instance_id: None,
        message: line.message,
        truncated: false,
    });
    LogBatch { lines: lines.collect(), end_cursor: end.to_string(), dropped_lines: 0 }
}
