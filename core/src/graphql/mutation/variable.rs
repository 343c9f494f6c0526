//! Environment variables.

use async_graphql::{Context, ID, InputObject, Object};
use slipway_store as store;

use crate::{
    deployments,
    error::Result as Outcome,
    graphql::{
        access::{Permission, Role, permitted},
        context::{Request, id},
        error::{Result, answer, payloads},
        scalar::Secret,
        types::{Application, Deployment, EnvironmentVariable, state::VariableScope},
    },
    variables::{self, Change, NewVariable},
};

/// A variable to set.
#[derive(InputObject)]
pub(super) struct EnvironmentVariableInput {
    /// `[A-Za-z_][A-Za-z0-9_]*`, at most 255 characters.
    key: String,
    /// At most 100 KiB.
    value: Secret,
    /// Where it is seen.
    #[graphql(default_with = "VariableScope::Both")]
    scope: VariableScope,
    /// Whether its value is left out of listings.
    #[graphql(default = true)]
    sensitive: bool,
}

impl From<EnvironmentVariableInput> for NewVariable {
    fn from(input: EnvironmentVariableInput) -> Self {
        Self { key: input.key, value: input.value.0, scope: input.scope.into(), sensitive: input.sensitive }
    }
}

/// Variables to set.
#[derive(InputObject)]
struct VariablesSetInput {
    /// Of which application.
    application_id: ID,
    /// All of them, or none: one refused leaves the others unset.
    variables: Vec<EnvironmentVariableInput>,
    /// Whether those that are not named here go.
    #[graphql(default = false)]
    remove_missing: bool,
    /// Whether to deploy at once what serves now, with the new variables.
    #[graphql(default = false)]
    redeploy: bool,
    /// Refuse if the application is no longer of this version.
    expected_version: Option<i64>,
}

/// Variables to remove.
#[derive(InputObject)]
struct VariablesUnsetInput {
    /// Of which application.
    application_id: ID,
    /// Keys that are not set are passed over.
    keys: Vec<String>,
    /// Whether to deploy at once what serves now, without them.
    #[graphql(default = false)]
    redeploy: bool,
}

/// Which variable is shown.
#[derive(InputObject)]
struct VariableRevealInput {
    /// The variable.
    id: ID,
}

payloads! {
    /// What `variablesSet` answers.
    VariablesSetPayload {
        /// The application as it is now.
        application: Application,
        /// All its variables, by key.
        variables: Vec<EnvironmentVariable>,
        /// The deployment that brings them into effect, if one was asked for and something serves.
        deployment: Deployment,
    }
    /// What `variablesUnset` answers.
    VariablesUnsetPayload {
        /// The application as it is now.
        application: Application,
        /// The deployment that brings it into effect, if one was asked for and something serves.
        deployment: Deployment,
    }
    /// What `variableReveal` answers.
    VariableRevealPayload {
        /// The variable.
        variable: EnvironmentVariable,
        /// Its value.
        value: Secret,
    }
}

async fn redeployed(ctx: &Context<'_>, application: &store::applications::Application, wanted: bool) -> Outcome<Option<Deployment>> {
    if !wanted {
        return Ok(None);
    }
    let begun = deployments::redeploy_for_variables(ctx.platform(), ctx.viewer()?, application.id).await?;
    Ok(begun.map(|(deployment, _)| Deployment(deployment)))
}

#[derive(Default)]
pub(super) struct VariableMutation;

#[Object]
impl VariableMutation {
    /// Sets variables. They take effect with the next deployment.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppSecrets))]
    async fn variables_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Variables to set.")] input: VariablesSetInput,
    ) -> Result<VariablesSetPayload> {
        let outcome = async {
            let change = Change {
                application: id("applicationId", &input.application_id)?,
                variables: input.variables.into_iter().map(Into::into).collect(),
                remove_missing: input.remove_missing,
                expected_version: input.expected_version,
            };
            let (application, variables) = variables::set(ctx.platform(), ctx.viewer()?, change).await?;
            let deployment = redeployed(ctx, &application, input.redeploy).await?;
            Ok((application, variables, deployment))
        };
        answer(outcome.await, |(application, variables, deployment)| VariablesSetPayload {
            application: Some(Application(application)),
            variables: Some(variables.into_iter().map(EnvironmentVariable).collect()),
            deployment,
            ..Default::default()
        })
    }

    /// Removes variables. That takes effect with the next deployment.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppSecrets))]
    async fn variables_unset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Variables to remove.")] input: VariablesUnsetInput,
    ) -> Result<VariablesUnsetPayload> {
        let outcome = async {
            let application = id("applicationId", &input.application_id)?;
            let application = variables::unset(ctx.platform(), ctx.viewer()?, application, &input.keys).await?;
            let deployment = redeployed(ctx, &application, input.redeploy).await?;
            Ok((application, deployment))
        };
        answer(outcome.await, |(application, deployment)| VariablesUnsetPayload {
            application: Some(Application(application)),
            deployment,
            ..Default::default()
        })
    }

    /// Shows the value of one variable. That it was shown is written down.
    #[graphql(directive = permitted::apply(Role::OrgAdmin, Permission::AppSecrets))]
    async fn variable_reveal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which variable is shown.")] input: VariableRevealInput,
    ) -> Result<VariableRevealPayload> {
        let outcome = async { variables::reveal(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |(variable, value)| VariableRevealPayload {
            variable: Some(EnvironmentVariable(variable)),
            value: Some(Secret(value)),
            ..Default::default()
        })
    }
}
