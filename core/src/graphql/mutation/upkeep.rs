//! What administrators of the platform do now and then: images of their own, regions that go, nodes that are emptied, defaults again.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};

use crate::{
    graphql::{
        access::{Permission, Role, permitted},
        context::{Request, id},
        error::{Result, answer, payloads},
        types::{Operation, Plan, Runtime, WorkerNode},
    },
    nodes, regions,
    runtimes::{self, NewRuntime},
    seed,
};

/// An image of the platform's own, for a version that a plugin brings.
#[derive(InputObject)]
struct RuntimeCreateInput {
    /// Short name, unique on the platform.
    slug: String,
    /// The kind of runtime, such as `node`, as a plugin brings it.
    kind: String,
    /// What people call it.
    name: String,
    /// The version that it is for, such as `22`; `22.14.0` is for that one alone.
    version: String,
    /// The image that applications are built in.
    builder_image: String,
    /// The image that applications run in; left out: the same.
    run_image: Option<String>,
}

/// Which image goes.
#[derive(InputObject)]
struct RuntimeDeleteInput {
    /// A runtime that an administrator made, and that nothing was built with.
    id: ID,
}

/// Which region goes.
#[derive(InputObject)]
struct RegionDeleteInput {
    /// A region in which nothing stands.
    id: ID,
}

/// Which node is emptied.
#[derive(InputObject)]
struct NodeDrainInput {
    /// The node.
    id: ID,
    /// For how long it is tried: 60 to 86,400 seconds. What has not moved by then stays.
    #[graphql(default = 600)]
    deadline_seconds: i64,
}

/// Whose key is renewed.
#[derive(InputObject)]
struct NodeIdentityRotateInput {
    /// The node.
    id: ID,
}

/// What a platform begins with, once more.
#[derive(InputObject)]
struct DefaultsSeedInput {
    /// Only say what would be made.
    #[graphql(default = false)]
    dry_run: bool,
}

/// An application that stays on a node that is emptied.
#[derive(SimpleObject)]
pub struct StayingApplication {
    /// The application.
    application_id: ID,
    /// Why it cannot be moved.
    reason: String,
}

payloads! {
    /// What `runtimeCreate` answers.
    RuntimeCreatePayload {
        /// The new runtime.
        runtime: Runtime,
    }
    /// What `runtimeDelete` answers.
    RuntimeDeletePayload {
        /// The runtime that went.
        deleted_id: ID,
    }
    /// What `regionDelete` answers.
    RegionDeletePayload {
        /// The region that went.
        deleted_id: ID,
    }
    /// What `nodeDrain` answers.
    NodeDrainPayload {
        /// The node, which takes nothing new from now on.
        worker_node: WorkerNode,
        /// The work that was begun: a deployment for each application on it.
        operations: Vec<Operation>,
        /// Those that cannot be moved.
        stays: Vec<StayingApplication>,
    }
    /// What `nodeIdentityRotate` answers.
    NodeIdentityRotatePayload {
        /// The node, which makes another key.
        worker_node: WorkerNode,
    }
    /// What `defaultsSeed` answers.
    DefaultsSeedPayload {
        /// Plans that were missing, and are made, or would be.
        plans: Vec<Plan>,
        /// Runtimes of the plugins that were missing.
        runtimes: Vec<Runtime>,
    }
}

#[derive(Default)]
pub(super) struct UpkeepMutation;

#[Object]
impl UpkeepMutation {
    /// Has builds of a version take other images than its plugin names.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformWrite))]
    async fn runtime_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An image of the platform's own.")] input: RuntimeCreateInput,
    ) -> Result<RuntimeCreatePayload> {
        let RuntimeCreateInput { slug, kind, name, version, builder_image, run_image } = input;
        let new = NewRuntime { slug, kind, name, version, builder_image, run_image };
        let outcome = runtimes::create(ctx.platform(), ctx.viewer()?, new).await;
        answer(outcome, |runtime| RuntimeCreatePayload { runtime: Some(Runtime(runtime)), ..Default::default() })
    }

    /// Deletes an image of the platform's own. What a plugin brings is deactivated instead.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformWrite))]
    async fn runtime_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which image goes.")] input: RuntimeDeleteInput,
    ) -> Result<RuntimeDeletePayload> {
        let outcome = async { runtimes::delete(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |id| RuntimeDeletePayload { deleted_id: Some(ID(id.to_string())), ..Default::default() })
    }

    /// Deletes a region in which nothing stands. Deactivate one that is in use.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformWrite))]
    async fn region_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which region goes.")] input: RegionDeleteInput,
    ) -> Result<RegionDeletePayload> {
        let outcome = async { regions::delete(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |id| RegionDeletePayload { deleted_id: Some(ID(id.to_string())), ..Default::default() })
    }

    /// Empties a node: it takes nothing new, and what runs on it is deployed once more on others of its region.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::NodeWrite))]
    async fn node_drain(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which node is emptied.")] input: NodeDrainInput,
    ) -> Result<NodeDrainPayload> {
        let outcome = async { nodes::drain(ctx.platform(), ctx.viewer()?, id("id", &input.id)?, input.deadline_seconds).await };
        answer(outcome.await, |drained| {
            let stays = drained.stays.into_iter();
            NodeDrainPayload {
                worker_node: Some(WorkerNode(drained.node)),
                operations: Some(drained.moves.into_iter().map(Operation).collect()),
                stays: Some(
                    stays
                        .map(|stays| StayingApplication { application_id: ID(stays.application.to_string()), reason: stays.reason })
                        .collect(),
                ),
                ..Default::default()
            }
        })
    }

    /// Has a node make another key. Its present one holds until it comes with the new one.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::NodeWrite))]
    async fn node_identity_rotate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose key is renewed.")] input: NodeIdentityRotateInput,
    ) -> Result<NodeIdentityRotatePayload> {
        let outcome = async { nodes::renew_key(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |node| NodeIdentityRotatePayload { worker_node: Some(WorkerNode(node)), ..Default::default() })
    }

    /// Makes what a fresh platform has and this one does not: the usual plans, and the runtimes of its plugins. What there is stays.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PlatformWrite))]
    async fn defaults_seed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whether it is only said what would be made.")] input: DefaultsSeedInput,
    ) -> Result<DefaultsSeedPayload> {
        let outcome = seed::again(ctx.platform(), ctx.viewer()?, input.dry_run).await;
        answer(outcome, |(plans, runtimes)| DefaultsSeedPayload {
            plans: Some(plans.into_iter().map(Plan).collect()),
            runtimes: Some(runtimes.into_iter().map(Runtime).collect()),
            ..Default::default()
        })
    }
}
