//! What is done to single instances, and to operations.

use async_graphql::{Context, ID, InputObject, Object};

use crate::{
    graphql::{
        access::{Permission, Role, permitted},
        context::{Request, id},
        error::{Result, answer, payloads},
        types::{ApplicationInstance, Operation},
    },
    lifecycle, operations,
};

/// Which instance is replaced.
#[derive(InputObject)]
struct InstanceRestartInput {
    /// The instance.
    id: ID,
}

/// What is called off.
#[derive(InputObject)]
struct OperationCancelInput {
    /// The operation.
    id: ID,
}

/// What is tried once more.
#[derive(InputObject)]
struct OperationRetryInput {
    /// An operation that failed or was called off.
    id: ID,
}

payloads! {
    /// What `instanceRestart` answers.
    InstanceRestartPayload {
        /// The instance that goes once the new one serves.
        instance: ApplicationInstance,
        /// The work that was begun.
        operation: Operation,
    }
    /// What `operationCancel` answers.
    OperationCancelPayload {
        /// The operation as it ended.
        operation: Operation,
    }
    /// What `operationRetry` answers.
    OperationRetryPayload {
        /// The work that was begun: another operation.
        operation: Operation,
    }
}

#[derive(Default)]
pub(super) struct OperationMutation;

#[Object]
impl OperationMutation {
    /// Replaces one instance of an application by a new one of the same release.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppDeploy))]
    async fn instance_restart(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which instance is replaced.")] input: InstanceRestartInput,
    ) -> Result<InstanceRestartPayload> {
        let outcome = async { lifecycle::restart_instance(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |(instance, operation)| InstanceRestartPayload {
            instance: Some(ApplicationInstance(instance)),
            operation: Some(Operation(operation)),
            ..Default::default()
        })
    }

    /// Calls a deployment, a restart or a start off, while visitors are not being switched yet.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppDeploy))]
    async fn operation_cancel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is called off.")] input: OperationCancelInput,
    ) -> Result<OperationCancelPayload> {
        let outcome = async { operations::cancel(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |operation| OperationCancelPayload { operation: Some(Operation(operation)), ..Default::default() })
    }

    /// Asks for what an operation did not do once more, with the settings as they are now.
    #[graphql(directive = permitted::apply(Role::OrgMember, Permission::AppDeploy))]
    async fn operation_retry(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is tried once more.")] input: OperationRetryInput,
    ) -> Result<OperationRetryPayload> {
        let outcome = async { operations::retry(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |operation| OperationRetryPayload { operation: Some(Operation(operation)), ..Default::default() })
    }
}
