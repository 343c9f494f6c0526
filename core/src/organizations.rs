//! Organizations: who owns applications and pays for them.

use slipway_model::{DisplayName, MembershipId, OrganizationId, Role, Slug, UserId, Viewer};
use slipway_store::{
    Page, Slice, StoreError,
    memberships::{self, Membership},
    organizations::{self, Organization},
};

use crate::{
    Platform, auth,
    error::{Error, Refusals, Result, UserError},
};

/// An organization that shall be.
#[derive(Debug)]
pub struct NewOrganization {
    pub name: String,
    /// `None`: the nearest to the name.
    pub slug: Option<String>,
}

/// Founds an organization, whose first owner is the caller.
///
/// # Errors
/// Refusals of the input; a taken slug.
pub async fn create(platform: &Platform, viewer: &Viewer, new: NewOrganization) -> Result<Organization> {
    let Viewer::User { id: user_id, .. } = viewer else { return Err(Error::Forbidden) };
    // A token made for one organization is no licence to found others.
    if auth::only_organization(platform, viewer).await?.is_some() {
        return Err(Error::Forbidden);
    }
    let mut refusals = Refusals::new();
    let name = refusals.parse::<DisplayName>("name", &new.name);
    let slug = slug(&mut refusals, new.slug.as_deref(), &new.name);
    refusals.done()?;
    let (Some(name), Some(slug)) = (name, slug) else { return Err(Error::internal(anyhow::anyhow!("a name refused silently"))) };
    let now = platform.now();
    let organization = Organization { id: OrganizationId::new(&*platform.clock), slug, name, created_at: now };
    let owner = Membership {
        id: MembershipId::new(&*platform.clock),
        organization_id: organization.id,
        user_id: *user_id,
        role: Role::Owner,
        created_at: now,
    };
    let mut tx = platform.db.begin().await?;
    match organizations::insert(&mut tx, &organization).await {
        Err(StoreError::Conflict) => return Err(taken(&organization.slug)),
        outcome => outcome?,
    }
    memberships::insert(&mut tx, &owner).await?;
    tx.commit().await?;
    Ok(organization)
}

/// The slug that was asked for, or the nearest to a name.
pub(crate) fn slug(refusals: &mut Refusals, slug: Option<&str>, name: &str) -> Option<Slug> {
    match slug {
        Some(slug) => refusals.parse("slug", slug),
        None => {
            let nearest = Slug::nearest(name);
            refusals.check(nearest.is_some(), || {
                UserError::invalid("slug", "No short name can be made of this name: say one, of lower-case letters, digits and hyphens.")
            });
            nearest
        }
    }
}

pub(crate) fn taken(slug: &Slug) -> Error {
    UserError::already_exists("slug", format!("The short name `{slug}` is taken.")).into()
}

/// # Errors
/// Those of the database.
pub async fn find(platform: &Platform, viewer: &Viewer, id: OrganizationId) -> Result<Option<Organization>> {
    Ok(organizations::find(&mut platform.db.read_once().await?, viewer, id).await?)
}

/// # Errors
/// Those of the database.
pub async fn by_slug(platform: &Platform, viewer: &Viewer, slug: &str) -> Result<Option<Organization>> {
    let Ok(slug) = slug.parse::<Slug>() else { return Ok(None) };
    Ok(organizations::by_slug(&mut platform.db.read_once().await?, viewer, &slug).await?)
}

/// Those that the caller may see.
///
/// # Errors
/// Those of the database.
pub async fn list(platform: &Platform, viewer: &Viewer, page: &Page) -> Result<Slice<Organization>> {
    Ok(organizations::list(&mut platform.db.read_once().await?, viewer, page).await?)
}

/// Who belongs to it.
///
/// # Errors
/// Those of the database.
pub async fn members(platform: &Platform, viewer: &Viewer, id: OrganizationId) -> Result<Vec<Membership>> {
    Ok(memberships::of_organization(&mut platform.db.read_once().await?, viewer, id).await?)
}

/// Where a person belongs, as far as the caller may see it.
///
/// # Errors
/// Those of the database.
pub async fn memberships_of(platform: &Platform, viewer: &Viewer, user: UserId) -> Result<Vec<Membership>> {
    let all = memberships::of_user(&mut platform.db.read_once().await?, user).await?;
    Ok(all.into_iter().filter(|membership| viewer.role_in(membership.organization_id).is_some()).collect())
}

/// That the caller is at least `role` in the organization. Who does not belong to it learns nothing of it.
///
/// # Errors
/// [`Error::NotFound`] for strangers, [`Error::Forbidden`] for members of a lesser role.
pub fn require(viewer: &Viewer, organization: OrganizationId, role: Role) -> Result<()> {
    match viewer.role_in(organization) {
        None => Err(Error::NotFound),
        Some(own) if own < role => Err(Error::Forbidden),
        Some(_) => Ok(()),
    }
}
