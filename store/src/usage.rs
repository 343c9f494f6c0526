//! Usage: from when to when each instance ran, at which rate. Written by the platform, read by members.

use slipway_model::{ApplicationId, InstanceId, Money, OrganizationId, Timestamp, UsageId, Viewer};

use crate::{StoreError, Tx};

row! {
    pub struct UsageRecord {
        pub id: UsageId,
        pub organization_id: OrganizationId,
        pub application_id: ApplicationId,
        pub instance_id: InstanceId,
        pub started_at: Timestamp,
        /// `None`: it runs.
        pub ended_at: Option<Timestamp>,
        /// Until when it stands in the ledger.
        pub rated_until: Timestamp,
        pub hourly_rate: Money = "hourly_rate_nanos",
    }
}

/// Begins to meter an instance. `false`: it is metered already.
pub async fn begin(tx: &mut Tx, record: &UsageRecord) -> Result<bool, StoreError> {
    execute!(
        tx,
        "INSERT INTO usage_records (id, organization_id, application_id, instance_id, started_at, ended_at, rated_until, hourly_rate_nanos)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (instance_id) WHERE ended_at IS NULL DO NOTHING",
        record.id,
        record.organization_id,
        record.application_id,
        record.instance_id,
        record.started_at,
        record.ended_at,
        record.rated_until,
        record.hourly_rate
    )
    .map(|rows| rows == 1)
}

/// Ends the metering of an instance. `None`: it was not metered.
pub async fn end(tx: &mut Tx, instance: InstanceId, at: Timestamp) -> Result<Option<UsageRecord>, StoreError> {
    fetch_optional!(
        tx,
        "UPDATE usage_records SET ended_at = CASE WHEN started_at > $2 THEN started_at ELSE $2 END
         WHERE instance_id = $1 AND ended_at IS NULL RETURNING *",
        instance,
        at
    )
}

pub async fn open(tx: &mut Tx) -> Result<Vec<UsageRecord>, StoreError> {
    fetch_all!(tx, "SELECT * FROM usage_records WHERE ended_at IS NULL ORDER BY started_at, id")
}

/// What does not stand in the ledger up to `until`, or up to its end if that was before. Longest waiting first.
pub async fn unrated(tx: &mut Tx, until: Timestamp, most: i64) -> Result<Vec<UsageRecord>, StoreError> {
    fetch_all!(
        tx,
        "SELECT * FROM usage_records WHERE rated_until < $1 AND (ended_at IS NULL OR rated_until < ended_at)
         ORDER BY rated_until, id LIMIT $2",
        until,
        most
    )
}

/// Notes that it stands in the ledger up to `until`. `false`: somebody else moved it on from `before`.
pub async fn rated(tx: &mut Tx, id: UsageId, before: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
    execute!(tx, "UPDATE usage_records SET rated_until = $3 WHERE id = $1 AND rated_until = $2", id, before, until).map(|rows| rows == 1)
}

/// Everything of an organization that touches a span of time, oldest first.
pub async fn of_organization(
    tx: &mut Tx,
    viewer: &Viewer,
    organization: OrganizationId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<UsageRecord>, StoreError> {
    let sql = sql!(
        "SELECT * FROM usage_records WHERE organization_id = $1 AND started_at < $3 AND (ended_at IS NULL OR ended_at > $2)",
        organization,
        from,
        to
    );
    fetch_all!(tx, sql.within("organization_id", viewer).push(" ORDER BY started_at, id"))
}
