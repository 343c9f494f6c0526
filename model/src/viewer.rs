//! The caller, as every function that touches a customer's row takes it.

use serde::{Deserialize, Serialize};

use crate::{ApplicationId, Grant, OrganizationId, Permission, UserId};

/// What a member may do in an organization. Ordered: each role includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Viewer,
    Member,
    Admin,
    Owner,
}

crate::state::text_enum!(Role { Viewer = "viewer", Member = "member", Admin = "admin", Owner = "owner" });

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Viewer {
    /// A person, by session or API token.
    User {
        id: UserId,
        platform_admin: bool,
        memberships: Vec<(OrganizationId, Role)>,
        /// The API token used, if any: it may narrow what is seen to one organization or application, and what may be done.
        token: Option<Grant>,
    },
    /// The platform itself, at work on an operation. Never made from a request.
    Platform,
}

impl Viewer {
    /// `None` means every organization; otherwise rows outside this list do not exist for the caller.
    #[must_use]
    pub fn organizations(&self) -> Option<Vec<OrganizationId>> {
        match self {
            Self::Platform => None,
            Self::User { platform_admin: true, token: None, .. } => None,
            Self::User { memberships, .. } => Some(memberships.iter().map(|(id, _)| *id).collect()),
        }
    }

    /// The one application that the caller's token opens. Of its organization they see no other row.
    #[must_use]
    pub fn application(&self) -> Option<ApplicationId> {
        self.grant().and_then(|grant| grant.application)
    }

    /// The API token used, if any.
    #[must_use]
    pub fn grant(&self) -> Option<&Grant> {
        match self {
            Self::Platform => None,
            Self::User { token, .. } => token.as_ref(),
        }
    }

    /// Whether both the caller's role in an organization and their token allow something there.
    #[must_use]
    pub fn may(&self, organization: OrganizationId, permission: Permission) -> bool {
        let by_role = match permission.least_role() {
            Some(least) => self.role_in(organization).is_some_and(|own| own >= least),
            None => self.is_platform_admin(),
        };
        by_role && self.grant().is_none_or(|grant| grant.allows(permission))
    }

    /// Whether the caller administrates the platform, and their token allows this of it.
    #[must_use]
    pub fn may_on_platform(&self, permission: Permission) -> bool {
        self.is_platform_admin() && self.grant().is_none_or(|grant| grant.allows(permission))
    }

    #[must_use]
    pub fn role_in(&self, organization: OrganizationId) -> Option<Role> {
        match self {
            Self::Platform => Some(Role::Owner),
            Self::User { memberships, platform_admin, token, .. } => memberships
                .iter()
                .find(|(id, _)| *id == organization)
                .map(|(_, role)| *role)
                .or((*platform_admin && token.is_none()).then_some(Role::Owner)),
        }
    }

    #[must_use]
    pub fn is_platform_admin(&self) -> bool {
        match self {
            Self::Platform => true,
            Self::User { platform_admin, .. } => *platform_admin,
        }
    }

    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        match self {
            Self::Platform => None,
            Self::User { id, .. } => Some(*id),
        }
    }
}
