//! Databases for tests: a fresh one per test, of either engine. For `[dev-dependencies]` only.
//!
//! ```text
//! #[tokio::test]
//! async fn a_taken_slug_is_refused() {
//!     on_both(async |database| { ... database.db.begin() ... }).await;
//! }
//! ```
//!
//! PostgreSQL is a private cluster, started once per test process as an unprivileged user; it listens on a socket in its own
//! directory only, and ends with the process.

mod cluster;

use std::sync::atomic::{AtomicU64, Ordering};

use slipway_store::{Db, Engine};
use tempfile::TempDir;

pub use cluster::Cluster;

/// An empty database of the current schema.
#[derive(Debug)]
pub struct TestDatabase {
    pub db: Db,
    /// Opens the same database again.
    pub url: String,
    kept_in: KeptIn,
}

/// What is removed with the database.
#[derive(Debug)]
enum KeptIn {
    Directory { _sqlite: TempDir },
    Cluster { name: String },
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let KeptIn::Cluster { name } = &self.kept_in {
            Cluster::of_this_process().drop_database(name);
        }
    }
}

impl TestDatabase {
    /// # Panics
    /// When it cannot be made.
    pub async fn sqlite() -> Self {
        // In memory where there is such a place: waiting for a disk tells a test nothing.
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary directory");
        let url = format!("sqlite://{}", directory.path().join("slipway.db").display());
        let db = Db::connect(&url).await.expect("a new SQLite database");
        Self { db, url, kept_in: KeptIn::Directory { _sqlite: directory } }
    }

    /// # Panics
    /// When it cannot be made, such as without PostgreSQL's binaries.
    pub async fn postgres() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let (url, name) =
            tokio::task::spawn_blocking(move || (Cluster::of_this_process().create_database(&name), name)).await.expect("a cluster");
        let db = Db::connect(&url).await.expect("a new PostgreSQL database");
        Self { db, url, kept_in: KeptIn::Cluster { name } }
    }

    pub async fn of(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::sqlite().await,
            Engine::Postgres => Self::postgres().await,
        }
    }
}

/// Runs a test on a fresh database of each engine.
pub async fn on_both(test: impl AsyncFn(TestDatabase)) {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let _name = NamedOnPanic(engine);
        test(TestDatabase::of(engine).await).await;
    }
}

/// Says on which engine a test failed.
struct NamedOnPanic(Engine);

impl Drop for NamedOnPanic {
    #[expect(clippy::print_stderr, reason = "the test's own output")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the test failed on {:?}", self.0);
        }
    }
}
