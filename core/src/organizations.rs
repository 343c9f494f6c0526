//! Organizations: who owns applications and pays for them.

use slipway_model::{DisplayName, MembershipId, OrganizationId, Role, Slug, Viewer};
use slipway_store::{
    Page, Slice, StoreError, api_tokens, applications as rows,
    memberships::{self, Membership},
    organizations::{self, Organization},
};

use crate::{
    Platform, applications, auth,
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
    slipway_store::audit::note_subject(organization.id);
    slipway_store::audit::note_organization(organization.id);
    tx.commit().await?;
    Ok(organization)
}

/// Changes what an organization is called.
///
/// # Errors
/// Refusals of the input; a taken slug.
pub async fn update(
    platform: &Platform,
    viewer: &Viewer,
    id: OrganizationId,
    name: Option<String>,
    slug: Option<String>,
) -> Result<Organization> {
    let mut tx = platform.db.begin_as(viewer).await?;
    let not_found = || UserError::not_found("id", "organization");
    let mut organization = organizations::lock(&mut tx, viewer, id).await?.ok_or_else(not_found)?;
    applications::require(viewer, id, Role::Admin, "id", "organization")?;
    let mut refusals = Refusals::new();
    if let Some(name) = name.and_then(|name| refusals.parse::<DisplayName>("name", &name)) {
        organization.name = name;
    }
    if let Some(slug) = slug.and_then(|slug| refusals.parse::<Slug>("slug", &slug)) {
        organization.slug = slug;
    }
    refusals.done()?;
    match organizations::update(&mut tx, viewer, &organization).await {
        Err(StoreError::Conflict) => return Err(taken(&organization.slug)),
        outcome => outcome?,
    };
    tx.commit().await?;
    Ok(organization)
}

/// Deletes an organization that has no applications, with its memberships, invitations and tokens.
///
/// # Errors
/// A wrong confirmation; applications that are still there.
pub async fn delete(platform: &Platform, viewer: &Viewer, id: OrganizationId, confirm_slug: &str) -> Result<OrganizationId> {
    let mut tx = platform.db.begin_as(viewer).await?;
    let not_found = || UserError::not_found("id", "organization");
    let organization = organizations::lock(&mut tx, viewer, id).await?.ok_or_else(not_found)?;
    applications::require(viewer, id, Role::Owner, "id", "organization")?;
    if confirm_slug != organization.slug.as_str() {
        return Err(UserError::invalid("confirmSlug", "Type the organization's short name to confirm.").into());
    }
    if rows::count(&mut tx, viewer, id).await? > 0 {
        return Err(UserError::in_use("The organization has applications. Delete or transfer them first.").into());
    }
    let now = platform.now();
    // 26 characters of the id behind a word: a valid slug of 34 that nobody else has.
    let resting = format!("deleted-{}", id.to_string().trim_start_matches("org_"));
    let resting = resting.parse::<Slug>().map_err(Error::internal)?;
    organizations::delete(&mut tx, viewer, id, &resting, now).await?;
    let ended = api_tokens::revoke_within(&mut tx, id, None, now).await?;
    tx.commit().await?;
    crate::memberships::close(platform, ended);
    Ok(id)
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
    Ok(organizations::find(&mut platform.db.read_as(viewer).await?, viewer, id).await?)
}

/// # Errors
/// Those of the database.
pub async fn by_slug(platform: &Platform, viewer: &Viewer, slug: &str) -> Result<Option<Organization>> {
    let Ok(slug) = slug.parse::<Slug>() else { return Ok(None) };
    Ok(organizations::by_slug(&mut platform.db.read_as(viewer).await?, viewer, &slug).await?)
}

/// Those that the caller may see.
///
/// # Errors
/// Those of the database.
pub async fn list(platform: &Platform, viewer: &Viewer, page: &Page) -> Result<Slice<Organization>> {
    Ok(organizations::list(&mut platform.db.read_as(viewer).await?, viewer, page).await?)
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
