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
    Ok(runtimes::find(&mut platform.db.read_once().await?, id).await?)
}

/// # Errors
/// Those of the database.
pub async fn by_slug(platform: &Platform, slug: &str) -> Result<Option<Runtime>> {
    Ok(runtimes::by_slug(&mut platform.db.read_once().await?, slug).await?)
}

/// Of the versions of a kind, oldest first, that which is taken where none is asked for: the marked one that is offered, or else
/// the youngest that is.
#[must_use]
pub fn default_of(of_kind: &[Runtime]) -> Option<&Runtime> {
    let offered = || of_kind.iter().rev().filter(|runtime| runtime.active);
    offered().find(|runtime| runtime.is_default).or_else(|| offered().next())
}

/// Of the versions of a kind that which an exact version such as `22.14.0` belongs to, or else its default. A version that is
/// built but not offered, such as one past its end of life, is no other version.
#[must_use]
pub fn matching<'a>(of_kind: &'a [Runtime], version: Option<&str>) -> Option<&'a Runtime> {
    let Some(version) = version else { return default_of(of_kind) };
    let belongs = |runtime: &&Runtime| version == runtime.version || version.starts_with(&format!("{}.", runtime.version));
    of_kind.iter().find(belongs)
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

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn runtime(version: &str, active: bool, is_default: bool) -> Runtime {
        Runtime {
            id: RuntimeId::from_uuid(uuid::Uuid::nil()),
            slug: format!("node-{version}"),
            kind: "node".into(),
            name: format!("Node.js {version}"),
            version: version.into(),
            builder_image: String::new(),
            run_image: String::new(),
            default_build_command: None,
            default_start_command: None,
            default_port: None,
            active,
            is_default,
            plugin: "runtime-node".into(),
            eol_at: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_default_of_a_kind_is_the_marked_one_that_is_offered_or_else_the_youngest() {
        let version = |of_kind: &[Runtime]| default_of(of_kind).map(|runtime| runtime.version.clone());
        assert_eq!(version(&[]), None);
        assert_eq!(version(&[runtime("20", true, true), runtime("22", true, false)]).as_deref(), Some("20"));
        assert_eq!(version(&[runtime("20", false, true), runtime("22", true, false), runtime("24", false, false)]).as_deref(), Some("22"));
        assert_eq!(version(&[runtime("20", false, true)]), None);
    }

    #[test]
    fn a_version_belongs_to_its_line() {
        let of_kind = [runtime("2", true, true), runtime("22", true, false)];
        let line = |version| matching(&of_kind, version).map(|runtime| runtime.version.as_str());
        assert_eq!(line(Some("22.14.0")), Some("22"));
        assert_eq!(line(Some("22")), Some("22"));
        assert_eq!(line(Some("24.0.0")), None);
        assert_eq!(line(None), Some("2"));
    }
}
