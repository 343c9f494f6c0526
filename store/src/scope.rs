//! For statements that have no rows to filter yet.

use slipway_model::{OrganizationId, Viewer};

use crate::StoreError;

/// Refuses to write a row into an organization that the viewer cannot see, in the words for one that does not exist.
pub(crate) fn check(viewer: &Viewer, organization: OrganizationId) -> Result<(), StoreError> {
    match viewer.organizations() {
        Some(organizations) if !organizations.contains(&organization) => Err(StoreError::Reference),
        _ => Ok(()),
    }
}
