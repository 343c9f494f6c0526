//! The words in which statements and rows are written.

/// A struct that is one row: each field is the column of its name, unless `= "another"` is given.
///
/// ```text
/// row! {
///     /// Where applications run.
///     pub struct Region { pub id: RegionId, pub slug: Slug, pub price: Money = "price_nanos" }
/// }
/// ```
#[macro_export]
macro_rules! row {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$field_meta:meta])* pub $field:ident: $type:ty $(= $column:literal)?),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type),+
        }

        impl $crate::FromRow for $name {
            fn from_row(row: $crate::RowRef<'_>) -> Result<Self, $crate::StoreError> {
                Ok(Self { $($field: $crate::column(row, $crate::row!(@column $field $($column)?))?),+ })
            }
        }
    };
    (@column $field:ident) => { stringify!($field) };
    (@column $field:ident $column:literal) => { $column };
}

/// A statement: text, and the values of `$1`, `$2`, ...
#[macro_export]
macro_rules! sql {
    ($text:literal $(, $value:expr)* $(,)?) => { $crate::Sql::new($text)$(.bind($value))* };
}

/// The one row of a statement: `fetch_one!(tx, "text", values...)`, or `fetch_one!(tx, sql)` with a [`Sql`](crate::Sql).
#[macro_export]
macro_rules! fetch_one {
    ($tx:expr, $text:literal $(, $value:expr)* $(,)?) => { $tx.fetch_one($crate::sql!($text $(, $value)*)).await };
    ($tx:expr, $sql:expr) => { $tx.fetch_one($sql).await };
}

/// The row of a statement, if there is one.
#[macro_export]
macro_rules! fetch_optional {
    ($tx:expr, $text:literal $(, $value:expr)* $(,)?) => { $tx.fetch_optional($crate::sql!($text $(, $value)*)).await };
    ($tx:expr, $sql:expr) => { $tx.fetch_optional($sql).await };
}

/// All rows of a statement.
#[macro_export]
macro_rules! fetch_all {
    ($tx:expr, $text:literal $(, $value:expr)* $(,)?) => { $tx.fetch_all($crate::sql!($text $(, $value)*)).await };
    ($tx:expr, $sql:expr) => { $tx.fetch_all($sql).await };
}

/// Runs a statement; gives the number of rows it touched.
#[macro_export]
macro_rules! execute {
    ($tx:expr, $text:literal $(, $value:expr)* $(,)?) => { $tx.execute($crate::sql!($text $(, $value)*)).await };
    ($tx:expr, $sql:expr) => { $tx.execute($sql).await };
}
