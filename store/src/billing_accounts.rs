//! The accounts that organizations pay from. One that nothing was written to yet has no row, and is as [`Account::blank`] says.

use std::collections::HashMap;

use slipway_model::{Money, OrganizationId, Timestamp, Viewer, state::BillingStatus};

use crate::{StoreError, Tx, scope};

row! {
    pub struct Account {
        pub organization_id: OrganizationId,
        /// What its ledger entries come to. Negative: what is owed.
        pub balance: Money = "balance_nanos",
        /// How far below zero the balance may fall.
        pub credit_limit: Money = "credit_limit_nanos",
        /// How many ledger entries there are.
        pub sequence: i64,
        pub status: BillingStatus,
        pub status_since: Timestamp,
        pub grace_ends_at: Option<Timestamp>,
    }
}

impl Account {
    #[must_use]
    pub const fn blank(organization: OrganizationId, now: Timestamp) -> Self {
        Self {
            organization_id: organization,
            balance: Money::ZERO,
            credit_limit: Money::ZERO,
            sequence: 0,
            status: BillingStatus::Active,
            status_since: now,
            grace_ends_at: None,
        }
    }
}

/// Takes hold of an account until the transaction ends: whoever changes it or writes to its ledger does so first.
pub async fn lock(tx: &mut Tx, viewer: &Viewer, organization: OrganizationId, now: Timestamp) -> Result<Account, StoreError> {
    scope::check(viewer, organization)?;
    let blank = Account::blank(organization, now);
    execute!(
        tx,
        "INSERT INTO billing_accounts (organization_id, balance_nanos, credit_limit_nanos, sequence, status, status_since, grace_ends_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (organization_id) DO NOTHING",
        organization,
        blank.balance,
        blank.credit_limit,
        blank.sequence,
        blank.status,
        blank.status_since,
        blank.grace_ends_at
    )?;
    let lock = tx.row_lock();
    fetch_one!(
        tx,
        sql!("SELECT * FROM billing_accounts WHERE organization_id = $1", organization).within("organization_id", viewer).push(lock)
    )
}

/// The account as its holder leaves it.
pub async fn save(tx: &mut Tx, viewer: &Viewer, account: &Account) -> Result<(), StoreError> {
    scope::check(viewer, account.organization_id)?;
    execute!(
        tx,
        "UPDATE billing_accounts SET balance_nanos = $2, credit_limit_nanos = $3, sequence = $4, status = $5, status_since = $6,
            grace_ends_at = $7
         WHERE organization_id = $1",
        account.organization_id,
        account.balance,
        account.credit_limit,
        account.sequence,
        account.status,
        account.status_since,
        account.grace_ends_at
    )
    .map(drop)
}

pub async fn find(tx: &mut Tx, viewer: &Viewer, organization: OrganizationId) -> Result<Option<Account>, StoreError> {
    fetch_optional!(tx, sql!("SELECT * FROM billing_accounts WHERE organization_id = $1", organization).within("organization_id", viewer))
}

/// Of those organizations that have one.
pub async fn of_each(
    tx: &mut Tx,
    viewer: &Viewer,
    organizations: &[OrganizationId],
) -> Result<HashMap<OrganizationId, Account>, StoreError> {
    let sql = sql!("SELECT * FROM billing_accounts WHERE 1 = 1").any("organization_id", organizations.iter().copied());
    let rows: Vec<Account> = fetch_all!(tx, sql.within("organization_id", viewer))?;
    Ok(rows.into_iter().map(|row| (row.organization_id, row)).collect())
}

/// Those whose standing may have changed: something runs, they are not as they should be, or an invoice is to be paid.
pub async fn to_judge(tx: &mut Tx) -> Result<Vec<OrganizationId>, StoreError> {
    let rows: Vec<(OrganizationId,)> = fetch_all!(
        tx,
        "SELECT organization_id FROM billing_accounts WHERE status <> 'active'
         UNION SELECT organization_id FROM usage_records WHERE settled = $1
         UNION SELECT organization_id FROM suspensions WHERE reason = 'insufficient_balance'
         UNION SELECT organization_id FROM invoices WHERE status = 'open'
         ORDER BY organization_id",
        false
    )?;
    Ok(rows.into_iter().map(|(organization,)| organization).collect())
}

/// What everything that an organization wants to run costs per hour at today's prices, what was never deployed included and what was
/// stopped left out.
pub async fn committed(tx: &mut Tx, viewer: &Viewer, organization: OrganizationId) -> Result<Money, StoreError> {
    let sql = sql!(
        "SELECT CAST(COALESCE(SUM(a.desired_instances * p.price_hourly_nanos), 0) AS BIGINT)
         FROM applications a JOIN plans p ON p.id = a.plan_id
         WHERE a.organization_id = $1 AND a.deleted_at IS NULL AND a.stopped = $2",
        organization,
        false
    );
    fetch_one!(tx, sql.within_organization("a.organization_id", viewer)).map(|(amount,)| amount)
}
