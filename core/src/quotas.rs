//! How much an organization may have. Checked in the transaction that would bring more, so that many at once are not each the last.

use slipway_model::{OrganizationId, Viewer};
use slipway_store::{
    Tx, operations, organizations,
    quotas::{self, Quota},
};

use crate::{
    Platform,
    error::{Error, Refusals, Result, UserError, UserErrorCode, UserErrorData},
};

/// Where no administrator said otherwise.
const USUAL_APPLICATIONS: i64 = 100;
const USUAL_INSTANCES: i64 = 200;
/// A node builds one more at once: one organization alone does not keep it from the others (F43).
const USUAL_BUILDS: i64 = 2;
/// More than anybody has.
const MOST: i64 = 1_000_000;

/// What an organization may have, and has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub max_applications: i64,
    pub max_instances: i64,
    pub max_builds_concurrent: i64,
    pub used_applications: i64,
    pub used_instances: i64,
}

async fn standing(tx: &mut Tx, viewer: &Viewer, organization: OrganizationId) -> Result<Standing> {
    let quota = quotas::find(tx, viewer, organization).await?;
    Ok(Standing::of(quota.as_ref(), quotas::used(tx, viewer, organization).await?))
}

impl Standing {
    /// Of an organization with that quota, which uses so many applications and instances.
    #[must_use]
    pub fn of(quota: Option<&Quota>, (used_applications, used_instances): (i64, i64)) -> Self {
        Self {
            max_applications: quota.map_or(USUAL_APPLICATIONS, |quota| quota.max_applications),
            max_instances: quota.map_or(USUAL_INSTANCES, |quota| quota.max_instances),
            max_builds_concurrent: quota.map_or(USUAL_BUILDS, |quota| quota.max_builds_concurrent),
            used_applications,
            used_instances,
        }
    }
}

/// What would come to what there is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct More {
    pub applications: i64,
    pub instances: i64,
}

/// Refuses what would be more than the organization may have. Nobody else adds to it before the transaction ends.
pub(crate) async fn check(tx: &mut Tx, viewer: &Viewer, organization: OrganizationId, more: More) -> Result<()> {
    organizations::lock(tx, viewer, organization).await?.ok_or(Error::NotFound)?;
    let standing = standing(tx, viewer, organization).await?;
    let mut refusals = Refusals::new();
    for (more, used, limit, path, what) in [
        (more.applications, standing.used_applications, standing.max_applications, "", "applications"),
        (more.instances, standing.used_instances, standing.max_instances, "instances", "instances in all"),
    ] {
        let used = used.saturating_add(more);
        if more > 0 && used > limit {
            let message = format!("Your organization may have {limit} {what}. Ask an administrator of the platform for more.");
            let error = UserError::new(UserErrorCode::QuotaExceeded, path, message);
            refusals.push(error.with(UserErrorData::Quota { limit, used }));
        }
    }
    refusals.done()
}

/// Whether an organization has as many builds under way as it may. Nobody else begins one of it before the transaction ends.
pub(crate) async fn is_building_enough(tx: &mut Tx, organization: OrganizationId) -> Result<bool> {
    let everybody = &Viewer::Platform;
    organizations::lock(tx, everybody, organization).await?.ok_or(Error::NotFound)?;
    let quota = quotas::find(tx, everybody, organization).await?;
    let most = Standing::of(quota.as_ref(), (0, 0)).max_builds_concurrent;
    Ok(operations::building(tx, organization).await? >= most)
}

/// How much an organization shall have; `None` leaves it.
#[derive(Debug, Clone, Copy, Default)]
pub struct QuotaChange {
    pub max_applications: Option<i64>,
    pub max_instances: Option<i64>,
    pub max_builds_concurrent: Option<i64>,
}

/// Changes how much an organization may have; `None` leaves it. What it has already stays, even if that is more.
///
/// # Errors
/// [`Error::Forbidden`] for others than administrators of the platform; refusals of the input.
pub async fn update(platform: &Platform, viewer: &Viewer, organization: OrganizationId, change: QuotaChange) -> Result<Standing> {
    let QuotaChange { max_applications, max_instances, max_builds_concurrent } = change;
    if !viewer.is_platform_admin() {
        return Err(Error::Forbidden);
    }
    // Whoever runs the platform says so for every organization, also by token.
    let everybody = &Viewer::Platform;
    let mut refusals = Refusals::new();
    for (path, most) in [("maxApplications", max_applications), ("maxInstances", max_instances)] {
        refusals.check(most.is_none_or(|most| (0..=MOST).contains(&most)), || UserError::invalid(path, format!("Use 0 to {MOST}.")));
    }
    refusals.check(max_builds_concurrent.is_none_or(|most| (1..=MOST).contains(&most)), || {
        UserError::invalid("maxBuildsConcurrent", format!("Use 1 to {MOST}."))
    });
    refusals.done()?;
    let mut tx = platform.db.begin().await?;
    let not_found = || UserError::not_found("organizationId", "organization");
    organizations::lock(&mut tx, everybody, organization).await?.ok_or_else(not_found)?;
    let now = standing(&mut tx, everybody, organization).await?;
    let quota = Quota {
        organization_id: organization,
        max_applications: max_applications.unwrap_or(now.max_applications),
        max_instances: max_instances.unwrap_or(now.max_instances),
        max_builds_concurrent: max_builds_concurrent.unwrap_or(now.max_builds_concurrent),
        updated_at: platform.now(),
    };
    quotas::put(&mut tx, everybody, &quota).await?;
    tx.commit().await?;
    Ok(Standing {
        max_applications: quota.max_applications,
        max_instances: quota.max_instances,
        max_builds_concurrent: quota.max_builds_concurrent,
        ..now
    })
}
