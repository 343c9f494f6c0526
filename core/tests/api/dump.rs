//! Everything that the database says, as text, to see that nothing was changed.

use std::collections::BTreeMap;

use slipway_store::{Db, Engine, Sql};

/// Of each table its rows. What every request writes by itself is left out: the audit log, and when a credential was last used.
pub async fn of(db: &Db) -> BTreeMap<String, String> {
    let mut tx = db.read().await.unwrap();
    let is_sqlite = db.engine() == Engine::Sqlite;
    let tables = if is_sqlite {
        Sql::new("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_sqlx%'")
    } else {
        Sql::new("SELECT table_name::TEXT FROM information_schema.tables WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%'")
    };
    let tables: Vec<(String,)> = tx.fetch_all(tables).await.unwrap();
    assert!(tables.len() > 30, "{}", tables.len());
    let mut dump = BTreeMap::new();
    for (table,) in tables.into_iter().filter(|(table,)| !table.starts_with("audit_")) {
        if !is_sqlite {
            let text: &'static str =
                format!("SELECT (to_jsonb(t) - 'last_used_at' - 'last_seen_at')::TEXT FROM \"{table}\" t ORDER BY 1").leak();
            let rows: Vec<(String,)> = tx.fetch_all(Sql::new(text)).await.unwrap();
            dump.insert(table, rows.into_iter().map(|(row,)| row).collect::<Vec<_>>().join("\n"));
            continue;
        }
        let text = Sql::new("SELECT name FROM pragma_table_info($1)").bind(table.as_str());
        let columns: Vec<(String,)> = tx.fetch_all(text).await.unwrap();
        let columns = columns.into_iter().map(|(column,)| column).filter(|column| column != "last_used_at" && column != "last_seen_at");
        let row: Vec<String> = columns.map(|column| format!("'{column}=' || quote(\"{column}\")")).collect();
        // Statements are literals elsewhere; here they are made of the schema's own names.
        let text: &'static str = format!("SELECT {} FROM \"{table}\" ORDER BY 1", row.join(" || ' ' || ")).leak();
        let rows: Vec<(String,)> = tx.fetch_all(Sql::new(text)).await.unwrap();
        dump.insert(table, rows.into_iter().map(|(row,)| row).collect::<Vec<_>>().join("\n"));
    }
    dump
}

/// What is different, in words short enough to read.
pub fn difference(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = Vec::new();
    for (table, rows) in after {
        let old: Vec<&str> = before.get(table).map(|rows| rows.lines().collect()).unwrap_or_default();
        for row in rows.lines().filter(|row| !old.contains(row)) {
            found.push(format!("{table}: {}", row.chars().take(400).collect::<String>()));
        }
        let new: Vec<&str> = rows.lines().collect();
        found.extend(
            old.iter().filter(|row| !new.contains(row)).map(|row| format!("{table}: gone: {}", row.chars().take(200).collect::<String>())),
        );
    }
    found
}
