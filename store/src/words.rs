//! The words of the model as columns: ids as UUIDs, names and states as text, settings as JSON.

use slipway_model::{
    ApiTokenId, ApplicationId, AuditEventId, BuildConfig, BuildId, Currency, DeploymentId, DisplayName, DomainId, Email, EnrollmentTokenId,
    EnvKey, EventId, GitRef, GitUrl, HealthCheck, Hostname, ImageRef, InstanceId, InvitationId, InvoiceId, LedgerEntryId, MembershipId,
    NodeId, OperationId, OrganizationId, Permission, PlanId, PluginRowId, RegionId, ReleaseId, Role, RuntimeId, SessionId, Sha256Digest,
    Slug, Source, SourcePath, SpendingAlertId, TaskId, UploadId, UsageId, UserId, VariableId,
    state::{
        ApplicationStatus, AuditOutcome, BillingStatus, DeploymentStatus, DeploymentTrigger, InstanceStatus, InvoiceStatus, LedgerAccount,
        LedgerEntryKind, LogStream, NodeStatus, OperationKind, OperationStatus, PluginKind, PluginStatus, ProcessKind, RestartPolicy,
        StepKind, StepStatus, SuspensionReason, TaskKind, TaskStatus, UsageKind, VariableScope,
    },
};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{Bind, Value, column::Column};

macro_rules! ids {
    ($($id:ty),+ $(,)?) => {
        $(
            impl Bind for $id {
                const NULL: Value = Value::Uuid(None);

                fn into_value(self) -> Result<Value, serde_json::Error> {
                    Ok(Value::Uuid(Some(self.uuid())))
                }
            }

            impl Column for $id {
                type Raw = Uuid;

                fn from_raw(raw: Uuid) -> Result<Self, String> {
                    Ok(Self::from_uuid(raw))
                }
            }
        )+
    };
}

ids!(
    ApiTokenId,
    ApplicationId,
    AuditEventId,
    BuildId,
    DeploymentId,
    DomainId,
    EnrollmentTokenId,
    EventId,
    InstanceId,
    InvitationId,
    InvoiceId,
    LedgerEntryId,
    MembershipId,
    NodeId,
    OperationId,
    OrganizationId,
    PlanId,
    PluginRowId,
    RegionId,
    ReleaseId,
    RuntimeId,
    SessionId,
    SpendingAlertId,
    TaskId,
    UploadId,
    UsageId,
    UserId,
    VariableId,
);

macro_rules! texts {
    ($($type:ty),+ $(,)?) => {
        $(
            impl Bind for &$type {
                const NULL: Value = Value::Text(None);

                fn into_value(self) -> Result<Value, serde_json::Error> {
                    Ok(Value::Text(Some(self.to_string())))
                }
            }

            impl Bind for $type {
                const NULL: Value = Value::Text(None);

                fn into_value(self) -> Result<Value, serde_json::Error> {
                    Ok(Value::Text(Some(self.to_string())))
                }
            }

            impl Column for $type {
                type Raw = String;

                fn from_raw(raw: String) -> Result<Self, String> {
                    Self::try_from(raw).map_err(|error| error.to_string())
                }
            }
        )+
    };
}

texts!(Slug, Hostname, EnvKey, ImageRef, GitRef, GitUrl, DisplayName, Email, SourcePath, Sha256Digest, Currency);
texts!(
    Role,
    ApplicationStatus,
    RestartPolicy,
    AuditOutcome,
    BillingStatus,
    DeploymentStatus,
    DeploymentTrigger,
    InstanceStatus,
    InvoiceStatus,
    LedgerAccount,
    LedgerEntryKind,
    LogStream,
    NodeStatus,
    OperationKind,
    OperationStatus,
    PluginKind,
    PluginStatus,
    ProcessKind,
    StepKind,
    StepStatus,
    SuspensionReason,
    TaskKind,
    TaskStatus,
    UsageKind,
    VariableScope,
);

macro_rules! documents {
    ($($type:ty),+ $(,)?) => {
        $(
            impl Bind for &$type {
                const NULL: Value = Value::Json(None);

                fn into_value(self) -> Result<Value, serde_json::Error> {
                    serde_json::to_value(self).map(|value| Value::Json(Some(value)))
                }
            }

            impl Column for $type {
                type Raw = Json<Self>;

                fn from_raw(raw: Json<Self>) -> Result<Self, String> {
                    Ok(raw.0)
                }
            }
        )+
    };
}

documents!(Source, BuildConfig, HealthCheck, serde_json::Value, Vec<String>, Vec<Permission>);
