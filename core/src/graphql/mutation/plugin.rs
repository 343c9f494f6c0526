//! What administrators of the platform do with plugins, beside switching them on and off.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use crate::{
    graphql::{
        access::{Permission, Role, permitted},
        context::{Request, id},
        error::{Result, answer, payloads},
        scalar::{BigInt, Secret},
        types::{Plugin, plugin::PluginGrant},
    },
    plugins,
};

/// An archive that shall be sent.
#[derive(InputObject)]
struct PluginArchiveCreateInput {
    /// How long it is, in bytes: 64 MiB at most.
    size_bytes: BigInt,
    /// SHA-256 of the archive, in hexadecimal.
    sha256: String,
}

/// Which archive becomes a plugin.
#[derive(InputObject)]
struct PluginInstallInput {
    /// SHA-256 of an archive that was sent, in hexadecimal: what is installed is this and nothing else.
    sha256: String,
    /// What the plugin may have of what it asks for. It is installed only if that is all of it.
    grants: Vec<PluginGrant>,
}

/// Which archive takes the place of an installed plugin.
#[derive(InputObject)]
struct PluginUpgradeInput {
    /// The plugin.
    id: ID,
    /// SHA-256 of an archive that was sent, in hexadecimal.
    sha256: String,
    /// What the new version may have of what it asks for.
    grants: Vec<PluginGrant>,
}

/// A plugin's settings.
#[derive(InputObject)]
struct PluginConfigureInput {
    /// The plugin.
    id: ID,
    /// All of them, as an object that fits the plugin's `settingsSchema`. A secret that is left out stays as it is; `null` takes it away.
    settings: serde_json::Value,
}

/// Which plugin is taken out of quarantine.
#[derive(InputObject)]
struct PluginReleaseInput {
    /// The plugin.
    id: ID,
}

/// Which plugin is removed.
#[derive(InputObject)]
struct PluginRemoveInput {
    /// The plugin, which has been disabled before.
    id: ID,
}

/// Where an archive of a plugin is sent to.
#[derive(SimpleObject)]
pub struct PluginArchive {
    /// By `PUT`, with the archive's exact length. Whoever has it may send this archive and no other.
    upload_url: Secret,
    /// Until when it may be sent.
    expires_at: DateTime<Utc>,
}

payloads! {
    /// What `pluginArchiveCreate` answers.
    PluginArchiveCreatePayload {
        /// Where the archive is sent to.
        archive: PluginArchive,
    }
    /// What `pluginInstall` answers.
    PluginInstallPayload {
        /// The new plugin, which is disabled.
        plugin: Plugin,
    }
    /// What `pluginUpgrade` answers.
    PluginUpgradePayload {
        /// The plugin in its new version.
        plugin: Plugin,
    }
    /// What `pluginConfigure` answers.
    PluginConfigurePayload {
        /// The plugin with its new settings.
        plugin: Plugin,
    }
    /// What `pluginRelease` answers.
    PluginReleasePayload {
        /// The plugin as it is now.
        plugin: Plugin,
    }
    /// What `pluginRemove` answers.
    PluginRemovePayload {
        /// The plugin that went.
        removed_id: ID,
    }
}

fn grants(grants: Vec<PluginGrant>) -> Vec<plugins::Grant> {
    grants.into_iter().map(Into::into).collect()
}

#[derive(Default)]
pub(super) struct PluginMutation;

#[Object]
impl PluginMutation {
    /// Announces an archive of a plugin: a gzip-compressed tar with `plugin.toml` and the files that it names.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PluginWrite))]
    async fn plugin_archive_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An archive that shall be sent.")] input: PluginArchiveCreateInput,
    ) -> Result<PluginArchiveCreatePayload> {
        let platform = ctx.platform();
        let outcome = ctx.viewer().and_then(|viewer| plugins::announce(platform, viewer, input.size_bytes.0, &input.sha256));
        answer(outcome, |announced| {
            let base = platform.config.public_url.as_str().trim_end_matches('/');
            let url = slipway_model::Secret::new(format!("{base}/plugin-archives/{}", announced.ticket.expose()));
            let archive = PluginArchive { upload_url: Secret(url), expires_at: announced.expires_at };
            PluginArchiveCreatePayload { archive: Some(archive), ..Default::default() }
        })
    }

    /// Installs a plugin from an archive that was sent. It is started once, apart, to see that it works, and is disabled until
    /// `pluginSetEnabled`.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PluginWrite))]
    async fn plugin_install(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which archive becomes a plugin.")] input: PluginInstallInput,
    ) -> Result<PluginInstallPayload> {
        let outcome = async { plugins::install(ctx.platform(), ctx.viewer()?, &input.sha256, &grants(input.grants)).await };
        answer(outcome.await, |plugin| PluginInstallPayload { plugin: Some(Plugin(plugin)), ..Default::default() })
    }

    /// Puts another version in the place of an installed plugin, once that runs beside it and has answered. Otherwise the present
    /// version stays.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PluginWrite))]
    async fn plugin_upgrade(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which archive takes the place of an installed plugin.")] input: PluginUpgradeInput,
    ) -> Result<PluginUpgradePayload> {
        let outcome = async {
            let id = id("id", &input.id)?;
            plugins::upgrade(ctx.platform(), ctx.viewer()?, id, &input.sha256, &grants(input.grants)).await
        };
        answer(outcome.await, |plugin| PluginUpgradePayload { plugin: Some(Plugin(plugin)), ..Default::default() })
    }

    /// Gives a plugin its settings. They are kept encrypted.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PluginWrite))]
    async fn plugin_configure(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A plugin's settings.")] input: PluginConfigureInput,
    ) -> Result<PluginConfigurePayload> {
        let outcome = async { plugins::configure(ctx.platform(), ctx.viewer()?, id("id", &input.id)?, input.settings).await };
        answer(outcome.await, |plugin| PluginConfigurePayload { plugin: Some(Plugin(plugin)), ..Default::default() })
    }

    /// Takes a plugin out of quarantine.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PluginWrite))]
    async fn plugin_release(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which plugin is taken out of quarantine.")] input: PluginReleaseInput,
    ) -> Result<PluginReleasePayload> {
        let outcome = async { plugins::release(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |plugin| PluginReleasePayload { plugin: Some(Plugin(plugin)), ..Default::default() })
    }

    /// Removes an installed plugin that is disabled and that nothing uses.
    #[graphql(directive = permitted::apply(Role::PlatformAdmin, Permission::PluginWrite))]
    async fn plugin_remove(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which plugin is removed.")] input: PluginRemoveInput,
    ) -> Result<PluginRemovePayload> {
        let outcome = async { plugins::remove(ctx.platform(), ctx.viewer()?, id("id", &input.id)?).await };
        answer(outcome.await, |id| PluginRemovePayload { removed_id: Some(ID(id.to_string())), ..Default::default() })
    }
}
