//! Usage: from when to when each instance and database ran, at which rate. Written by the platform, read by members.

use std::collections::HashMap;

use slipway_model::{Money, OrganizationId, Timestamp, UsageId, Viewer, state::UsageKind};
use uuid::Uuid;

use crate::{StoreError, Tx, insert::Insert};

row! {
    pub struct UsageRecord {
        pub id: UsageId,
        pub organization_id: OrganizationId,
        pub kind: UsageKind,
        /// The application, or the database itself.
        pub subject_id: Uuid,
        /// The instance or database.
        pub resource_id: Uuid,
        pub started_at: Timestamp,
        /// `None`: it runs.
        pub ended_at: Option<Timestamp>,
        /// Until when it stands in the ledger. After its end, when that came to be known late: a correction is due.
        pub rated_until: Timestamp,
        /// It has ended, and stands in the ledger up to its end.
        pub settled: bool,
        pub hourly_rate: Money = "hourly_rate_nanos",
    }
}

/// Begins to meter something. `false`: it is metered already.
pub async fn begin(tx: &mut Tx, record: &UsageRecord) -> Result<bool, StoreError> {
    execute!(
        tx,
        "INSERT INTO usage_records (id, organization_id, kind, subject_id, resource_id, started_at, ended_at, rated_until, settled,
            hourly_rate_nanos)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (resource_id) WHERE ended_at IS NULL DO NOTHING",
        record.id,
        record.organization_id,
        record.kind,
        record.subject_id,
        record.resource_id,
        record.started_at,
        record.ended_at,
        record.rated_until,
        record.settled,
        record.hourly_rate
    )
    .map(|rows| rows == 1)
}

/// Ends the metering of something. `None`: it was not metered.
pub async fn end(tx: &mut Tx, resource: Uuid, at: Timestamp) -> Result<Option<UsageRecord>, StoreError> {
    fetch_optional!(
        tx,
        "UPDATE usage_records SET ended_at = CASE WHEN started_at > $2 THEN started_at ELSE $2 END
         WHERE resource_id = $1 AND ended_at IS NULL RETURNING *",
        resource,
        at
    )
}

pub async fn open(tx: &mut Tx) -> Result<Vec<UsageRecord>, StoreError> {
    fetch_all!(tx, "SELECT * FROM usage_records WHERE ended_at IS NULL ORDER BY started_at, id")
}

/// Which organizations have something that does not stand in the ledger as it should by `until`.
pub async fn due(tx: &mut Tx, until: Timestamp) -> Result<Vec<OrganizationId>, StoreError> {
    let rows: Vec<(OrganizationId,)> = fetch_all!(
        tx,
        "SELECT DISTINCT organization_id FROM usage_records WHERE settled = $1 AND (ended_at IS NOT NULL OR rated_until < $2)
         ORDER BY organization_id",
        false,
        until
    )?;
    Ok(rows.into_iter().map(|(organization,)| organization).collect())
}

/// What of an organization does not stand in the ledger as it should by `until`. Longest waiting first.
pub async fn unrated(tx: &mut Tx, organization: OrganizationId, until: Timestamp, most: i64) -> Result<Vec<UsageRecord>, StoreError> {
    fetch_all!(
        tx,
        "SELECT * FROM usage_records WHERE settled = $1 AND organization_id = $2 AND (ended_at IS NOT NULL OR rated_until < $3)
         ORDER BY rated_until, id LIMIT $4",
        false,
        organization,
        until,
        most
    )
}

/// Notes that records that run stand in the ledger up to `until`. Gives how many: one that ended meanwhile is left.
pub async fn rated(tx: &mut Tx, ids: &[UsageId], until: Timestamp) -> Result<u64, StoreError> {
    if ids.is_empty() {
        return Ok(0);
    }
    let sql = sql!("UPDATE usage_records SET rated_until = $1 WHERE ended_at IS NULL AND rated_until < $1", until);
    execute!(tx, sql.any("id", ids.iter().copied()))
}

/// Notes that records that have ended stand in the ledger up to their end. Gives how many.
pub async fn settled(tx: &mut Tx, ids: &[UsageId]) -> Result<u64, StoreError> {
    if ids.is_empty() {
        return Ok(0);
    }
    let sql =
        sql!("UPDATE usage_records SET rated_until = ended_at, settled = $1 WHERE ended_at IS NOT NULL AND settled = $2", true, false);
    execute!(tx, sql.any("id", ids.iter().copied()))
}

/// What everything that runs costs per hour, of each organization where anything runs.
pub async fn run_rates(
    tx: &mut Tx,
    viewer: &Viewer,
    organizations: &[OrganizationId],
) -> Result<HashMap<OrganizationId, Money>, StoreError> {
    let sql = sql!(
        "SELECT organization_id, CAST(SUM(hourly_rate_nanos) AS BIGINT) FROM usage_records WHERE settled = $1 AND ended_at IS NULL",
        false
    );
    let sql = sql.any("organization_id", organizations.iter().copied()).within("organization_id", viewer);
    let rows: Vec<(OrganizationId, Money)> = fetch_all!(tx, sql.push(" GROUP BY organization_id"))?;
    Ok(rows.into_iter().collect())
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

row! {
    /// What one subject used and was charged on one day (UTC).
    pub struct UsageDay {
        pub organization_id: OrganizationId,
        pub subject_id: Uuid,
        pub kind: UsageKind,
        pub day: Timestamp,
        pub micros: i64,
        pub amount: Money = "amount_nanos",
    }
}

/// Adds to the days. Of each day, subject and kind one.
pub async fn add_days(tx: &mut Tx, days: &[UsageDay]) -> Result<(), StoreError> {
    let insert = Insert {
        into: "INSERT INTO usage_days (organization_id, subject_id, kind, day, micros, amount_nanos) VALUES",
        row: " (?, ?, ?, ?, ?, ?)",
        otherwise: " ON CONFLICT (organization_id, day, subject_id, kind) DO UPDATE
            SET micros = usage_days.micros + excluded.micros, amount_nanos = usage_days.amount_nanos + excluded.amount_nanos",
    };
    insert
        .all(tx, days, |sql, day| {
            sql.bind(day.organization_id).bind(day.subject_id).bind(day.kind).bind(day.day).bind(day.micros).bind(day.amount)
        })
        .await
}

/// The days of a span of time, oldest first.
pub async fn days(
    tx: &mut Tx,
    viewer: &Viewer,
    organizations: &[OrganizationId],
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<UsageDay>, StoreError> {
    let sql = sql!("SELECT * FROM usage_days WHERE day >= $1 AND day < $2", from, to);
    let sql = sql.any("organization_id", organizations.iter().copied()).within("organization_id", viewer);
    fetch_all!(tx, sql.push(" ORDER BY day, subject_id, kind"))
}

/// What an organization used on the days of a span of time, in microseconds over all things together, and was charged.
pub async fn total(tx: &mut Tx, organization: OrganizationId, from: Timestamp, to: Timestamp) -> Result<(i64, Money), StoreError> {
    fetch_one!(
        tx,
        "SELECT CAST(COALESCE(SUM(micros), 0) AS BIGINT), CAST(COALESCE(SUM(amount_nanos), 0) AS BIGINT) FROM usage_days
         WHERE organization_id = $1 AND day >= $2 AND day < $3",
        organization,
        from,
        to
    )
}
