//! What an API token may be made for. A token never does more than its owner's role allows.

use serde::{Deserialize, Serialize};

use crate::{ApiTokenId, ApplicationId, Role};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    AppRead,
    AppWrite,
    AppDeploy,
    AppSecrets,
    DbRead,
    DbWrite,
    DbSecrets,
    DomainWrite,
    BillingRead,
    BillingWrite,
    OrgWrite,
    NodeRead,
    NodeWrite,
    PlatformRead,
    PlatformWrite,
    PluginWrite,
    AuditRead,
}

crate::state::text_enum!(Permission {
    AppRead = "app_read",
    AppWrite = "app_write",
    AppDeploy = "app_deploy",
    AppSecrets = "app_secrets",
    DbRead = "db_read",
    DbWrite = "db_write",
    DbSecrets = "db_secrets",
    DomainWrite = "domain_write",
    BillingRead = "billing_read",
    BillingWrite = "billing_write",
    OrgWrite = "org_write",
    NodeRead = "node_read",
    NodeWrite = "node_write",
    PlatformRead = "platform_read",
    PlatformWrite = "platform_write",
    PluginWrite = "plugin_write",
    AuditRead = "audit_read",
});

impl Permission {
    /// What comes with it: whoever changes a thing sees it.
    #[must_use]
    pub const fn includes(self, other: Self) -> bool {
        let read = match self {
            Self::AppWrite | Self::AppDeploy | Self::AppSecrets | Self::DomainWrite => Self::AppRead,
            Self::DbWrite | Self::DbSecrets => Self::DbRead,
            Self::BillingWrite => Self::BillingRead,
            Self::NodeWrite => Self::NodeRead,
            Self::PlatformWrite | Self::PluginWrite => Self::PlatformRead,
            Self::AppRead | Self::DbRead | Self::BillingRead | Self::OrgWrite | Self::NodeRead | Self::PlatformRead | Self::AuditRead => {
                self
            }
        };
        other as u8 == self as u8 || other as u8 == read as u8
    }

    /// The least role in an organization that may do all of it there; `None`: it is the platform's alone.
    #[must_use]
    pub const fn least_role(self) -> Option<Role> {
        match self {
            Self::AppRead | Self::DbRead => Some(Role::Viewer),
            Self::AppWrite | Self::AppDeploy | Self::DbWrite | Self::DomainWrite => Some(Role::Member),
            Self::AppSecrets | Self::DbSecrets | Self::BillingRead | Self::BillingWrite | Self::OrgWrite | Self::AuditRead => {
                Some(Role::Admin)
            }
            Self::NodeRead | Self::NodeWrite | Self::PlatformRead | Self::PlatformWrite | Self::PluginWrite => None,
        }
    }

    /// Whether a token of a single application may have it.
    #[must_use]
    pub const fn is_of_an_application(self) -> bool {
        matches!(self, Self::AppRead | Self::AppWrite | Self::AppDeploy | Self::AppSecrets | Self::DomainWrite)
    }
}

/// What an API token opens, beside what its owner's role allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub token: ApiTokenId,
    /// The one application that it opens.
    pub application: Option<ApplicationId>,
    /// `None`: everything that its owner may do.
    pub permissions: Option<Vec<Permission>>,
}

impl Grant {
    /// Of a token that opens as much as its owner.
    #[must_use]
    pub const fn everything(token: ApiTokenId) -> Self {
        Self { token, application: None, permissions: None }
    }

    #[must_use]
    pub fn allows(&self, permission: Permission) -> bool {
        self.permissions.as_ref().is_none_or(|granted| granted.iter().any(|granted| granted.includes(permission)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_includes_reading_and_nothing_includes_more_than_that() {
        for one in Permission::ALL {
            let included = Permission::ALL.iter().filter(|other| one.includes(**other)).count();
            assert!(one.includes(*one) && included <= 2, "{one}");
        }
        assert!(Permission::AppDeploy.includes(Permission::AppRead));
        assert!(!Permission::AppRead.includes(Permission::AppDeploy));
        assert!(!Permission::AppWrite.includes(Permission::AppSecrets));
    }

    #[test]
    fn a_token_without_a_list_allows_everything_and_with_an_empty_one_nothing() {
        let clock = crate::ManualClock::at(crate::Timestamp::UNIX_EPOCH);
        let everything = Grant::everything(ApiTokenId::new(&clock));
        let nothing = Grant { permissions: Some(Vec::new()), ..everything.clone() };
        assert!(Permission::ALL.iter().all(|permission| everything.allows(*permission) && !nothing.allows(*permission)));
    }
}
