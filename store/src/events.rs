//! Events: what happened, in one order for the whole platform. Those of no organization are for administrators.

use std::collections::HashMap;

use slipway_model::{ApplicationId, EventId, OrganizationId, Timestamp, Viewer};

use crate::{Cursor, Engine, Listed, Order, Page, Slice, StoreError, Tx};

row! {
    pub struct Event {
        /// Grows with every event. No event appears below one that was seen.
        pub sequence: i64,
        pub id: EventId,
        pub organization_id: Option<OrganizationId>,
        pub application_id: Option<ApplicationId>,
        /// The id of what it happened to.
        pub resource: Option<String>,
        /// Such as `deployment.live`.
        pub kind: String = "type",
        pub message: String,
        pub data: Option<serde_json::Value>,
        pub created_at: Timestamp,
    }
}

impl Listed for Event {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

/// An event that has no place in the order yet.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub id: EventId,
    pub organization_id: Option<OrganizationId>,
    pub application_id: Option<ApplicationId>,
    pub resource: Option<String>,
    pub kind: String,
    pub message: String,
    pub data: Option<serde_json::Value>,
    pub created_at: Timestamp,
}

/// Any number that nothing else locks.
const ORDER_LOCK: i64 = 0x0073_6c69_7077_6179;

/// Writes an event. Best as a transaction's last write: until its end others wait to write theirs.
pub async fn insert(tx: &mut Tx, event: &NewEvent) -> Result<Event, StoreError> {
    if tx.engine() == Engine::Postgres {
        // Numbers are given before commits: without this, a reader could pass over one that is committed after a higher one.
        execute!(tx, "SELECT pg_advisory_xact_lock($1)", ORDER_LOCK)?;
    }
    fetch_one!(
        tx,
        "INSERT INTO events (id, organization_id, application_id, resource, type, message, data, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *",
        event.id,
        event.organization_id,
        event.application_id,
        event.resource.as_ref(),
        &event.kind,
        &event.message,
        event.data.as_ref(),
        event.created_at
    )
}

/// Of each application, newest first.
pub async fn of_each_application(
    tx: &mut Tx,
    viewer: &Viewer,
    applications: &[ApplicationId],
    page: &Page,
) -> Result<HashMap<ApplicationId, Slice<Event>>, StoreError> {
    let list = |application| sql!("SELECT * FROM events WHERE application_id = $1", application);
    tx.fetch_slices(
        applications,
        list,
        |sql| sql.within_application("organization_id", "application_id", viewer),
        |row: &Event| row.application_id,
        page,
        Order::NewestFirst,
    )
    .await
}

/// Newest first; of one organization or of all that the viewer may see.
pub async fn list(tx: &mut Tx, viewer: &Viewer, organization: Option<OrganizationId>, page: &Page) -> Result<Slice<Event>, StoreError> {
    let mut sql = sql!("SELECT * FROM events WHERE 1 = 1").within_application("organization_id", "application_id", viewer);
    if let Some(organization) = organization {
        sql = sql.and("organization_id = ?", [organization]);
    }
    tx.fetch_slice(sql, page, Order::NewestFirst).await
}

/// Those after a sequence number, oldest first: for following.
pub async fn after(
    tx: &mut Tx,
    viewer: &Viewer,
    application: Option<ApplicationId>,
    sequence: i64,
    most: i64,
) -> Result<Vec<Event>, StoreError> {
    let mut sql =
        sql!("SELECT * FROM events WHERE sequence > $1", sequence).within_application("organization_id", "application_id", viewer);
    if let Some(application) = application {
        sql = sql.and("application_id = ?", [application]);
    }
    fetch_all!(tx, sql.push(" ORDER BY sequence").limit(most))
}

/// Those of an organization after a sequence number, oldest first.
pub async fn of_organization_after(
    tx: &mut Tx,
    viewer: &Viewer,
    organization: OrganizationId,
    sequence: i64,
    most: i64,
) -> Result<Vec<Event>, StoreError> {
    let sql = sql!("SELECT * FROM events WHERE organization_id = $1 AND sequence > $2", organization, sequence);
    fetch_all!(tx, sql.within_application("organization_id", "application_id", viewer).push(" ORDER BY sequence").limit(most))
}

/// Those of no organization after a sequence number, oldest first. For administrators.
pub async fn of_platform_after(tx: &mut Tx, sequence: i64, most: i64) -> Result<Vec<Event>, StoreError> {
    let sql = sql!("SELECT * FROM events WHERE organization_id IS NULL AND sequence > $1", sequence);
    fetch_all!(tx, sql.push(" ORDER BY sequence").limit(most))
}

/// The highest number given; 0 before the first event.
pub async fn last_sequence(tx: &mut Tx) -> Result<i64, StoreError> {
    fetch_one!(tx, "SELECT CAST(COALESCE(MAX(sequence), 0) AS BIGINT) FROM events").map(|(sequence,)| sequence)
}
