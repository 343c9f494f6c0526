//! Regions: where worker nodes stand. They are the administrator's.

use slipway_model::{DisplayName, RegionId, Slug, Viewer};
use slipway_store::{
    Page, Slice, StoreError,
    regions::{self, Region},
};

use crate::{
    Platform,
    error::{Error, Refusals, Result, UserError},
    plans::require_admin,
};

/// A region that shall be.
#[derive(Debug)]
pub struct NewRegion {
    pub slug: String,
    pub name: String,
    pub country: Option<String>,
}

/// # Errors
/// Refusals of the input; a taken slug.
pub async fn create(platform: &Platform, viewer: &Viewer, new: NewRegion) -> Result<Region> {
    require_admin(viewer)?;
    let mut refusals = Refusals::new();
    let slug = refusals.parse::<Slug>("slug", &new.slug);
    let name = refusals.parse::<DisplayName>("name", &new.name);
    let is_code = |code: &String| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
    refusals.check(new.country.as_ref().is_none_or(is_code), || {
        UserError::invalid("country", "Use two capital letters of ISO 3166-1, such as DE.")
    });
    refusals.done()?;
    let (Some(slug), Some(name)) = (slug, name) else { return Err(Error::internal(anyhow::anyhow!("a name refused silently"))) };
    let now = platform.now();
    let id = RegionId::new(&*platform.clock);
    let region = Region { id, slug, name: name.into(), country: new.country, active: true, created_at: now, updated_at: now };
    let mut tx = platform.db.begin().await?;
    match regions::insert(&mut tx, &region).await {
        Err(StoreError::Conflict) => {
            return Err(UserError::already_exists("slug", format!("There is a region `{}` already.", region.slug)).into());
        }
        outcome => outcome?,
    };
    slipway_store::audit::note_subject(region.id);
    tx.commit().await?;
    Ok(region)
}

/// # Errors
/// Refusals of the input.
pub async fn update(platform: &Platform, viewer: &Viewer, id: RegionId, name: Option<String>, active: Option<bool>) -> Result<Region> {
    require_admin(viewer)?;
    let mut refusals = Refusals::new();
    let name = name.and_then(|name| refusals.parse::<DisplayName>("name", &name));
    refusals.done()?;
    let mut tx = platform.db.begin().await?;
    let mut region = regions::find(&mut tx, id).await?.ok_or_else(|| UserError::not_found("id", "region"))?;
    if let Some(name) = name {
        region.name = name.into();
    }
    region.active = active.unwrap_or(region.active);
    region.updated_at = platform.now();
    regions::update(&mut tx, &region).await?;
    tx.commit().await?;
    Ok(region)
}

/// Deletes a region in which nothing stands.
///
/// # Errors
/// A refusal while nodes, applications or invitations of nodes are in it.
pub async fn delete(platform: &Platform, viewer: &Viewer, id: RegionId) -> Result<RegionId> {
    require_admin(viewer)?;
    let mut tx = platform.db.begin().await?;
    regions::find(&mut tx, id).await?.ok_or_else(|| UserError::not_found("id", "region"))?;
    match regions::delete(&mut tx, id).await {
        Err(StoreError::Reference) => {
            let message = "Nodes or applications are, or were, in this region. Deactivate it instead: then nobody else can choose it.";
            return Err(UserError::in_use(message).into());
        }
        outcome => outcome?,
    };
    tx.commit().await?;
    Ok(id)
}

/// # Errors
/// Those of the database.
pub async fn find(platform: &Platform, id: RegionId) -> Result<Option<Region>> {
    Ok(regions::find(&mut platform.db.read_once().await?, id).await?)
}

/// # Errors
/// Those of the database.
pub async fn by_slug(platform: &Platform, slug: &str) -> Result<Option<Region>> {
    let Ok(slug) = slug.parse::<Slug>() else { return Ok(None) };
    Ok(regions::by_slug(&mut platform.db.read_once().await?, &slug).await?)
}

/// # Errors
/// Those of the database.
pub async fn list(platform: &Platform, available_only: bool, page: &Page) -> Result<Slice<Region>> {
    Ok(regions::list(&mut platform.db.read_once().await?, available_only, page).await?)
}
