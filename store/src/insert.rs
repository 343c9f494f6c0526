//! Many rows in few statements.

use crate::{Engine, Sql, StoreError, Tx};

/// Rows of one statement. SQLite takes 32766 values.
const ROWS: usize = 512;

/// What is written of many rows: `into`, the places of one row's values, and what stands after the rows.
pub(crate) struct Insert {
    /// `INSERT INTO table (columns) VALUES`.
    pub into: &'static str,
    /// ` (?, ?)`.
    pub row: &'static str,
    /// ` ON CONFLICT ...`, or nothing. Has no values of its own.
    pub otherwise: &'static str,
}

impl Insert {
    /// Writes the rows. `values` adds the values of one. The rows of a statement are a power of two, so that there are few texts, and a
    /// database that keeps them prepared keeps the others too.
    pub async fn all<T>(&self, tx: &mut Tx, rows: &[T], values: impl Fn(Sql, &T) -> Sql) -> Result<(), StoreError> {
        let mut left = rows;
        while let Some(power) = left.len().checked_ilog2() {
            let (rows, others) = left.split_at(ROWS.min(1 << power));
            left = others;
            let sql = rows.iter().enumerate().fold(Sql::new(self.into), |sql, (index, row)| {
                let sql = if index > 0 { sql.push(",") } else { sql };
                let sql = match tx.engine() {
                    // Of a place with a number SQLite keeps a name, and looks through all names to find that of one.
                    Engine::Sqlite => sql.push(self.row),
                    Engine::Postgres => sql.number(self.row),
                };
                values(sql, row)
            });
            tx.execute(sql.push(self.otherwise)).await?;
        }
        Ok(())
    }
}
