//! Typed identifiers. Each is a UUID version 7 in the database and `prefix_` + 26 lower-case base-32 characters outside,
//! so that ids sort by creation time and one kind cannot stand where another is meant.

use std::{fmt, str::FromStr};

use data_encoding::Encoding;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::Clock;

/// Crockford's alphabet without padding: no `i`, `l`, `o` or `u`.
static BASE32: std::sync::LazyLock<Encoding> = std::sync::LazyLock::new(|| {
    let mut spec = data_encoding::Specification::new();
    spec.symbols.push_str("0123456789abcdefghjkmnpqrstvwxyz");
    spec.encoding().expect("a constant, valid specification")
});

/// The text is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind} id (expected `{prefix}_` and 26 characters)")]
pub struct ParseIdError {
    pub kind: &'static str,
    pub prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $kind:literal;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
            pub struct $name(Uuid);

            impl $name {
                pub const PREFIX: &'static str = $prefix;

                #[must_use]
                pub fn new(clock: &dyn Clock) -> Self {
                    Self(clock.uuid())
                }

                #[must_use]
                pub const fn from_uuid(uuid: Uuid) -> Self {
                    Self(uuid)
                }

                #[must_use]
                pub const fn uuid(self) -> Uuid {
                    self.0
                }
            }

            impl From<Uuid> for $name {
                fn from(uuid: Uuid) -> Self {
                    Self(uuid)
                }
            }

            impl From<$name> for Uuid {
                fn from(id: $name) -> Self {
                    id.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, concat!($prefix, "_{}"), BASE32.encode(self.0.as_bytes()))
                }
            }

            impl FromStr for $name {
                type Err = ParseIdError;

                fn from_str(text: &str) -> Result<Self, Self::Err> {
                    let error = ParseIdError { kind: $kind, prefix: $prefix };
                    let encoded = text.strip_prefix(concat!($prefix, "_")).ok_or(error.clone())?;
                    let bytes = BASE32.decode(encoded.as_bytes()).map_err(|_| error.clone())?;
                    Uuid::from_slice(&bytes).map(Self).map_err(|_| error)
                }
            }

            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
                }
            }
        )*
    };
}

ids! {
    UserId = "usr", "user";
    SessionId = "ses", "session";
    ApiTokenId = "tok", "API token";
    OrganizationId = "org", "organization";
    MembershipId = "mem", "membership";
    InvitationId = "inv", "invitation";
    AuditEventId = "aud", "audit event";
    PlanId = "pln", "plan";
    RuntimeId = "rtm", "runtime";
    RegionId = "reg", "region";
    NodeId = "nod", "worker node";
    EnrollmentTokenId = "enr", "node enrollment token";
    ApplicationId = "app", "application";
    VariableId = "var", "environment variable";
    UploadId = "upl", "source upload";
    DeploymentId = "dep", "deployment";
    BuildId = "bld", "build";
    ReleaseId = "rel", "release";
    InstanceId = "ins", "application instance";
    /// One unit of work on a node: a build, a probe of a release process, ...
    TaskId = "tsk", "task";
    OperationId = "opr", "operation";
    EventId = "evt", "event";
    LedgerEntryId = "led", "ledger entry";
    /// An organization has one account, of the same UUID.
    BillingAccountId = "bil", "billing account";
    InvoiceId = "ivc", "invoice";
    SpendingAlertId = "alr", "spending alert";
    UsageId = "use", "usage record";
    PluginRowId = "plg", "plugin";
    DomainId = "dom", "domain";
}
