//! The database: opened once, migrated, and handed out as transactions.

use std::{
    path::Path,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use slipway_model::Viewer;
use sqlx::{
    AssertSqlSafe, PgPool, Postgres, SqlitePool, Transaction,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{StoreError, Tx, tx::Access};

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("../migrations/postgres");

/// How long to wait for a connection or for another process's write.
const PATIENCE: Duration = Duration::from_secs(10);
/// Statements that each connection keeps prepared: there are more kinds than sqlx keeps by itself, which is a hundred.
const PREPARED: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A pool of connections to a database of the current schema. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Db {
    pools: Pools,
    statements: Arc<AtomicU64>,
}

#[derive(Debug, Clone)]
enum Pools {
    /// One connection writes and queues its users fairly, so that they never meet SQLite's busy error; many read beside it.
    Sqlite {
        writer: SqlitePool,
        readers: SqlitePool,
    },
    Postgres(PgPool),
}

impl Db {
    /// Opens `sqlite://path` (made when missing) or `postgres://user:password@host/database`, and migrates it.
    ///
    /// # Errors
    /// [`StoreError::Configuration`] for another kind of URL, [`StoreError::Migration`] for a schema that this version does
    /// not know, and those of the database.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("sqlite:") {
            Self::connect_sqlite(url).await
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Self::connect_postgres(url).await
        } else {
            Err(StoreError::Configuration("the database URL begins with neither sqlite:// nor postgres://".to_owned()))
        }
    }

    async fn connect_sqlite(url: &str) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|error| StoreError::Configuration(format!("not a usable SQLite URL: {error}")))?
            // What is acknowledged survives the machine, not only the process.
            .synchronous(SqliteSynchronous::Full)
            .journal_mode(SqliteJournalMode::Wal)
            .foreign_keys(true)
            .busy_timeout(PATIENCE)
            .statement_cache_capacity(PREPARED)
            .create_if_missing(true);
        if url.contains(":memory:") || url.contains("mode=memory") {
            return Err(StoreError::Configuration("a database in memory would be forgotten: give a file".to_owned()));
        }
        keep_private(options.get_filename())?;
        let writer =
            SqlitePoolOptions::new().min_connections(1).max_connections(1).acquire_timeout(PATIENCE).connect_with(options.clone()).await?;
        SQLITE_MIGRATIONS.run(&writer).await?;
        let readers = SqlitePoolOptions::new()
            .min_connections(1)
            .max_connections(8)
            .acquire_timeout(PATIENCE)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await?;
        Ok(Pools::Sqlite { writer, readers }.into())
    }

    async fn connect_postgres(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| StoreError::Configuration(format!("not a usable PostgreSQL URL: {error}")))?
            .application_name("slipway")
            .statement_cache_capacity(PREPARED)
            // A process that stalls in a transaction must not hold the others up.
            .options([("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "60s")]);
        let pool = PgPoolOptions::new().max_connections(16).acquire_timeout(PATIENCE).connect_with(options).await?;
        POSTGRES_MIGRATIONS.run(&pool).await?;
        let unguarded: bool =
            sqlx::query_scalar("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").fetch_one(&pool).await?;
        if unguarded {
            tracing::warn!("the database's user is let through row security: use one that is no superuser, to have the second lock");
        }
        Ok(Pools::Postgres(pool).into())
    }

    #[must_use]
    pub const fn engine(&self) -> Engine {
        match self.pools {
            Pools::Sqlite { .. } => Engine::Sqlite,
            Pools::Postgres(_) => Engine::Postgres,
        }
    }

    /// How many statements have been run since it was opened, beginnings and ends of transactions not counted.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// A transaction that sees one moment of the database and cannot write.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn read(&self) -> Result<Tx, StoreError> {
        let statements = Arc::clone(&self.statements);
        Ok(match &self.pools {
            Pools::Sqlite { readers, .. } => Tx::sqlite(readers.begin().await?, Access::Read, statements),
            Pools::Postgres(pool) => Tx::postgres(begin_whole(pool, READ_ONLY.to_owned()).await?, Access::Read, statements),
        })
    }

    /// For reading with one statement, which is a moment by itself: without the beginning and the end of a transaction it takes one
    /// round trip in place of three. Several statements are told apart by what happens between them.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn read_once(&self) -> Result<Tx, StoreError> {
        let statements = Arc::clone(&self.statements);
        Ok(match &self.pools {
            Pools::Sqlite { readers, .. } => Tx::sqlite_alone(readers.acquire().await?, statements),
            Pools::Postgres(pool) => Tx::postgres_alone(pool.acquire().await?, statements),
        })
    }

    /// As [`Db::read_once`], for a caller: on PostgreSQL rows of other organizations are not there, even for a statement that forgets
    /// to leave them out. That takes a transaction.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn read_as(&self, viewer: &Viewer) -> Result<Tx, StoreError> {
        match (&self.pools, guard(viewer)) {
            (Pools::Postgres(pool), Some(guard)) => {
                let begun = begin_whole(pool, format!("{READ_ONLY}; {guard}")).await?;
                Ok(Tx::postgres(begun, Access::Read, Arc::clone(&self.statements)))
            }
            _ => self.read_once().await,
        }
    }

    /// A transaction that writes. On SQLite there is one at a time: keep it short, and never await another inside it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        self.begin_as(&Viewer::Platform).await
    }

    /// As [`Db::begin`], for a caller: see [`Db::read_as`].
    ///
    /// # Errors
    /// Those of the database.
    pub async fn begin_as(&self, viewer: &Viewer) -> Result<Tx, StoreError> {
        let statements = Arc::clone(&self.statements);
        Ok(match &self.pools {
            // A transaction that begins as a reader cannot wait when it turns into a writer: it fails. So it begins as one.
            Pools::Sqlite { writer, .. } => Tx::sqlite(writer.begin_with("BEGIN IMMEDIATE").await?, Access::Write, statements),
            Pools::Postgres(pool) => {
                let begin = guard(viewer).map_or_else(|| "BEGIN".to_owned(), |guard| format!("BEGIN; {guard}"));
                Tx::postgres(begin_whole(pool, begin).await?, Access::Write, statements)
            }
        })
    }

    /// Waits for connections in use, and closes.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(pool) => pool.close().await,
        }
    }
}

impl From<Pools> for Db {
    fn from(pools: Pools) -> Self {
        Self { pools, statements: Arc::default() }
    }
}

const READ_ONLY: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// Begins a transaction in a task of its own. Whoever asked may give up at any moment, and a connection on which a transaction is just
/// being begun would go back into the pool inside it: read-only, of an old moment, and with the guard of another caller.
async fn begin_whole(pool: &PgPool, begin: String) -> Result<Transaction<'static, Postgres>, StoreError> {
    let pool = pool.clone();
    // Safe: of a viewer it holds ids alone, written by ourselves. One message, so that the guard costs no round trip.
    let begun = tokio::spawn(async move { pool.begin_with(AssertSqlSafe(begin)).await }).await;
    // It is not cancelled but with everything else, when the program ends.
    Ok(begun.map_err(|_| sqlx::Error::PoolClosed)??)
}

/// What makes a transaction a caller's: the organizations that row security lets through, as an array. `None`: everything.
fn guard(viewer: &Viewer) -> Option<String> {
    let ids: Vec<String> = viewer.organizations()?.iter().map(|id| id.uuid().to_string()).collect();
    Some(format!("SET LOCAL slipway.organizations = '{{{}}}'", ids.join(",")))
}

/// The file holds password hashes and customers' names: only its owner reads it. SQLite gives its side files the same mode.
///
/// A file that exists is left alone: to open and close it here would drop the locks that this process may hold on it.
fn keep_private(file: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::Configuration(format!("cannot make the database file {}: {error}", file.display()))),
    }
}
