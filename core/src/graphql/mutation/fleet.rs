//! What administrators of the platform change: worker nodes and plugins.

use async_graphql::{Context, ID, InputObject, Object};
use slipway_model as model;

use crate::{
    Platform,
    error::Error,
    graphql::{
        access::{Permission, Role, permitted},
        context::{Request, id},
        error::{Result, answer, payloads},
        scalar::Secret,
        types::{NodeEnrollmentToken, Plugin, WorkerNode, worker_node::NodeInstallInstructions},
    },
    install,
    nodes::{self, NodeChange},
    plugins,
};

/// An invitation for one new node.
#[derive(InputObject)]
struct NodeEnrollmentTokenCreateInput {
    /// Where the node stands.
    region_id: ID,
    /// What it will be called; left out: what it calls itself.
    node_name: Option<String>,
    /// For how long it may be used: 60 to 86,400 seconds.
    #[graphql(default = 300)]
    ttl_seconds: i64,
}

/// Which invitation ends.
#[derive(InputObject)]
struct NodeEnrollmentTokenRevokeInput {
    /// The token's id.
    id: ID,
}

/// What shall be different of a node; what is left out stays.
#[derive(InputObject)]
struct NodeUpdateInput {
    /// The node.
    id: ID,
    /// What people call it.
    name: Option<String>,
    /// An object of names and texts.
    labels: Option<serde_json::Value>,
    /// Whether it takes no new deployments.
    cordoned: Option<bool>,
}

/// Whose identity ends.
#[derive(InputObject)]
struct NodeIdentityRevokeInput {
    /// The node.
    id: ID,
}

/// Which node is forgotten.
#[derive(InputObject)]
struct NodeDeleteInput {
    /// The node.
    id: ID,
}

/// Whether a plugin is at work.
#[derive(InputObject)]
struct PluginSetEnabledInput {
    /// The plugin.
    id: ID,
    /// `true` also takes it out of quarantine.
    enabled: bool,
    /// Switches it off although it is in use: what runs goes on, and nothing new begins on it.
    #[graphql(default = false)]
    drain: bool,
}

payloads! {
    /// What `nodeEnrollmentTokenCreate` answers.
    NodeEnrollmentTokenCreatePayload {
        /// The new token, without its secret.
        enrollment_token: NodeEnrollmentToken,
        /// How the machine is made to join.
        install: NodeInstallInstructions,
    }
    /// What `nodeEnrollmentTokenRevoke` answers.
    NodeEnrollmentTokenRevokePayload {
        /// The token that ended.
        revoked_id: ID,
    }
    /// What `nodeUpdate` answers.
    NodeUpdatePayload {
        /// The node as it is now.
        worker_node: WorkerNode,
    }
    /// What `nodeIdentityRevoke` answers.
    NodeIdentityRevokePayload {
        /// The node as it is now.
        worker_node: WorkerNode,
    }
    /// What `nodeDelete` answers.
    NodeDeletePayload {
        /// The node that went.
        deleted_id: ID,
    }
    /// What `pluginSetEnabled` answers.
    PluginSetEnabledPayload {
        /// The plugin as it is now.
        plugin: Plugin,
    }
}

/// What makes a machine join, by the first address at which agents reach this control plane.
fn join_command(platform: &Platform, token: &model::Secret) -> String {
    format!("slipway agent enroll --core {} --token {}", install::core_url(&platform.config), token.expose())
}

/// What makes a bare machine a node: the script is checked before it runs, and checks what it fetches.
async fn script(platform: &Platform, token: &model::Secret) -> Result<String, Error> {
    let offer = platform.installer.offer(&platform.config).await.map_err(Error::internal)?;
    let url = platform.config.public_url.as_str().trim_end_matches('/');
    Ok(format!(
        "curl -fsS {url}/install.sh -o slipway-install.sh && echo '{}  slipway-install.sh' | sha256sum -c - && sh slipway-install.sh --token {}",
        offer.script_sha256,
        token.expose()
    ))
}

#[derive(Default)]
pub(super) struct FleetMutation;

#[Object]
impl FleetMutation {
    /// Invites one new node into a region.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::NodeWrite))]
    async fn node_enrollment_token_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An invitation for one new node.")] input: NodeEnrollmentTokenCreateInput,
    ) -> Result<NodeEnrollmentTokenCreatePayload> {
        let platform = ctx.platform();
        let outcome = async {
            let region = id("regionId", &input.region_id)?;
            let new = nodes::enrollment_token_create(platform, ctx.viewer()?, region, input.node_name, input.ttl_seconds).await?;
            let script = script(platform, &new.token).await?;
            Ok::<_, Error>((new, script))
        };
        answer(outcome.await, |(new, script)| NodeEnrollmentTokenCreatePayload {
            install: Some(NodeInstallInstructions {
                ca_fingerprint: new.ca_fingerprint.to_string(),
                command: join_command(platform, &new.token),
                script,
                expires_at: new.row.expires_at,
                token: Secret(new.token),
            }),
            enrollment_token: Some(NodeEnrollmentToken(new.row)),
            ..Default::default()
        })
    }

    /// Ends an invitation that was not used.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::NodeWrite))]
    async fn node_enrollment_token_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which invitation ends.")] input: NodeEnrollmentTokenRevokeInput,
    ) -> Result<NodeEnrollmentTokenRevokePayload> {
        let outcome = async { nodes::enrollment_token_revoke(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |()| NodeEnrollmentTokenRevokePayload { revoked_id: Some(input.id.clone()), ..Default::default() })
    }

    /// Renames, labels, cordons or uncordons a node.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::NodeWrite))]
    async fn node_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What shall be different.")] input: NodeUpdateInput,
    ) -> Result<NodeUpdatePayload> {
        let change = NodeChange { name: input.name, labels: input.labels, cordoned: input.cordoned };
        let outcome = async { nodes::update(ctx.platform(), ctx.viewer()?, id("id", &input.id)?, change).await };
        answer(outcome.await, |node| NodeUpdatePayload { worker_node: Some(WorkerNode(node)), ..Default::default() })
    }

    /// Ends a node's identity: its agent is cut off at once, for good.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::NodeWrite))]
    async fn node_identity_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose identity ends.")] input: NodeIdentityRevokeInput,
    ) -> Result<NodeIdentityRevokePayload> {
        let outcome = async { nodes::revoke(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |node| NodeIdentityRevokePayload { worker_node: Some(WorkerNode(node)), ..Default::default() })
    }

    /// Forgets a node that nothing ever ran on.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::NodeWrite))]
    async fn node_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which node is forgotten.")] input: NodeDeleteInput,
    ) -> Result<NodeDeletePayload> {
        let outcome = async { nodes::delete(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |id| NodeDeletePayload { deleted_id: Some(ID(id.to_string())), ..Default::default() })
    }

    /// Switches a plugin on or off. One that is in use is refused with the names of its users, unless it is drained.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PluginWrite))]
    async fn plugin_set_enabled(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whether a plugin is at work.")] input: PluginSetEnabledInput,
    ) -> Result<PluginSetEnabledPayload> {
        let outcome = async {
            let id = id("id", &input.id)?;
            plugins::set_enabled(ctx.platform(), ctx.viewer()?, id, input.enabled, input.drain).await
        };
        answer(outcome.await, |plugin| PluginSetEnabledPayload { plugin: Some(Plugin(plugin)), ..Default::default() })
    }
}
