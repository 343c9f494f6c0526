//! Deployments: the rollout of a release.

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use slipway_store::{self as store, Page};

use super::{
    Application, ApplicationInstance, Build, Organization, User,
    state::{DeploymentStatus, DeploymentTrigger, StepKind, StepStatus},
};
use crate::{
    deployments,
    graphql::{context::Request, error::Result, lists, load, scalar::BigInt},
};

/// The rollout of a release.
pub struct Deployment(pub(crate) store::deployments::Deployment);

/// The rollout of a release.
#[Object]
impl Deployment {
    /// Opaque and stable.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Whose it is.
    pub async fn organization(&self, ctx: &Context<'_>) -> Result<Organization> {
        Ok(Organization(ctx.rows().need(self.0.organization_id).await?))
    }

    /// What is deployed.
    async fn application(&self, ctx: &Context<'_>) -> Result<Application> {
        Ok(Application(ctx.rows().need(self.0.application_id).await?))
    }

    /// Counts the application's deployments from 1.
    async fn number(&self) -> i64 {
        self.0.number
    }

    /// How far it is.
    async fn status(&self) -> DeploymentStatus {
        self.0.status.into()
    }

    /// Why, where that is not plain.
    async fn status_reason(&self) -> Option<&str> {
        self.0.status_reason.as_deref()
    }

    /// Why it failed, and what to do.
    async fn failure(&self, ctx: &Context<'_>) -> Result<Option<DeploymentFailure>> {
        let Some(failure) = deployments::failure(&self.0) else { return Ok(None) };
        let instances = ctx.rows().list(lists::InstancesBrought {}, self.0.id, Page::first(Page::MOST)).await?.items;
        let build_log = ctx.rows().need_of(load::EndOfBuildLog(self.0.id)).await?;
        let last_lines = deployments::last_lines(instances, build_log);
        Ok(Some(DeploymentFailure {
            code: failure.code,
            message: failure.message,
            fix: failure.fix,
            file: failure.file,
            line: failure.line,
            exit_code: failure.exit_code,
            last_lines,
        }))
    }

    /// What set it off.
    async fn trigger(&self) -> DeploymentTrigger {
        self.0.trigger.into()
    }

    /// The commit that is deployed.
    async fn commit_sha(&self) -> Option<&str> {
        self.0.commit_sha.as_deref()
    }

    /// Its first line.
    async fn commit_message(&self) -> Option<&str> {
        self.0.commit_message.as_deref()
    }

    /// The branch it was taken from.
    async fn branch(&self) -> Option<&str> {
        self.0.branch.as_deref()
    }

    /// How its image is made.
    async fn build(&self) -> Build {
        Build(self.0.clone())
    }

    /// SHA-256 of the image that it rolls out, once that is there.
    async fn image_digest(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        let release: Option<store::releases::Release> = match self.0.release_id {
            Some(id) => ctx.rows().load(id).await?,
            None => None,
        };
        Ok(release.map(|release| release.image_digest))
    }

    /// Its steps, in order.
    async fn steps(&self, ctx: &Context<'_>) -> Result<Vec<DeploymentStep>> {
        let rows = ctx.rows().need_of(load::StepsOf(self.0.id)).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// The deployment whose release it returns to.
    async fn rollback_of(&self, ctx: &Context<'_>) -> Result<Option<Deployment>> {
        Ok(match self.0.rollback_of {
            Some(id) => ctx.rows().load(id).await?.map(Deployment),
            None => None,
        })
    }

    /// Whether `deploymentRollback` may return to it.
    async fn can_rollback(&self) -> bool {
        deployments::can_rollback(&self.0)
    }

    /// Whether `deploymentCancel` may call it off.
    async fn can_cancel(&self) -> bool {
        deployments::can_cancel(&self.0)
    }

    /// How often it was begun.
    async fn attempt(&self) -> i64 {
        self.0.attempt
    }

    /// Who asked for it.
    async fn created_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        Ok(match self.0.created_by {
            Some(id) => ctx.rows().load(id).await?.map(User),
            None => None,
        })
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it began.
    async fn started_at(&self) -> Option<DateTime<Utc>> {
        self.0.started_at
    }

    /// When it ended, live or not.
    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.0.finished_at
    }

    /// How long it took, in milliseconds.
    async fn duration_ms(&self) -> Option<BigInt> {
        Some(BigInt((self.0.finished_at? - self.0.started_at?).num_milliseconds()))
    }

    /// The instances that it brought.
    async fn instances(&self, ctx: &Context<'_>) -> Result<Vec<ApplicationInstance>> {
        let mut rows = ctx.rows().list(lists::InstancesBrought {}, self.0.id, Page::first(Page::MOST)).await?.items;
        rows.sort_by(|a, b| (&a.process, a.instance_index, a.id).cmp(&(&b.process, b.instance_index, b.id)));
        Ok(rows.into_iter().map(ApplicationInstance).collect())
    }
}

/// One step of a deployment.
#[derive(Debug, Clone, SimpleObject)]
pub struct DeploymentStep {
    /// Which.
    kind: StepKind,
    /// How far it is.
    status: StepStatus,
    /// How often it was begun.
    attempt: i64,
    /// What there is to say of it.
    message: Option<String>,
    /// When it began.
    started_at: Option<DateTime<Utc>>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
}

impl From<store::deployments::DeploymentStep> for DeploymentStep {
    fn from(step: store::deployments::DeploymentStep) -> Self {
        Self {
            kind: step.kind.into(),
            status: step.status.into(),
            attempt: step.attempt,
            message: step.message,
            started_at: step.started_at,
            finished_at: step.finished_at,
        }
    }
}

/// Why a deployment failed, for the person whose application it is.
#[derive(Debug, Clone, SimpleObject)]
pub struct DeploymentFailure {
    /// Stable, such as `BUILD_COMMAND_FAILED`.
    code: String,
    /// What happened and why.
    message: String,
    /// What to do.
    fix: Option<String>,
    /// The file of the source that it is about.
    file: Option<String>,
    /// The line of that file.
    line: Option<u32>,
    /// What the command or process ended with.
    exit_code: Option<i64>,
    /// The last lines that it wrote.
    last_lines: Vec<String>,
}
