//! Switching plugins on and off, out of quarantine, and removing them.

use slipway_model::{PluginRowId, Viewer};
use slipway_plugin_host::{Kind, Plugin};
use slipway_store::{
    nodes,
    plugins::{self, Plugin as PluginRow},
    runtimes as store_runtimes,
};

use super::{
    Installed, installed,
    installing::{PATIENCE, directory, discard},
};
use crate::{
    Platform,
    error::{Error, Result, UserError, UserErrorCode},
    plans::require_admin,
    runtimes,
};

/// Users of a plugin that are named when it is refused to switch it off.
const NAMED: usize = 20;

/// Switches a plugin on or off. Switching one on also takes it out of quarantine. One that is in use is switched off only with `drain`:
/// what runs goes on, and nothing new begins on it.
///
/// # Errors
/// When there is none of that id, it could not be loaded, or it is in use.
pub async fn set_enabled(platform: &Platform, viewer: &Viewer, id: PluginRowId, enabled: bool, drain: bool) -> Result<Installed> {
    require_admin(viewer)?;
    let _one_at_a_time = platform.plugins.exclusively().await;
    let row = find(platform, id).await?;
    let Some(plugin) = platform.plugins.get(&row.plugin_id) else {
        return Err(UserError::invalid_state("This plugin could not be loaded; its status says why.").into());
    };
    if !enabled && plugin.is_enabled() && !drain {
        refuse_in_use(
            platform,
            viewer,
            &plugin,
            "`drain: true` switches it off all the same: what runs goes on, and nothing new begins on it.",
        )
        .await?;
    }
    let mut tx = platform.db.begin().await?;
    let approved = plugin.library_sha256().parse().ok();
    if !plugins::set_enabled(&mut tx, id, enabled, approved, platform.now()).await? {
        return Err(UserError::not_found("id", "plugin").into());
    }
    if enabled {
        plugins::release(&mut tx, id, platform.now()).await?;
    }
    if plugin.kind() == Kind::Runtime {
        store_runtimes::set_active_of_plugin(&mut tx, &row.plugin_id, enabled, platform.now()).await?;
    }
    if plugin.kind() == Kind::Ingress {
        nodes::bump_all_generations(&mut tx).await?;
    }
    tx.commit().await?;
    plugin.set_enabled(enabled);
    if plugin.kind() == Kind::Ingress {
        tell_nodes(platform).await?;
    }
    if enabled {
        plugin.release();
        runtimes::synchronize(platform).await?;
    } else {
        // Its process has nothing to do until it is enabled again.
        tokio::spawn(async move { plugin.pause(PATIENCE).await });
    }
    installed(platform, find(platform, id).await?)
}

/// Whose routes they are, how they are rendered, and by which proxy, is part of what every node is told. One that asked after the row was
/// written and before the plugin was switched was told the old: so all are told again.
pub(super) async fn tell_nodes(platform: &Platform) -> Result<()> {
    let mut tx = platform.db.begin().await?;
    let told = nodes::bump_all_generations(&mut tx).await?;
    tx.commit().await?;
    told.into_iter().for_each(|node| platform.fleet.nudge(node));
    Ok(())
}

/// Takes a plugin out of quarantine. Whether it is enabled stays as it is.
///
/// # Errors
/// When there is none of that id, or it is not quarantined.
pub async fn release(platform: &Platform, viewer: &Viewer, id: PluginRowId) -> Result<Installed> {
    require_admin(viewer)?;
    let row = find(platform, id).await?;
    let plugin = platform.plugins.get(&row.plugin_id);
    let is_quarantined = row.quarantined_at.is_some() || plugin.as_ref().is_some_and(|plugin| plugin.quarantined_for().is_some());
    if !is_quarantined {
        return Err(UserError::invalid_state("This plugin is not quarantined.").into());
    }
    let mut tx = platform.db.begin().await?;
    plugins::release(&mut tx, id, platform.now()).await?;
    tx.commit().await?;
    if let Some(plugin) = plugin {
        plugin.release();
        if plugin.kind() == Kind::Ingress && plugin.is_enabled() {
            tell_nodes(platform).await?;
        }
    }
    installed(platform, find(platform, id).await?)
}

/// Removes an installed plugin that is switched off and that nobody uses.
///
/// # Errors
/// When there is none of that id, it came with the platform, is enabled or in use.
pub async fn remove(platform: &Platform, viewer: &Viewer, id: PluginRowId) -> Result<PluginRowId> {
    require_admin(viewer)?;
    let _one_at_a_time = platform.plugins.exclusively().await;
    let row = find(platform, id).await?;
    let plugin = platform.plugins.get(&row.plugin_id);
    let is_gone = plugin.is_none() && !platform.plugins.incompatible().iter().any(|broken| broken.is(&row.plugin_id));
    if row.archive_sha256.is_none() && !is_gone {
        return Err(UserError::invalid_state("This plugin came with the platform. It can be disabled, not removed.").into());
    }
    if row.enabled && plugin.is_some() {
        return Err(UserError::invalid_state("Disable the plugin first.").into());
    }
    if let Some(plugin) = &plugin {
        refuse_in_use(platform, viewer, plugin, "Move them to another runtime first.").await?;
    }
    let mut tx = platform.db.begin().await?;
    store_runtimes::set_active_of_plugin(&mut tx, &row.plugin_id, false, platform.now()).await?;
    plugins::delete(&mut tx, id).await?;
    tx.commit().await?;
    // The row is gone: whatever of it a crash leaves behind, the next start removes.
    platform.plugins.remove(&row.plugin_id);
    if let Some(plugin) = plugin {
        plugin.retire(PATIENCE).await;
    }
    if let Some(archive) = row.archive_sha256 {
        discard(&directory(&platform.config.data_dir, &row.plugin_id, archive)).await;
    }
    tracing::info!(plugin = row.plugin_id, "plugin removed");
    Ok(id)
}

async fn find(platform: &Platform, id: PluginRowId) -> Result<PluginRow> {
    let found = plugins::find(&mut platform.db.read_once().await?, id).await?;
    found.ok_or_else(|| UserError::not_found("id", "plugin").into())
}

async fn refuse_in_use(platform: &Platform, viewer: &Viewer, plugin: &Plugin, fix: &str) -> Result<()> {
    let users = users(platform, viewer, plugin).await?;
    if users.count == 0 {
        return Ok(());
    }
    let named = users.named.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let by = match (named.is_empty(), users.count > users.named.len().min(NAMED)) {
        (true, _) => "applications of organizations that your token does not open".to_owned(),
        (false, true) => format!("{named} and more"),
        (false, false) => named,
    };
    let message = format!("The plugin is in use by {by}. {fix}");
    Err(Error::from(UserError::new(UserErrorCode::InUse, "id", message)))
}

/// Who would miss a plugin.
struct Users {
    /// Those that the caller may see, by name.
    named: Vec<String>,
    /// All that there are, up to one more than would be named.
    count: usize,
}

/// Applications that a plugin builds, or the platform where it is the last of its kind.
async fn users(platform: &Platform, viewer: &Viewer, plugin: &Plugin) -> Result<Users> {
    let named = match plugin.kind() {
        Kind::Runtime => {
            // One that does not say what it is has no users that could be found.
            let Ok(description) = plugin.describe_anyway().await else { return Ok(Users { named: Vec::new(), count: 0 }) };
            let most = i64::try_from(NAMED + 1).unwrap_or(i64::MAX);
            let named = plugins::applications_on(&mut platform.db.read_as(viewer).await?, viewer, &description.slug, most).await?;
            // Whoever may not see an application may not take its runtime away either.
            let mut tx = platform.db.read().await?;
            let count = plugins::applications_on(&mut tx, &Viewer::Platform, &description.slug, most).await?.len();
            return Ok(Users { named, count });
        }
        kind @ (Kind::Billing | Kind::Ingress) => {
            let is_last = plugin.is_usable() && platform.plugins.of_kind(kind).len() == 1;
            let what = if kind == Kind::Billing { "the platform's only billing" } else { "the platform's only ingress" };
            is_last.then(|| what.to_owned())
        }
    };
    Ok(Users { count: usize::from(named.is_some()), named: named.into_iter().collect() })
}
