//! Runtimes, as their plugins bring them. They are the platform's, for everybody to see.

use std::collections::HashMap;

use slipway_model::{RuntimeId, Timestamp};

use crate::{Cursor, Listed, Order, Page, Slice, StoreError, Tx};

row! {
    pub struct Runtime {
        pub id: RuntimeId,
        /// Such as `node-22`.
        pub slug: String,
        /// Such as `node`.
        pub kind: String,
        pub name: String,
        pub version: String,
        pub builder_image: String,
        pub run_image: String,
        pub default_build_command: Option<String>,
        pub default_start_command: Option<String>,
        pub default_port: Option<i64>,
        pub active: bool,
        /// The version that is taken of its kind where none is asked for.
        pub is_default: bool,
        /// The id of the plugin that brings it.
        pub plugin: String,
        pub eol_at: Option<Timestamp>,
        pub created_at: Timestamp,
        pub updated_at: Timestamp,
    }
}

impl Listed for Runtime {
    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.uuid() }
    }
}

/// Writes what a plugin says of a runtime. One that is there keeps its id, its age, and what an administrator chose for it:
/// whether it is offered, and the default commands.
pub async fn upsert(tx: &mut Tx, runtime: &Runtime) -> Result<Runtime, StoreError> {
    fetch_one!(
        tx,
        "INSERT INTO runtimes (id, slug, kind, name, version, builder_image, run_image, default_build_command, default_start_command,
            default_port, active, is_default, plugin, eol_at, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         ON CONFLICT (slug) DO UPDATE SET kind = excluded.kind, name = excluded.name, version = excluded.version,
            builder_image = excluded.builder_image, run_image = excluded.run_image, default_port = excluded.default_port,
            is_default = excluded.is_default, plugin = excluded.plugin, eol_at = excluded.eol_at, updated_at = excluded.updated_at
         RETURNING *",
        runtime.id,
        &runtime.slug,
        &runtime.kind,
        &runtime.name,
        &runtime.version,
        &runtime.builder_image,
        &runtime.run_image,
        runtime.default_build_command.as_ref(),
        runtime.default_start_command.as_ref(),
        runtime.default_port,
        runtime.active,
        runtime.is_default,
        &runtime.plugin,
        runtime.eol_at,
        runtime.created_at,
        runtime.updated_at
    )
}

pub async fn find(tx: &mut Tx, id: RuntimeId) -> Result<Option<Runtime>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM runtimes WHERE id = $1", id)
}

pub async fn by_ids(tx: &mut Tx, ids: &[RuntimeId]) -> Result<HashMap<RuntimeId, Runtime>, StoreError> {
    let rows: Vec<Runtime> = fetch_all!(tx, sql!("SELECT * FROM runtimes WHERE 1 = 1").any("id", ids.iter().copied()))?;
    Ok(rows.into_iter().map(|runtime| (runtime.id, runtime)).collect())
}

pub async fn by_slug(tx: &mut Tx, slug: &str) -> Result<Option<Runtime>, StoreError> {
    fetch_optional!(tx, "SELECT * FROM runtimes WHERE slug = $1", slug)
}

/// Oldest first, page by page.
pub async fn list(tx: &mut Tx, active_only: bool, page: &Page) -> Result<Slice<Runtime>, StoreError> {
    tx.fetch_slice(sql!("SELECT * FROM runtimes WHERE (active OR NOT $1)", active_only), page, Order::OldestFirst).await
}

/// Those of one kind, oldest first, page by page.
pub async fn list_of_kind(tx: &mut Tx, kind: &str, active_only: bool, page: &Page) -> Result<Slice<Runtime>, StoreError> {
    let sql = sql!("SELECT * FROM runtimes WHERE kind = $1 AND (active OR NOT $2)", kind, active_only);
    tx.fetch_slice(sql, page, Order::OldestFirst).await
}

/// All of these kinds, offered or not, oldest first.
pub async fn of_kinds(tx: &mut Tx, kinds: &[&str]) -> Result<Vec<Runtime>, StoreError> {
    let sql = sql!("SELECT * FROM runtimes WHERE 1 = 1").any("kind", kinds.iter().map(|kind| (*kind).to_owned()));
    fetch_all!(tx, sql.push(" ORDER BY created_at, id"))
}

/// All that are offered, by kind and version's age.
pub async fn offered(tx: &mut Tx) -> Result<Vec<Runtime>, StoreError> {
    fetch_all!(tx, "SELECT * FROM runtimes WHERE active ORDER BY kind, created_at, id")
}

pub async fn of_plugin(tx: &mut Tx, plugin: &str) -> Result<Vec<Runtime>, StoreError> {
    fetch_all!(tx, "SELECT * FROM runtimes WHERE plugin = $1 ORDER BY created_at, id", plugin)
}

/// What an administrator chooses: whether it is offered, and the default commands. `false`: there is no such runtime.
pub async fn update(tx: &mut Tx, runtime: &Runtime) -> Result<bool, StoreError> {
    execute!(
        tx,
        "UPDATE runtimes SET active = $2, default_build_command = $3, default_start_command = $4, updated_at = $5 WHERE id = $1",
        runtime.id,
        runtime.active,
        runtime.default_build_command.as_ref(),
        runtime.default_start_command.as_ref(),
        runtime.updated_at
    )
    .map(|rows| rows == 1)
}

/// Offers or withdraws all that a plugin brings.
pub async fn set_active_of_plugin(tx: &mut Tx, plugin: &str, active: bool, now: Timestamp) -> Result<u64, StoreError> {
    execute!(tx, "UPDATE runtimes SET active = $2, updated_at = $3 WHERE plugin = $1 AND active <> $2", plugin, active, now)
}

/// How many applications ask for a kind.
pub async fn application_count(tx: &mut Tx, kind: &str) -> Result<i64, StoreError> {
    fetch_one!(tx, "SELECT COUNT(*) FROM applications WHERE runtime_kind = $1 AND deleted_at IS NULL", kind).map(|(count,)| count)
}

/// How many applications were last built with an image.
pub async fn built_with(tx: &mut Tx, image: &str) -> Result<i64, StoreError> {
    // The lock is read as text, in which an image stands in quotation marks; it holds no character that means something there.
    let quoted = format!("%\"{}\"%", image.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_"));
    let sql = sql!("SELECT COUNT(*) FROM applications WHERE deleted_at IS NULL AND CAST(tool_lock AS TEXT) LIKE $1 ESCAPE '\\'", quoted);
    fetch_one!(tx, sql).map(|(count,)| count)
}

pub async fn delete(tx: &mut Tx, id: RuntimeId) -> Result<bool, StoreError> {
    execute!(tx, "DELETE FROM runtimes WHERE id = $1", id).map(|rows| rows == 1)
}
