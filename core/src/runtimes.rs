//! Runtimes, as the enabled runtime plugins bring them. What an administrator switched stays switched.

use chrono::TimeDelta;
use slipway_model::{ImageRef, RuntimeId, Viewer};
use slipway_plugin_host::{Kind, messages::RuntimeDescription};
use slipway_store::{
    Page, Slice,
    runtimes::{self, Runtime},
};

use crate::{
    Platform,
    error::{Result, UserError},
    plans::require_admin,
};

/// Writes down what the enabled runtime plugins offer now. A version that none offers any more stays for those who use it.
///
/// # Errors
/// Those of the database. A plugin that does not answer is passed over, and says so in the log.
pub async fn synchronize(platform: &Platform) -> Result<()> {
    for plugin in platform.plugins.of_kind(Kind::Runtime) {
        match plugin.runtime_describe().await {
            Ok(description) => write(platform, plugin.id(), description).await?,
            Err(error) => tracing::warn!(plugin = plugin.id(), %error, "a runtime plugin does not say what it offers"),
        }
    }
    Ok(())
}

async fn write(platform: &Platform, plugin: &str, description: RuntimeDescription) -> Result<()> {
    let now = platform.now();
    let mut tx = platform.db.begin().await?;
    for (order, version) in (0..).zip(description.versions) {
        if let Some(bad) = [&version.build_image, &version.run_image].into_iter().find(|image| image.parse::<ImageRef>().is_err()) {
            tracing::warn!(plugin, image = bad, "a runtime plugin names an image that is none: passed over");
            continue;
        }
        let slug = format!("{}-{}", description.slug, version.version.replace('.', "-"));
        let runtime = Runtime {
            id: RuntimeId::new(&*platform.clock),
            slug,
            kind: description.slug.clone(),
            name: format!("{} {}", description.name, version.version),
            version: version.version,
            builder_image: version.build_image,
            run_image: version.run_image,
            default_build_command: None,
            default_start_command: None,
            default_port: Some(i64::from(description.default_port)),
            active: true,
            is_default: version.is_default,
            plugin: plugin.to_owned(),
            eol_at: version.end_of_life,
            // Lists stand by age: a plugin's versions stay in its order.
            created_at: now + TimeDelta::microseconds(order),
            updated_at: now,
        };
        runtimes::upsert(&mut tx, &runtime).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Offers a runtime, or no longer. What runs on it goes on.
///
/// # Errors
/// When there is none of that id.
pub async fn set_active(platform: &Platform, viewer: &Viewer, id: RuntimeId, active: Option<bool>) -> Result<Runtime> {
    require_admin(viewer)?;
    let mut tx = platform.db.begin().await?;
    let mut runtime = runtimes::find(&mut tx, id).await?.ok_or_else(|| UserError::not_found("id", "runtime"))?;
    runtime.active = active.unwrap_or(runtime.active);
    runtime.updated_at = platform.now();
    runtimes::update(&mut tx, &runtime).await?;
    tx.commit().await?;
    Ok(runtime)
}

/// # Errors
/// Those of the database.
pub async fn find(platform: &Platform, id: RuntimeId) -> Result<Option<Runtime>> {
    Ok(runtimes::find(&mut platform.db.read().await?, id).await?)
}

/// # Errors
/// Those of the database.
pub async fn by_slug(platform: &Platform, slug: &str) -> Result<Option<Runtime>> {
    Ok(runtimes::by_slug(&mut platform.db.read().await?, slug).await?)
}

/// The version of a kind that is taken where none is asked for.
///
/// # Errors
/// Those of the database.
pub async fn default_of(platform: &Platform, kind: &str) -> Result<Option<Runtime>> {
    Ok(runtimes::default_of(&mut platform.db.read().await?, kind).await?)
}

/// The runtime of a kind that an exact version such as `22.14.0` belongs to, or else its default.
///
/// # Errors
/// Those of the database.
pub async fn matching(platform: &Platform, kind: &str, version: Option<&str>) -> Result<Option<Runtime>> {
    let of_kind = runtimes::list_of_kind(&mut platform.db.read().await?, kind, false, &Page::first(Page::MOST)).await?.items;
    let belongs = |runtime: &Runtime| {
        version.is_some_and(|version| version == runtime.version || version.starts_with(&format!("{}.", runtime.version)))
    };
    match (of_kind.into_iter().find(belongs), version) {
        (Some(runtime), _) => Ok(Some(runtime)),
        // A version that is built but not offered, such as one past its end of life, is no other version.
        (None, Some(_)) => Ok(None),
        (None, None) => default_of(platform, kind).await,
    }
}

/// # Errors
/// Those of the database.
pub async fn list(platform: &Platform, kind: Option<&str>, active_only: bool, page: &Page) -> Result<Slice<Runtime>> {
    let tx = &mut platform.db.read().await?;
    Ok(match kind {
        Some(kind) => runtimes::list_of_kind(tx, kind, active_only, page).await?,
        None => runtimes::list(tx, active_only, page).await?,
    })
}
