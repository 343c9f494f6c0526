//! How each value of the database is read as a type of the program, and rows as structs.

use serde::de::DeserializeOwned;
use slipway_model::{Money, Timestamp};
use sqlx::{ColumnIndex, Decode, Postgres, Row, Sqlite, Type, postgres::PgRow, sqlite::SqliteRow, types::Json};
use uuid::Uuid;

use crate::StoreError;

/// A row of either engine.
#[derive(Clone, Copy)]
pub enum RowRef<'r> {
    Sqlite(&'r SqliteRow),
    Postgres(&'r PgRow),
}

/// A type that both engines can give.
pub trait Raw: Sized {
    /// # Errors
    /// The column does not exist, or holds another type.
    fn get<I>(row: RowRef<'_>, index: I) -> Result<Self, sqlx::Error>
    where
        I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow>;
}

impl<T> Raw for T
where
    T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres>,
{
    fn get<I>(row: RowRef<'_>, index: I) -> Result<Self, sqlx::Error>
    where
        I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow>,
    {
        match row {
            RowRef::Sqlite(row) => row.try_get(index),
            RowRef::Postgres(row) => row.try_get(index),
        }
    }
}

/// A type that is kept in a column, as a `Raw` one.
pub trait Column: Sized {
    type Raw;

    /// # Errors
    /// The raw value is none of this type's: somebody else wrote it.
    fn from_raw(raw: Self::Raw) -> Result<Self, String>;
}

impl<T: Column> Column for Option<T> {
    type Raw = Option<T::Raw>;

    fn from_raw(raw: Self::Raw) -> Result<Self, String> {
        raw.map(T::from_raw).transpose()
    }
}

/// Reads a column by its name or its place.
///
/// # Errors
/// The column does not exist, or its value is none of this type's.
pub fn column<T, I>(row: RowRef<'_>, index: I) -> Result<T, StoreError>
where
    T: Column<Raw: Raw>,
    I: ColumnIndex<SqliteRow> + ColumnIndex<PgRow> + std::fmt::Display + Copy,
{
    T::from_raw(T::Raw::get(row, index)?).map_err(|reason| StoreError::Corrupt { column: index.to_string(), reason })
}

/// Something that a row is read as: see [`row!`](crate::row).
pub trait FromRow: Sized {
    /// # Errors
    /// A column is missing or cannot be read.
    fn from_row(row: RowRef<'_>) -> Result<Self, StoreError>;
}

macro_rules! tuple {
    ($($type:ident = $index:literal),+) => {
        impl<$($type: Column<Raw: Raw>),+> FromRow for ($($type,)+) {
            fn from_row(row: RowRef<'_>) -> Result<Self, StoreError> {
                Ok(($(column::<$type, usize>(row, $index)?,)+))
            }
        }
    };
}

tuple!(A = 0);
tuple!(A = 0, B = 1);
tuple!(A = 0, B = 1, C = 2);
tuple!(A = 0, B = 1, C = 2, D = 3);

macro_rules! as_they_are {
    ($($type:ty),+) => {
        $(
            impl Column for $type {
                type Raw = Self;

                fn from_raw(raw: Self) -> Result<Self, String> {
                    Ok(raw)
                }
            }
        )+
    };
}

as_they_are!(Uuid, String, i64, f64, bool, Timestamp, Vec<u8>);

impl<T: DeserializeOwned> Column for Json<T> {
    type Raw = Self;

    fn from_raw(raw: Self) -> Result<Self, String> {
        Ok(raw)
    }
}

impl Column for Money {
    type Raw = i64;

    fn from_raw(raw: i64) -> Result<Self, String> {
        Ok(Self::from_nanos(raw))
    }
}

macro_rules! narrower {
    ($($type:ty),+) => {
        $(
            impl Column for $type {
                type Raw = i64;

                fn from_raw(raw: i64) -> Result<Self, String> {
                    raw.try_into().map_err(|_| format!("{raw} is out of range"))
                }
            }
        )+
    };
}

narrower!(i32, u32, u16);
