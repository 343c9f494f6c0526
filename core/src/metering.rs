//! Metering: from when to when each instance ran, at which rate (R15).
//!
//! Usage begins when an instance is first seen to run and ends when it is seen to have stopped, or when its customer stopped it: it
//! follows what happens, and no timer. What it costs is [`crate::billing`]'s to say.

use slipway_model::{InstanceId, Money, OrganizationId, Timestamp, UsageId, state::UsageKind};
use slipway_store::{
    StoreError, Tx,
    instances::Instance,
    usage::{self, UsageRecord},
};
use uuid::Uuid;

use crate::Platform;

/// Something that begins to run.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub organization: OrganizationId,
    pub kind: UsageKind,
    /// The application, or the database itself.
    pub subject: Uuid,
    /// The instance or database.
    pub resource: Uuid,
    pub hourly_rate: Money,
}

/// It runs: its usage begins, once.
///
/// # Errors
/// Those of the database.
pub async fn begin_run(tx: &mut Tx, p: &Platform, run: Run, at: Timestamp) -> Result<(), StoreError> {
    let record = UsageRecord {
        id: UsageId::new(&*p.clock),
        organization_id: run.organization,
        kind: run.kind,
        subject_id: run.subject,
        resource_id: run.resource,
        started_at: at,
        ended_at: None,
        rated_until: at,
        settled: false,
        hourly_rate: run.hourly_rate,
    };
    usage::begin(tx, &record).await.map(drop)
}

/// It has stopped: its usage ends, unless it has ended. What was charged beyond `at` is given back.
///
/// # Errors
/// Those of the database.
pub async fn end_run(tx: &mut Tx, resource: Uuid, at: Timestamp) -> Result<(), StoreError> {
    usage::end(tx, resource, at).await.map(drop)
}

/// The instance runs: its usage begins, once.
pub(crate) async fn begin(tx: &mut Tx, p: &Platform, instance: &Instance, at: Timestamp) -> Result<(), StoreError> {
    let run = Run {
        organization: instance.organization_id,
        kind: UsageKind::Instance,
        subject: instance.application_id.uuid(),
        resource: instance.id.uuid(),
        hourly_rate: instance.hourly_rate,
    };
    begin_run(tx, p, run, at).await
}

/// The instance has stopped: its usage ends, unless it has ended.
pub(crate) async fn end(tx: &mut Tx, instance: InstanceId, at: Timestamp) -> Result<(), StoreError> {
    end_run(tx, instance.uuid(), at).await
}
