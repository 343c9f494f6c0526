//! Durable work. A mutation that starts something records an operation in its own transaction; workers take it from there.
//!
//! A worker claims an operation with a lease and a fence, takes one small step that is decided from the database alone, writes it
//! in one transaction on the condition that it still holds the fence, and gives the operation back. `kill -9` at any line
//! therefore costs at most the lease; a worker that was paused and comes back writes nothing.

mod advance;
mod apply;
mod asked;
mod choose;
mod ends;
mod payload;
mod produce;
mod resolve;
mod situation;
mod specs;
mod work;
mod worker;

use chrono::TimeDelta;
use slipway_model::{
    ApplicationId, DeploymentId, OperationId, OrganizationId, UserId, Viewer,
    state::{OperationKind, OperationStatus},
};
use slipway_store::{
    Page, Slice, Tx,
    operations::{self, Operation},
};

pub use advance::{Advanced, advance};
pub use asked::{cancel, retry};
pub(crate) use ends::abandon;
pub(crate) use payload::{Origin, Payload, PlanChange};
pub(crate) use specs::open_task;
pub(crate) use worker::run;
pub use worker::{Wake, claim};

use crate::{Platform, error::Result};

/// How long a claim lasts unless it is renewed.
pub const LEASE: TimeDelta = TimeDelta::seconds(30);
/// Failed tries of one step, with growing pauses, until the operation fails.
const MAX_ATTEMPTS: i64 = 12;

/// Operations that begin.
pub(crate) struct NewOperation {
    pub kind: OperationKind,
    pub organization: OrganizationId,
    pub application: ApplicationId,
    pub deployment: Option<DeploymentId>,
    pub payload: Payload,
    pub created_by: Option<UserId>,
}

/// Records work, in the transaction of what asks for it. Wake the workers after the commit.
pub(crate) async fn enqueue(tx: &mut Tx, p: &Platform, new: NewOperation) -> Result<Operation> {
    let now = p.now();
    let operation = Operation {
        id: OperationId::new(&*p.clock),
        organization_id: Some(new.organization),
        kind: new.kind,
        status: OperationStatus::Queued,
        application_id: Some(new.application),
        deployment_id: new.deployment,
        payload: new.payload.to_json()?,
        step: None,
        attempt: 0,
        max_attempts: MAX_ATTEMPTS,
        lease_owner: None,
        lease_until: None,
        fence: 0,
        next_run_at: now,
        deadline: now + time_limit(new.kind),
        error: None,
        created_by: new.created_by,
        created_at: now,
        started_at: None,
        finished_at: None,
    };
    operations::insert(tx, &operation).await?;
    Ok(operation)
}

/// From the moment that its turn comes until it has ended, one way or the other.
const fn time_limit(kind: OperationKind) -> TimeDelta {
    match kind {
        OperationKind::Deploy => TimeDelta::minutes(45),
        OperationKind::Restart | OperationKind::Start | OperationKind::Scale => TimeDelta::minutes(15),
        OperationKind::Stop | OperationKind::Delete => TimeDelta::minutes(10),
    }
}

/// Newest first, of one application or of everything that the viewer may see.
///
/// # Errors
/// Those of the database.
pub async fn list(p: &Platform, viewer: &Viewer, application: Option<ApplicationId>, page: &Page) -> Result<Slice<Operation>> {
    let mut tx = p.db.read().await?;
    Ok(match application {
        Some(application) => operations::of_application(&mut tx, viewer, application, page).await?,
        None => operations::list(&mut tx, viewer, None, page).await?,
    })
}

/// # Errors
/// Those of the database.
pub async fn find(p: &Platform, viewer: &Viewer, id: OperationId) -> Result<Option<Operation>> {
    Ok(operations::find(&mut p.db.read_as(viewer).await?, viewer, id).await?)
}
