//! Regions: where worker nodes stand. They are the platform's, for everybody to see.

use std::collections::HashMap;

use slipway_model::{RegionId, Slug, Timestamp, state::NodeStatus};

use crate::{Cursor, Listed, Order, Page, Slice, StoreError, Tx};

row! {
    pub struct Region {
        pub id: RegionId,
        pub slug: Slug,
        pub name: String,
        /// ISO 3166-1 alpha-2.
        pub country: Option<String>,
        pub active: bool,
        pub created_at: Timestamp,
        pub updated_at: Timestamp,
    }
}

impl Listed for Region {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

/// [`StoreError::Conflict`] when the slug is taken.
pub async fn insert(tx: &mut Tx, region: &Region) -> Result<(), StoreError> {
    execute!(
        tx,
        "INSERT INTO regions (id, slug, name, country, active, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        region.id,
        &region.slug,
        &region.name,
        region.country.as_ref(),
        region.active,
        region.created_at,
        region.updated_at
    )
    .map(drop)
}

pub async fn find(tx: &mut Tx, id: RegionId) -> Result<Option<Region>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM regions WHERE id = $1", id)
}

pub async fn by_ids(tx: &mut Tx, ids: &[RegionId]) -> Result<HashMap<RegionId, Region>, StoreError> {
    let rows: Vec<Region> = fetch_all!(tx, sql!("SELECT * FROM regions WHERE 1 = 1").any("id", ids.iter().copied()))?;
    Ok(rows.into_iter().map(|region| (region.id, region)).collect())
}

pub async fn by_slug(tx: &mut Tx, slug: &Slug) -> Result<Option<Region>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM regions WHERE slug = $1", slug)
}

/// Oldest first; `available_only`: those on offer that have a node to place on.
pub async fn list(tx: &mut Tx, available_only: bool, page: &Page) -> Result<Slice<Region>, StoreError> {
    let sql = if available_only {
        sql!(
            "SELECT * FROM regions WHERE active
             AND EXISTS (SELECT 1 FROM nodes WHERE nodes.region_id = regions.id AND nodes.status = $1 AND NOT nodes.cordoned)",
            NodeStatus::Online
        )
    } else {
        sql!("SELECT * FROM regions WHERE 1 = 1")
    };
    tx.fetch_slice(sql, page, Order::OldestFirst).await
}

/// Those that have a node to place on.
pub async fn have_capacity(tx: &mut Tx, ids: &[RegionId]) -> Result<HashMap<RegionId, bool>, StoreError> {
    let sql = sql!("SELECT DISTINCT region_id FROM nodes WHERE status = $1 AND NOT cordoned", NodeStatus::Online);
    let rows: Vec<(RegionId,)> = fetch_all!(tx, sql.any("region_id", ids.iter().copied()))?;
    Ok(rows.into_iter().map(|(region,)| (region, true)).collect())
}

/// Its name, country and whether it is offered. `false`: there is no such region.
pub async fn update(tx: &mut Tx, region: &Region) -> Result<bool, StoreError> {
    execute!(
        tx,
        "UPDATE regions SET name = $2, country = $3, active = $4, updated_at = $5 WHERE id = $1",
        region.id,
        &region.name,
        region.country.as_ref(),
        region.active,
        region.updated_at
    )
    .map(|rows| rows == 1)
}

/// [`StoreError::Reference`] while anything stands there.
pub async fn delete(tx: &mut Tx, id: RegionId) -> Result<bool, StoreError> {
    execute!(tx, "DELETE FROM regions WHERE id = $1", id).map(|rows| rows == 1)
}
