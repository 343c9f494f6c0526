//! The database, and the only crate with SQL. One text per statement runs on SQLite and on PostgreSQL.
//!
//! A noun is a module: its rows as structs (see [`row!`]), and one function per question. A function on a customer's rows takes the
//! [`Viewer`](slipway_model::Viewer) and leaves the rest out, so that a foreign id and a missing one are the same answer.
//!
//! ```text
//! pub async fn find(tx: &mut Tx, viewer: &Viewer, id: ApplicationId) -> Result<Option<Application>, StoreError> {
//!     fetch_optional!(tx, sql!("SELECT * FROM applications WHERE id = $1", id).within("organization_id", viewer))
//! }
//! ```
//!
//! What to know when writing a statement:
//!
//! - whole numbers are `BIGINT` and come as `i64`; `SUM` becomes `NUMERIC` on PostgreSQL, so it is `CAST(... AS BIGINT)`;
//! - times are never the database's, but the clock's; on SQLite they are text that sorts as the times do;
//! - a list of values is [`Sql::any`], the viewer's scope [`Sql::within`], a page [`Tx::fetch_slice`];
//! - after any error the transaction is over, on both engines;
//! - what must differ between the engines asks [`Tx::engine`], and says why.

mod bind;
mod column;
pub mod crypt;
mod db;
mod error;
mod insert;
#[macro_use]
mod macros;
mod page;
mod scope;
mod sql;
mod tx;
mod words;

pub mod admissions;
pub mod api_tokens;
pub mod applications;
pub mod audit;
pub mod billing_accounts;
pub mod build_logs;
pub mod deployments;
pub mod enrollment_tokens;
pub mod events;
pub mod idempotency;
pub mod instances;
pub mod invitations;
pub mod invoices;
pub mod ledger;
pub mod memberships;
pub mod metrics;
pub mod nodes;
pub mod operations;
pub mod organizations;
pub mod plans;
pub mod platform_secrets;
pub mod plugin_archives;
pub mod plugins;
pub mod quotas;
pub mod regions;
pub mod releases;
pub mod routes;
pub mod runtimes;
pub mod sessions;
pub mod spending_alerts;
pub mod statistics;
pub mod suspensions;
pub mod tasks;
pub mod transfers;
pub mod two_factor;
pub mod uploads;
pub mod usage;
pub mod users;
pub mod variables;

pub use bind::Bind;
pub use column::{Column, FromRow, Raw, RowRef, column};
pub use crypt::{Keyring, Location};
pub use db::{Db, Engine};
pub use error::StoreError;
pub use page::{Cursor, Listed, Order, Page, PageError, Slice};
pub use sql::{Sql, Value};
/// A value that is kept as JSON.
pub use sqlx::types::Json;
pub use tx::Tx;
