//! For statements that have no rows to filter yet.

use slipway_model::{ApplicationId, OrganizationId, Viewer};

use crate::StoreError;

/// Refuses to write a row into an organization that the viewer cannot see, in the words for one that does not exist.
pub(crate) fn check(viewer: &Viewer, organization: OrganizationId) -> Result<(), StoreError> {
    match viewer.application() {
        Some(_) => Err(StoreError::Reference),
        None => check_organization(viewer, organization),
    }
}

/// As [`check`], for a row of one application.
pub(crate) fn check_application(viewer: &Viewer, organization: OrganizationId, application: ApplicationId) -> Result<(), StoreError> {
    match viewer.application() {
        Some(only) if only != application => Err(StoreError::Reference),
        _ => check_organization(viewer, organization),
    }
}

/// As [`check`], for what the token of one application may write into its organization too.
pub(crate) fn check_organization(viewer: &Viewer, organization: OrganizationId) -> Result<(), StoreError> {
    match viewer.organizations() {
        Some(organizations) if !organizations.contains(&organization) => Err(StoreError::Reference),
        _ => Ok(()),
    }
}
