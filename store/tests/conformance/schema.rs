//! The two dialects of the schema say the same.

use std::collections::BTreeSet;

use slipway_store::{Db, StoreError, execute, fetch_all, fetch_one};
use slipway_store_testing::{TestDatabase, on_both};

async fn columns(database: &TestDatabase) -> BTreeSet<(String, String, bool)> {
    let mut tx = database.db.read().await.unwrap();
    let rows: Vec<(String, String, bool)> = match database.db.engine() {
        slipway_store::Engine::Sqlite => fetch_all!(
            tx,
            "SELECT m.name, c.name, c.\"notnull\" = 0 FROM sqlite_master m JOIN pragma_table_info(m.name) c
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '\\_sqlx%' ESCAPE '\\'"
        ),
        slipway_store::Engine::Postgres => fetch_all!(
            tx,
            "SELECT table_name::TEXT, column_name::TEXT, is_nullable = 'YES' FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%'"
        ),
    }
    .unwrap();
    rows.into_iter().collect()
}

/// Of each column: table, name, type in PostgreSQL's words where SQLite can tell.
async fn types(database: &TestDatabase) -> BTreeSet<(String, String, String)> {
    let mut tx = database.db.read().await.unwrap();
    let rows: Vec<(String, String, String)> = match database.db.engine() {
        slipway_store::Engine::Sqlite => fetch_all!(
            tx,
            "SELECT m.name, c.name, c.type FROM sqlite_master m JOIN pragma_table_info(m.name) c
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE '\\_sqlx%' ESCAPE '\\'"
        ),
        slipway_store::Engine::Postgres => fetch_all!(
            tx,
            "SELECT table_name::TEXT, column_name::TEXT, data_type::TEXT FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%'"
        ),
    }
    .unwrap();
    let on_sqlite = |kind: String| match kind.as_str() {
        "uuid" | "bytea" => "BLOB".to_owned(),
        "text" | "jsonb" | "timestamp with time zone" => "TEXT".to_owned(),
        "bigint" | "boolean" => "INTEGER".to_owned(),
        "double precision" => "REAL".to_owned(),
        _ => kind,
    };
    rows.into_iter().map(|(table, column, kind)| (table, column, on_sqlite(kind))).collect()
}

/// Those that were given a name.
async fn indexes(database: &TestDatabase) -> BTreeSet<(String, String)> {
    let mut tx = database.db.read().await.unwrap();
    let rows: Vec<(String, String)> = match database.db.engine() {
        slipway_store::Engine::Sqlite => {
            fetch_all!(tx, "SELECT tbl_name, name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        }
        slipway_store::Engine::Postgres => fetch_all!(
            tx,
            "SELECT tablename::TEXT, indexname::TEXT FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE '\\_sqlx%'
             AND indexname NOT LIKE '%\\_pkey' AND indexname NOT LIKE '%\\_key'"
        ),
    }
    .unwrap();
    rows.into_iter().collect()
}

/// Table, column, table referred to, and what a deletion does.
async fn references(database: &TestDatabase) -> BTreeSet<(String, String, String, String)> {
    let mut tx = database.db.read().await.unwrap();
    let rows: Vec<(String, String, String, String)> = match database.db.engine() {
        slipway_store::Engine::Sqlite => fetch_all!(
            tx,
            "SELECT m.name, f.\"from\", f.\"table\", f.on_delete FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f
             WHERE m.type = 'table'"
        ),
        slipway_store::Engine::Postgres => fetch_all!(
            tx,
            "SELECT c.conrelid::regclass::TEXT, a.attname::TEXT, c.confrelid::regclass::TEXT,
                CASE c.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'NO ACTION' END
             FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] WHERE c.contype = 'f'"
        ),
    }
    .unwrap();
    rows.into_iter().collect()
}

#[tokio::test]
async fn both_engines_have_the_same_schema() {
    let (sqlite, postgres) = (TestDatabase::sqlite().await, TestDatabase::postgres().await);
    assert_eq!(columns(&sqlite).await, columns(&postgres).await);
    assert_eq!(types(&sqlite).await, types(&postgres).await);
    assert_eq!(indexes(&sqlite).await, indexes(&postgres).await);
    assert_eq!(references(&sqlite).await, references(&postgres).await);
    assert!(columns(&sqlite).await.len() > 200, "the tables are looked at at all");
}

#[tokio::test]
async fn a_migrated_database_is_opened_again_as_it_is() {
    on_both(async |database| {
        let before = columns(&database).await;
        Db::connect(&database.url).await.unwrap().close().await;
        Db::connect(&database.url).await.unwrap().close().await;
        assert_eq!(columns(&database).await, before);
    })
    .await;
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    on_both(async |database| {
        let mut tx = database.db.begin().await.unwrap();
        let (present,): (i64,) = fetch_one!(tx, "SELECT COUNT(*) FROM _sqlx_migrations").unwrap();
        assert!(present >= 1);
        execute!(
            tx,
            "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time)
             SELECT 99999, 'from the future', installed_on, success, checksum, 0 FROM _sqlx_migrations WHERE version = 1"
        )
        .unwrap();
        tx.commit().await.unwrap();
        let error = Db::connect(&database.url).await.unwrap_err();
        assert!(matches!(error, StoreError::Migration(_)), "{error:?}");
        assert!(error.to_string().contains("newer version"), "{error}");
    })
    .await;
}
