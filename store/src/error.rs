//! What can go wrong between the program and its database, as far as a caller can act on it.

use sqlx::error::ErrorKind;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique value is taken. Which one, the caller knows by what it wrote: SQLite does not name the constraint.
    #[error("a value that must be unique is already taken")]
    Conflict,
    /// A row that this one refers to does not exist, or a row is still referred to.
    #[error("a row that is referred to does not exist, or a row to be removed is still in use")]
    Reference,
    /// The row is gone, or somebody else changed it since it was read.
    #[error("the row was changed by somebody else meanwhile")]
    Stale,
    /// A check or not-null constraint refused a value: a rule was not enforced above.
    #[error("the database refused a value: {0}")]
    Refused(String),
    /// The database was not free in time, or the connection to it was lost: the transaction left no trace and may be run again,
    /// unless it was the commit whose answer was lost.
    #[error("the database is busy or cannot be reached")]
    Busy(#[source] sqlx::Error),
    /// An earlier statement of this transaction failed. PostgreSQL refuses to go on, so SQLite is made to as well.
    #[error("the transaction was aborted by an earlier error")]
    Aborted,
    #[error("cannot read column {column}: {reason}")]
    Corrupt { column: String, reason: String },
    #[error("cannot encode a value for the database: {0}")]
    Encode(#[from] serde_json::Error),
    #[error(transparent)]
    Crypt(#[from] crate::crypt::CryptError),
    #[error("{0}")]
    Configuration(String),
    #[error("cannot bring the database to this version's schema (was it used by a newer version?): {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error("database error: {0}")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    /// Whether the same transaction may succeed when it is run again.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Busy(_))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let error = match error {
            sqlx::Error::ColumnDecode { index, source } => return Self::Corrupt { column: index, reason: source.to_string() },
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) => return Self::Busy(error),
            sqlx::Error::Database(ref database) => match database.kind() {
                ErrorKind::UniqueViolation => return Self::Conflict,
                ErrorKind::ForeignKeyViolation => return Self::Reference,
                ErrorKind::NotNullViolation | ErrorKind::CheckViolation | ErrorKind::ExclusionViolation => {
                    return Self::Refused(database.message().to_owned());
                }
                _ if is_transient(database.as_ref()) => return Self::Busy(error),
                _ => error,
            },
            _ => error,
        };
        Self::Database(error)
    }
}

/// Codes after which running the transaction again makes sense.
fn is_transient(error: &dyn sqlx::error::DatabaseError) -> bool {
    let Some(code) = error.code() else { return false };
    if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
        // Connection exceptions, serialization failure, deadlock, lock timeout, too many connections, shutdown, idle timeout.
        return code.starts_with("08")
            || matches!(code.as_ref(), "40001" | "40P01" | "55P03" | "53300" | "57P01" | "57P02" | "57P03" | "25P03");
    }
    // SQLITE_BUSY and SQLITE_LOCKED, in the low byte of the extended code.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6))
}
