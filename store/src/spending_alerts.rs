//! Amounts at whose reaching in a calendar month an organization's people are told.

use std::collections::HashMap;

use slipway_model::{ApplicationId, Money, OrganizationId, SpendingAlertId, Timestamp, Viewer};

use crate::{StoreError, Tx, scope};

row! {
    pub struct SpendingAlert {
        pub id: SpendingAlertId,
        pub organization_id: OrganizationId,
        /// `None`: of everything together.
        pub application_id: Option<ApplicationId>,
        pub threshold: Money = "threshold_nanos",
        /// The first day of the last month in which it was reached.
        pub reached_in: Option<Timestamp>,
        pub created_at: Timestamp,
    }
}

pub async fn insert(tx: &mut Tx, viewer: &Viewer, alert: &SpendingAlert) -> Result<(), StoreError> {
    scope::check(viewer, alert.organization_id)?;
    execute!(
        tx,
        "INSERT INTO spending_alerts (id, organization_id, application_id, threshold_nanos, reached_in, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        alert.id,
        alert.organization_id,
        alert.application_id,
        alert.threshold,
        alert.reached_in,
        alert.created_at
    )
    .map(drop)
}

pub async fn find(tx: &mut Tx, viewer: &Viewer, id: SpendingAlertId) -> Result<Option<SpendingAlert>, StoreError> {
    fetch_optional!(tx, sql!("SELECT * FROM spending_alerts WHERE id = $1", id).within("organization_id", viewer))
}

/// Of each organization, oldest first.
pub async fn of_each(
    tx: &mut Tx,
    viewer: &Viewer,
    organizations: &[OrganizationId],
) -> Result<HashMap<OrganizationId, Vec<SpendingAlert>>, StoreError> {
    let sql = sql!("SELECT * FROM spending_alerts WHERE 1 = 1").any("organization_id", organizations.iter().copied());
    let rows: Vec<SpendingAlert> = fetch_all!(tx, sql.within("organization_id", viewer).push(" ORDER BY created_at, id"))?;
    let mut alerts: HashMap<OrganizationId, Vec<SpendingAlert>> = HashMap::new();
    for row in rows {
        alerts.entry(row.organization_id).or_default().push(row);
    }
    Ok(alerts)
}

/// `false`: there is none that the viewer may see.
pub async fn delete(tx: &mut Tx, viewer: &Viewer, id: SpendingAlertId) -> Result<bool, StoreError> {
    execute!(tx, sql!("DELETE FROM spending_alerts WHERE id = $1", id).within("organization_id", viewer)).map(|rows| rows == 1)
}

/// Those that were not reached in a month yet.
pub async fn waiting(tx: &mut Tx, month: Timestamp) -> Result<Vec<SpendingAlert>, StoreError> {
    fetch_all!(tx, "SELECT * FROM spending_alerts WHERE reached_in IS NULL OR reached_in < $1 ORDER BY organization_id, id", month)
}

/// Notes that it was reached. `false`: that is noted already.
pub async fn reached(tx: &mut Tx, id: SpendingAlertId, month: Timestamp) -> Result<bool, StoreError> {
    execute!(tx, "UPDATE spending_alerts SET reached_in = $2 WHERE id = $1 AND (reached_in IS NULL OR reached_in < $2)", id, month)
        .map(|rows| rows == 1)
}
