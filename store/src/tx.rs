//! A transaction on either engine. The only place where a statement meets one of them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use sqlx::{AssertSqlSafe, Postgres, Sqlite, Transaction, pool::PoolConnection};

use crate::{Engine, FromRow, RowRef, Sql, StoreError, Value, audit};

/// Rolled back when it is dropped without [`Tx::commit`].
#[derive(Debug)]
pub struct Tx {
    inner: Inner,
    /// An earlier statement failed: see [`StoreError::Aborted`].
    aborted: bool,
    access: Access,
    /// Of the whole process.
    statements: Arc<AtomicU64>,
}

/// What a transaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

#[derive(Debug)]
enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
    /// Each statement is a transaction of its own.
    SqliteAlone(PoolConnection<Sqlite>),
    PostgresAlone(PoolConnection<Postgres>),
}

/// Hands the statement to the engine's own query type, and runs `$method` of it.
macro_rules! run {
    ($self:ident, $sql:ident, |$query:ident, $connection:ident| $run:expr) => {{
        if $self.aborted {
            return Err(StoreError::Aborted);
        }
        let (text, values) = $sql.finish()?;
        $self.statements.fetch_add(1, Ordering::Relaxed);
        let result = match &mut $self.inner {
            Inner::Sqlite(tx) => {
                let $query = bound!(Sqlite, text, values);
                let $connection = &mut **tx;
                $run
            }
            Inner::Postgres(tx) => {
                let $query = bound!(Postgres, text, values);
                let $connection = &mut **tx;
                $run
            }
            Inner::SqliteAlone(connection) => {
                let $query = bound!(Sqlite, text, values);
                let $connection = &mut **connection;
                $run
            }
            Inner::PostgresAlone(connection) => {
                let $query = bound!(Postgres, text, values);
                let $connection = &mut **connection;
                $run
            }
        };
        $self.aborted = result.is_err();
        result.map_err(StoreError::from)
    }};
}

macro_rules! bound {
    ($engine:ty, $text:ident, $values:ident) => {{
        // Safe: `Sql` is made of literals and of placeholders that it numbers itself.
        let query = sqlx::query::<$engine>(AssertSqlSafe($text));
        $values.into_iter().fold(query, |query, value| match value {
            Value::Uuid(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Integer(value) => query.bind(value),
            Value::Real(value) => query.bind(value),
            Value::Bool(value) => query.bind(value),
            Value::Time(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
            Value::Json(value) => query.bind(value.map(sqlx::types::Json)),
        })
    }};
}

/// A row that outlives its statement.
enum OwnedRow {
    Sqlite(sqlx::sqlite::SqliteRow),
    Postgres(sqlx::postgres::PgRow),
}

impl From<sqlx::sqlite::SqliteRow> for OwnedRow {
    fn from(row: sqlx::sqlite::SqliteRow) -> Self {
        Self::Sqlite(row)
    }
}

impl From<sqlx::postgres::PgRow> for OwnedRow {
    fn from(row: sqlx::postgres::PgRow) -> Self {
        Self::Postgres(row)
    }
}

impl OwnedRow {
    fn read<T: FromRow>(&self) -> Result<T, StoreError> {
        T::from_row(match self {
            Self::Sqlite(row) => RowRef::Sqlite(row),
            Self::Postgres(row) => RowRef::Postgres(row),
        })
    }
}

impl Tx {
    pub(crate) const fn sqlite(tx: Transaction<'static, Sqlite>, access: Access, statements: Arc<AtomicU64>) -> Self {
        Self { inner: Inner::Sqlite(tx), aborted: false, access, statements }
    }

    pub(crate) const fn postgres(tx: Transaction<'static, Postgres>, access: Access, statements: Arc<AtomicU64>) -> Self {
        Self { inner: Inner::Postgres(tx), aborted: false, access, statements }
    }

    pub(crate) const fn sqlite_alone(connection: PoolConnection<Sqlite>, statements: Arc<AtomicU64>) -> Self {
        Self { inner: Inner::SqliteAlone(connection), aborted: false, access: Access::Read, statements }
    }

    pub(crate) const fn postgres_alone(connection: PoolConnection<Postgres>, statements: Arc<AtomicU64>) -> Self {
        Self { inner: Inner::PostgresAlone(connection), aborted: false, access: Access::Read, statements }
    }

    /// For the few statements that cannot be the same on both, such as `FOR UPDATE SKIP LOCKED`.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        match self.inner {
            Inner::Sqlite(_) | Inner::SqliteAlone(_) => Engine::Sqlite,
            Inner::Postgres(_) | Inner::PostgresAlone(_) => Engine::Postgres,
        }
    }

    /// What to end a `SELECT` with that keeps others from the rows until the transaction ends. On SQLite there is no other writer
    /// anyway.
    #[must_use]
    pub const fn row_lock(&self) -> &'static str {
        match self.engine() {
            Engine::Sqlite => "",
            Engine::Postgres => " FOR UPDATE",
        }
    }

    /// The first one of a piece of work that is being [recorded](audit::record) takes the audit event with it.
    ///
    /// # Errors
    /// Those of the database. Nothing was written, save when [`StoreError::Busy`] hides that the answer was lost.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        if self.aborted {
            return Err(StoreError::Aborted);
        }
        let event = if self.access == Access::Write { audit::pending() } else { None };
        if let Some(event) = &event {
            audit::append(&mut self, event).await?;
        }
        match self.inner {
            Inner::Sqlite(tx) => tx.commit().await?,
            Inner::Postgres(tx) => tx.commit().await?,
            Inner::SqliteAlone(_) | Inner::PostgresAlone(_) => {}
        }
        if let Some(event) = event {
            audit::written(event.outcome);
        }
        Ok(())
    }

    /// Undoes the transaction and waits for that. Dropping it does the same a little later.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn rollback(self) -> Result<(), StoreError> {
        match self.inner {
            Inner::Sqlite(tx) => tx.rollback().await?,
            Inner::Postgres(tx) => tx.rollback().await?,
            Inner::SqliteAlone(_) | Inner::PostgresAlone(_) => {}
        }
        Ok(())
    }

    /// # Errors
    /// Those of the database; no row at all is one too.
    pub async fn fetch_one<T: FromRow>(&mut self, sql: Sql) -> Result<T, StoreError> {
        self.fetch_optional(sql).await?.ok_or(StoreError::Database(sqlx::Error::RowNotFound))
    }

    /// # Errors
    /// Those of the database.
    pub async fn fetch_optional<T: FromRow>(&mut self, sql: Sql) -> Result<Option<T>, StoreError> {
        let row = run!(self, sql, |query, connection| query.fetch_optional(connection).await.map(|row| row.map(OwnedRow::from)))?;
        row.map(|row| row.read()).transpose()
    }

    /// # Errors
    /// Those of the database.
    pub async fn fetch_all<T: FromRow>(&mut self, sql: Sql) -> Result<Vec<T>, StoreError> {
        let rows = run!(self, sql, |query, connection| {
            query.fetch_all(connection).await.map(|rows| rows.into_iter().map(OwnedRow::from).collect::<Vec<_>>())
        })?;
        rows.iter().map(OwnedRow::read).collect()
    }

    /// The number of rows touched.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn execute(&mut self, sql: Sql) -> Result<u64, StoreError> {
        run!(self, sql, |query, connection| query.execute(connection).await.map(|done| done.rows_affected()))
    }
}
