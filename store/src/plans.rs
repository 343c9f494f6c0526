//! Plans: what one instance gets, and what it costs. They are the platform's, for everybody to see.

use std::collections::HashMap;

use slipway_model::{Money, PlanId, Slug, Timestamp};

use crate::{Cursor, Json, Listed, Order, Page, Slice, StoreError, Tx};

row! {
    pub struct Plan {
        pub id: PlanId,
        pub slug: Slug,
        pub name: String,
        pub description: Option<String>,
        pub cpu_millis: i64,
        pub memory_bytes: i64,
        pub storage_bytes: i64,
        pub max_instances: i64,
        pub price_hourly: Money = "price_hourly_nanos",
        pub price_monthly: Money = "price_monthly_nanos",
        /// The kinds of runtimes that it is for; `None`: all.
        pub runtimes: Option<Vec<String>>,
        pub active: bool,
        pub sort_order: i64,
        /// Grows by one with every change.
        pub version: i64,
        pub created_at: Timestamp,
        pub updated_at: Timestamp,
    }
}

impl Listed for Plan {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

/// [`StoreError::Conflict`] when the slug is taken.
pub async fn insert(tx: &mut Tx, plan: &Plan) -> Result<(), StoreError> {
    execute!(
        tx,
        "INSERT INTO plans (id, slug, name, description, cpu_millis, memory_bytes, storage_bytes, max_instances,
            price_hourly_nanos, price_monthly_nanos, runtimes, active, sort_order, version, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        plan.id,
        &plan.slug,
        &plan.name,
        plan.description.as_ref(),
        plan.cpu_millis,
        plan.memory_bytes,
        plan.storage_bytes,
        plan.max_instances,
        plan.price_hourly,
        plan.price_monthly,
        plan.runtimes.as_ref().map(Json),
        plan.active,
        plan.sort_order,
        plan.version,
        plan.created_at,
        plan.updated_at
    )
    .map(drop)
}

pub async fn find(tx: &mut Tx, id: PlanId) -> Result<Option<Plan>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM plans WHERE id = $1", id)
}

pub async fn by_ids(tx: &mut Tx, ids: &[PlanId]) -> Result<HashMap<PlanId, Plan>, StoreError> {
    let rows: Vec<Plan> = fetch_all!(tx, sql!("SELECT * FROM plans WHERE 1 = 1").any("id", ids.iter().copied()))?;
    Ok(rows.into_iter().map(|plan| (plan.id, plan)).collect())
}

pub async fn by_slug(tx: &mut Tx, slug: &Slug) -> Result<Option<Plan>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM plans WHERE slug = $1", slug)
}

/// Oldest first, page by page.
pub async fn list(tx: &mut Tx, active_only: bool, page: &Page) -> Result<Slice<Plan>, StoreError> {
    tx.fetch_slice(sql!("SELECT * FROM plans WHERE (active OR NOT $1)", active_only), page, Order::OldestFirst).await
}

/// All that are offered, as their administrator sorted them.
pub async fn offered(tx: &mut Tx) -> Result<Vec<Plan>, StoreError> {
    fetch_all!(tx, "SELECT * FROM plans WHERE active ORDER BY sort_order, created_at, id")
}

/// Everything that may change, where `plan.version` is one more than the stored. [`StoreError::Stale`] where it is not.
pub async fn update(tx: &mut Tx, plan: &Plan) -> Result<(), StoreError> {
    let rows = execute!(
        tx,
        "UPDATE plans SET name = $2, description = $3, cpu_millis = $4, memory_bytes = $5, storage_bytes = $6, max_instances = $7,
            price_hourly_nanos = $8, price_monthly_nanos = $9, runtimes = $10, active = $11, sort_order = $12, version = $13,
            updated_at = $14
         WHERE id = $1 AND version = $13 - 1",
        plan.id,
        &plan.name,
        plan.description.as_ref(),
        plan.cpu_millis,
        plan.memory_bytes,
        plan.storage_bytes,
        plan.max_instances,
        plan.price_hourly,
        plan.price_monthly,
        plan.runtimes.as_ref().map(Json),
        plan.active,
        plan.sort_order,
        plan.version,
        plan.updated_at
    )?;
    if rows == 1 { Ok(()) } else { Err(StoreError::Stale) }
}

/// [`StoreError::Reference`] while anything refers to it, deleted applications and their instances included.
pub async fn delete(tx: &mut Tx, id: PlanId) -> Result<bool, StoreError> {
    execute!(tx, "DELETE FROM plans WHERE id = $1", id).map(|rows| rows == 1)
}

/// How many applications use each of them; plans that none uses are left out.
pub async fn application_counts(tx: &mut Tx, ids: &[PlanId]) -> Result<HashMap<PlanId, i64>, StoreError> {
    let sql = sql!("SELECT plan_id, COUNT(*) FROM applications WHERE deleted_at IS NULL").any("plan_id", ids.iter().copied());
    let rows: Vec<(PlanId, i64)> = fetch_all!(tx, sql.push(" GROUP BY plan_id"))?;
    Ok(rows.into_iter().collect())
}

/// How many applications use it.
pub async fn application_count(tx: &mut Tx, id: PlanId) -> Result<i64, StoreError> {
    fetch_one!(tx, "SELECT COUNT(*) FROM applications WHERE plan_id = $1 AND deleted_at IS NULL", id).map(|(count,)| count)
}
