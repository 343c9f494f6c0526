//! Runtimes, as the enabled runtime plugins bring them. What an administrator switched stays switched.

use chrono::TimeDelta;
use slipway_model::{DisplayName, ImageRef, RuntimeId, Slug, Viewer};
use slipway_plugin_host::{Kind, messages::RuntimeDescription};
use slipway_store::{
    Page, Slice,
    runtimes::{self, Runtime},
};

use crate::{
    Platform,
    error::{Error, Refusals, Result, UserError},
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

/// Stands in the place of a plugin's id with what an administrator made.
pub const ADMINISTRATOR: &str = "administrator";

/// An image of the administrator's own for a version that a plugin brings.
#[derive(Debug)]
pub struct NewRuntime {
    pub slug: String,
    /// Of the plugin's runtimes.
    pub kind: String,
    pub name: String,
    /// Such as `22`, or `22.14.0` for that one alone.
    pub version: String,
    pub builder_image: String,
    /// `None`: the same.
    pub run_image: Option<String>,
}

/// Has builds of a version take other images than those that its plugin names: such as with an organization's certificates in them. Which
/// versions there are, and how they are built, stays the plugin's to say.
///
/// # Errors
/// Refusals of the input; a taken slug.
pub async fn create(platform: &Platform, viewer: &Viewer, new: NewRuntime) -> Result<Runtime> {
    require_admin(viewer)?;
    let mut refusals = Refusals::new();
    let slug = refusals.parse::<Slug>("slug", &new.slug);
    let name = refusals.parse::<DisplayName>("name", &new.name);
    let builder_image = refusals.parse::<ImageRef>("builderImage", &new.builder_image);
    let run_image = match &new.run_image {
        Some(image) => refusals.parse::<ImageRef>("runImage", image),
        None => builder_image.clone(),
    };
    let is_version = !new.version.is_empty() && new.version.len() <= 40 && new.version.split('.').all(|part| part.parse::<u32>().is_ok());
    refusals.check(is_version, || UserError::invalid("version", "Use numbers with dots between them, such as 22 or 22.14.0."));
    let mut tx = platform.db.begin().await?;
    let of_kind = runtimes::of_kinds(&mut tx, &[&new.kind]).await?;
    refusals.check(of_kind.iter().any(|runtime| runtime.plugin != ADMINISTRATOR), || {
        UserError::invalid("kind", "Use the kind of a runtime that a plugin brings, such as node.")
    });
    refusals.done()?;
    let (Some(slug), Some(name), Some(builder_image), Some(run_image)) = (slug, name, builder_image, run_image) else {
        return Err(Error::internal(anyhow::anyhow!("a name refused silently")));
    };
    let is_same = |runtime: &&Runtime| runtime.plugin == ADMINISTRATOR && runtime.version == new.version;
    if let Some(same) = of_kind.iter().find(is_same) {
        let message = format!("There is an image for {} {} already: {}.", new.kind, new.version, same.slug);
        return Err(UserError::already_exists("version", message).into());
    }
    if runtimes::by_slug(&mut tx, slug.as_str()).await?.is_some() {
        return Err(UserError::already_exists("slug", format!("There is a runtime `{slug}` already.")).into());
    }
    let now = platform.now();
    let runtime = Runtime {
        id: RuntimeId::new(&*platform.clock),
        slug: slug.to_string(),
        kind: new.kind,
        name: name.into(),
        version: new.version,
        builder_image: builder_image.to_string(),
        run_image: run_image.to_string(),
        default_build_command: None,
        default_start_command: None,
        default_port: of_kind.iter().find_map(|runtime| runtime.default_port),
        active: true,
        is_default: false,
        plugin: ADMINISTRATOR.to_owned(),
        eol_at: None,
        created_at: now,
        updated_at: now,
    };
    let runtime = runtimes::upsert(&mut tx, &runtime).await?;
    slipway_store::audit::note_subject(runtime.id);
    tx.commit().await?;
    Ok(runtime)
}

/// Deletes an image of the administrator's own.
///
/// # Errors
/// A plugin brings it, or an application is built with it.
pub async fn delete(platform: &Platform, viewer: &Viewer, id: RuntimeId) -> Result<RuntimeId> {
    require_admin(viewer)?;
    let mut tx = platform.db.begin().await?;
    let runtime = runtimes::find(&mut tx, id).await?.ok_or_else(|| UserError::not_found("id", "runtime"))?;
    if runtime.plugin != ADMINISTRATOR {
        let message = format!("The plugin {} brings this runtime, and would bring it again. Deactivate it instead.", runtime.plugin);
        return Err(UserError::in_use(message).into());
    }
    let users = runtimes::built_with(&mut tx, &runtime.builder_image).await? + runtimes::built_with(&mut tx, &runtime.run_image).await?;
    if users > 0 {
        return Err(UserError::in_use("Applications are built with this image. Deactivate it: their next deployment takes another.").into());
    }
    runtimes::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(id)
}

/// The administrator's image for a version of a kind, if there is one that is offered: that which says the version most exactly.
#[must_use]
pub fn own_image<'a>(of_administrator: &'a [Runtime], kind: &str, version: &str) -> Option<&'a Runtime> {
    let belongs = |runtime: &&Runtime| {
        let is_line = version == runtime.version || version.starts_with(&format!("{}.", runtime.version));
        runtime.active && runtime.kind == kind && is_line
    };
    of_administrator.iter().filter(belongs).max_by_key(|runtime| runtime.version.len())
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
    let offered = || of_kind.iter().rev().filter(|runtime| runtime.active && runtime.plugin != ADMINISTRATOR);
    offered().find(|runtime| runtime.is_default).or_else(|| offered().next())
}

/// Of the versions of a kind that which an exact version such as `22.14.0` belongs to, or else its default. A version that is
/// built but not offered, such as one past its end of life, is no other version.
#[must_use]
pub fn matching<'a>(of_kind: &'a [Runtime], version: Option<&str>) -> Option<&'a Runtime> {
    let Some(version) = version else { return default_of(of_kind) };
    let belongs = |runtime: &&Runtime| {
        runtime.plugin != ADMINISTRATOR && (version == runtime.version || version.starts_with(&format!("{}.", runtime.version)))
    };
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

    #[test]
    fn the_administrators_image_is_taken_for_the_versions_that_it_is_for() {
        let own = |version: &str, active| Runtime { plugin: ADMINISTRATOR.into(), slug: version.into(), ..runtime(version, active, false) };
        let images = [own("22", true), own("22.14.0", true), own("24", false)];
        let image = |version| own_image(&images, "node", version).map(|runtime| runtime.version.as_str());
        assert_eq!(image("22.9.1"), Some("22"));
        assert_eq!(image("22.14.0"), Some("22.14.0"));
        assert_eq!(image("24.1.0"), None, "it is not offered");
        assert_eq!(image("220.1.0"), None);
        assert_eq!(own_image(&images, "python", "22.1").map(|runtime| &runtime.slug), None);
        assert_eq!(default_of(&images).map(|runtime| &runtime.slug), None, "it is no version of its own");
    }
}
