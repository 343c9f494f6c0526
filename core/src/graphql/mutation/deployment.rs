//! Uploads and deployments.

use async_graphql::{Context, ID, InputObject, Object, OneofObject};
use slipway_model::state::DeploymentTrigger;

use crate::{
    deployments::{self, DeployRequest, DeploySource},
    error::{Error, Refusals, Result as Outcome, UserError},
    graphql::{
        access::{Permission, Role, permitted},
        context::{Request, id},
        cost::cost,
        error::{Result, answer, payloads},
        scalar::BigInt,
        types::{Deployment, Operation, SourceUpload},
    },
    uploads::{self, NewUpload},
};

/// An archive that will be sent.
#[derive(InputObject)]
struct SourceUploadCreateInput {
    /// What it is a source of.
    application_id: ID,
    /// Its exact length, in bytes.
    size_bytes: BigInt,
    /// Its SHA-256, as 64 hexadecimal characters.
    sha256: String,
}

/// What to deploy: exactly one of these.
#[derive(OneofObject)]
enum DeploySourceInput {
    /// A commit of the application's repository.
    CommitSha(String),
    /// An archive that was uploaded.
    UploadId(ID),
    /// A ready image.
    Image(String),
}

/// What to deploy.
#[derive(InputObject)]
struct ApplicationDeployInput {
    /// The application.
    id: ID,
    /// The same key with the same input within 24 hours answers with the same deployment.
    idempotency_key: Option<String>,
    /// Left out: the application's own source.
    source: Option<DeploySourceInput>,
    /// Whether it is built without what earlier builds have left: no step is taken from the cache, and what tools have downloaded before is
    /// not looked at, by this build and those after it.
    #[graphql(default = false)]
    clear_cache: bool,
}

/// Which deployment is called off.
#[derive(InputObject)]
struct DeploymentCancelInput {
    /// The deployment.
    id: ID,
}

/// Which deployment's release is returned to.
#[derive(InputObject)]
struct DeploymentRollbackInput {
    /// An earlier deployment that was live.
    id: ID,
    /// The same key with the same input within 24 hours answers with the same deployment.
    idempotency_key: Option<String>,
}

/// Which deployment is repeated.
#[derive(InputObject)]
struct DeploymentRedeployInput {
    /// The deployment.
    id: ID,
    /// The same key with the same input within 24 hours answers with the same deployment.
    idempotency_key: Option<String>,
}

payloads! {
    /// What `sourceUploadCreate` answers.
    SourceUploadCreatePayload {
        /// Where to send the archive.
        upload: SourceUpload,
    }
    /// What `applicationDeploy` answers.
    ApplicationDeployPayload {
        /// The new deployment.
        deployment: Deployment,
        /// The work that was begun.
        operation: Operation,
    }
    /// What `deploymentCancel` answers.
    DeploymentCancelPayload {
        /// The deployment as it is now.
        deployment: Deployment,
    }
    /// What `deploymentRollback` answers.
    DeploymentRollbackPayload {
        /// The new deployment.
        deployment: Deployment,
        /// The work that was begun.
        operation: Operation,
    }
    /// What `deploymentRedeploy` answers.
    DeploymentRedeployPayload {
        /// The new deployment.
        deployment: Deployment,
        /// The work that was begun.
        operation: Operation,
    }
}

const MAX_KEY_BYTES: usize = 200;

/// An idempotency key is any short text.
fn key(key: Option<String>) -> Outcome<Option<String>> {
    match key {
        Some(key) if key.is_empty() || key.len() > MAX_KEY_BYTES || key.chars().any(char::is_control) => {
            let message = format!("Use 1 to {MAX_KEY_BYTES} bytes without control characters.");
            Err(UserError::invalid("idempotencyKey", message).into())
        }
        key => Ok(key),
    }
}

impl DeploySourceInput {
    fn decode(self) -> Outcome<DeploySource> {
        match self {
            Self::CommitSha(sha) => {
                let fits = (7..=64).contains(&sha.len()) && sha.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
                if !fits {
                    let message = "Use the commit's hash: 7 to 64 hexadecimal characters in lower case.";
                    return Err(UserError::invalid("source.commitSha", message).into());
                }
                Ok(DeploySource::Commit(sha))
            }
            Self::UploadId(upload) => Ok(DeploySource::Upload(id("source.uploadId", &upload)?)),
            Self::Image(image) => {
                let mut refusals = Refusals::new();
                let image = refusals.parse("source.image", &image);
                refusals.done()?;
                image.map(DeploySource::Image).ok_or_else(|| Error::internal(anyhow::anyhow!("an image refused silently")))
            }
        }
    }
}

#[derive(Default)]
pub(super) struct DeploymentMutation;

#[Object]
impl DeploymentMutation {
    /// Announces an archive. Send it to `uploadUrl` within 15 minutes, then deploy it.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppDeploy))]
    async fn source_upload_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An archive that will be sent.")] input: SourceUploadCreateInput,
    ) -> Result<SourceUploadCreatePayload> {
        let outcome = async {
            let application = id("applicationId", &input.application_id)?;
            let new = NewUpload { application, size_bytes: input.size_bytes.0, sha256: input.sha256 };
            uploads::create(ctx.platform(), ctx.viewer()?, new).await
        };
        answer(outcome.await, |(row, ticket)| SourceUploadCreatePayload {
            upload: Some(SourceUpload { row, ticket: Some(ticket) }),
            ..Default::default()
        })
    }

    /// Deploys an application. The answer comes at once; the work is promised.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppDeploy), directive = cost::apply(500, None))]
    async fn application_deploy(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to deploy.")] input: ApplicationDeployInput,
    ) -> Result<ApplicationDeployPayload> {
        let outcome = async {
            let request = DeployRequest {
                application: id("id", &input.id)?,
                source: input.source.map(DeploySourceInput::decode).transpose()?,
                fresh: input.clear_cache,
                idempotency_key: key(input.idempotency_key)?,
                trigger: if ctx.caller().is_program() { DeploymentTrigger::Api } else { DeploymentTrigger::Manual },
            };
            deployments::request(ctx.platform(), ctx.viewer()?, request).await
        };
        answer(outcome.await, |(deployment, operation)| ApplicationDeployPayload {
            deployment: Some(Deployment(deployment)),
            operation: Some(Operation(operation)),
            ..Default::default()
        })
    }

    /// Calls a deployment off, until its switch has begun. What was live before still is.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppDeploy))]
    async fn deployment_cancel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which deployment is called off.")] input: DeploymentCancelInput,
    ) -> Result<DeploymentCancelPayload> {
        let outcome = async { deployments::cancel(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |row| DeploymentCancelPayload { deployment: Some(Deployment(row)), ..Default::default() })
    }

    /// Returns to the release of an earlier deployment: its image with the variables that it had.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppDeploy), directive = cost::apply(500, None))]
    async fn deployment_rollback(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which deployment's release is returned to.")] input: DeploymentRollbackInput,
    ) -> Result<DeploymentRollbackPayload> {
        let outcome =
            async { deployments::rollback(ctx.platform(), ctx.viewer()?, id("id", &input.id)?, key(input.idempotency_key)?).await };
        answer(outcome.await, |(deployment, operation)| DeploymentRollbackPayload {
            deployment: Some(Deployment(deployment)),
            operation: Some(Operation(operation)),
            ..Default::default()
        })
    }

    /// Deploys the source of an earlier deployment once more, with today's settings.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppDeploy), directive = cost::apply(500, None))]
    async fn deployment_redeploy(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which deployment is repeated.")] input: DeploymentRedeployInput,
    ) -> Result<DeploymentRedeployPayload> {
        let outcome =
            async { deployments::redeploy(ctx.platform(), ctx.viewer()?, id("id", &input.id)?, key(input.idempotency_key)?).await };
        answer(outcome.await, |(deployment, operation)| DeploymentRedeployPayload {
            deployment: Some(Deployment(deployment)),
            operation: Some(Operation(operation)),
            ..Default::default()
        })
    }
}
