//! Pages of a list, by keyset: a cursor names the last row seen, so that rows added or removed elsewhere move nothing.

use std::{collections::HashMap, hash::Hash};

use data_encoding::BASE64URL_NOPAD;
use slipway_model::Timestamp;
use uuid::Uuid;

use crate::{FromRow, Sql, StoreError, Tx};

/// The place of a row in a list: its time, and its id among those of the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    pub at: Timestamp,
    pub id: Uuid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    #[error("not a cursor that this list gave")]
    Cursor,
    #[error("give `first` or `last`, not both")]
    BothEnds,
    #[error("ask for 1 to {} rows", Page::MOST)]
    Size,
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.at.timestamp_micros().to_be_bytes());
        bytes[8..].copy_from_slice(self.id.as_bytes());
        f.write_str(&BASE64URL_NOPAD.encode(&bytes))
    }
}

impl std::str::FromStr for Cursor {
    type Err = PageError;

    fn from_str(text: &str) -> Result<Self, PageError> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| PageError::Cursor)?;
        let (at, id) = bytes.split_first_chunk::<8>().ok_or(PageError::Cursor)?;
        Ok(Self {
            at: Timestamp::from_timestamp_micros(i64::from_be_bytes(*at)).ok_or(PageError::Cursor)?,
            id: Uuid::from_slice(id).map_err(|_| PageError::Cursor)?,
        })
    }
}

/// A row that stands in a paged list: its `created_at` and `id`.
pub trait Listed {
    fn cursor(&self) -> Cursor;
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Page {
    size: u32,
    /// The page is counted from the list's end.
    from_end: bool,
    after: Option<Cursor>,
    before: Option<Cursor>,
}

impl Default for Page {
    fn default() -> Self {
        Self::first(Self::USUAL)
    }
}

impl Page {
    pub const MOST: u32 = 100;
    pub const USUAL: u32 = 25;

    /// The first rows, at most [`Page::MOST`].
    #[must_use]
    pub fn first(size: u32) -> Self {
        Self { size: size.clamp(1, Self::MOST), from_end: false, after: None, before: None }
    }

    /// The last rows, at most [`Page::MOST`].
    #[must_use]
    pub fn last(size: u32) -> Self {
        Self { from_end: true, ..Self::first(size) }
    }

    #[must_use]
    pub const fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    #[must_use]
    pub const fn before(mut self, cursor: Cursor) -> Self {
        self.before = Some(cursor);
        self
    }

    /// From the four arguments of a connection.
    ///
    /// # Errors
    /// A cursor that is none, a size out of range, or both ends at once.
    pub fn from_arguments(first: Option<i64>, after: Option<&str>, last: Option<i64>, before: Option<&str>) -> Result<Self, PageError> {
        if first.is_some() && last.is_some() {
            return Err(PageError::BothEnds);
        }
        let size = first.or(last).unwrap_or_else(|| Self::USUAL.into());
        let size = u32::try_from(size).ok().filter(|size| (1..=Self::MOST).contains(size)).ok_or(PageError::Size)?;
        Ok(Self { size, from_end: last.is_some(), after: after.map(str::parse).transpose()?, before: before.map(str::parse).transpose()? })
    }
}

/// In which order a list stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}

/// A part of a list, in the list's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice<T> {
    pub items: Vec<T>,
    pub has_next: bool,
    pub has_previous: bool,
}

impl Tx {
    /// The wanted part of a list. `sql` ends in its `WHERE` clause and has columns `created_at` and `id`.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn fetch_slice<T: FromRow>(&mut self, sql: Sql, page: &Page, order: Order) -> Result<Slice<T>, StoreError> {
        let items = self.fetch_all(page.narrow(sql, order)).await?;
        Ok(page.cut(items))
    }

    /// The wanted part of the list of each parent, in one statement for up to [`PARENTS`] of them. `list` is the list of one, whose
    /// first value is the parent, as for [`Tx::fetch_slice`]; `within` leaves the rows that the viewer may see, and `parent` tells
    /// whose a row is.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn fetch_slices<K: Copy + Eq + Hash + Into<Uuid>, T: FromRow + Listed, O: Into<Option<K>>>(
        &mut self,
        parents: &[K],
        list: impl Fn(K) -> Sql,
        within: impl Fn(Sql) -> Sql,
        parent: impl Fn(&T) -> O,
        page: &Page,
        order: Order,
    ) -> Result<HashMap<K, Slice<T>>, StoreError> {
        let mut rows: HashMap<K, Vec<T>> = parents.iter().map(|parent| (*parent, Vec::new())).collect();
        for parents in parents.chunks(PARENTS) {
            let lists = self.for_each(|parent| page.narrow(list(parent), order), parents);
            for row in self.fetch_all::<T>(within(lists)).await? {
                if let Some(of) = parent(&row).into() {
                    rows.entry(of).or_default().push(row);
                }
            }
        }
        let slices = rows.into_iter().map(|(parent, mut items)| {
            // A database need not keep the order in which it read the parts.
            items.sort_by_key(Listed::cursor);
            if !page.is_read_upwards(order) {
                items.reverse();
            }
            (parent, page.cut(items))
        });
        Ok(slices.collect())
    }

    /// The rows of a statement whose first value is the parent, for each of up to [`PARENTS`] of them.
    pub(crate) fn for_each<K: Copy + Into<Uuid>>(&self, list: impl Fn(K) -> Sql, parents: &[K]) -> Sql {
        let ids: Vec<Uuid> = parents.iter().map(|parent| (*parent).into()).collect();
        match parents.first() {
            Some(first) => Sql::for_each(list(*first), &ids, self.engine()),
            None => Sql::new("SELECT 1 WHERE 1 = 0"),
        }
    }
}

/// Lists that one statement reads together.
pub(crate) const PARENTS: usize = 100;

impl Page {
    fn is_read_upwards(&self, order: Order) -> bool {
        (order == Order::OldestFirst) != self.from_end
    }

    /// One row more than wanted, which tells whether there are more.
    fn narrow(&self, mut sql: Sql, order: Order) -> Sql {
        let (beyond, short_of) = if order == Order::OldestFirst { (">", "<") } else { ("<", ">") };
        for (cursor, comparison) in [(self.after, beyond), (self.before, short_of)] {
            if let Some(Cursor { at, id }) = cursor {
                sql = sql.number(&format!(" AND (created_at, id) {comparison} (?, ?)")).bind(at).bind(id);
            }
        }
        let order = if self.is_read_upwards(order) { " ORDER BY created_at, id" } else { " ORDER BY created_at DESC, id DESC" };
        sql.push(order).limit(i64::from(self.size) + 1)
    }

    fn cut<T>(&self, mut items: Vec<T>) -> Slice<T> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let more = items.len() > size;
        items.truncate(size);
        if self.from_end {
            items.reverse();
            Slice { items, has_next: self.before.is_some(), has_previous: more }
        } else {
            Slice { items, has_next: more, has_previous: self.after.is_some() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_text() {
        let cursor = Cursor { at: Timestamp::from_timestamp_micros(1_790_000_000_123_456).unwrap(), id: Uuid::from_u128(7) };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", "x", "AAAA", "!!!!", &"A".repeat(31), &"A".repeat(33), &BASE64URL_NOPAD.encode(&[0xff; 25])] {
            assert_eq!(text.parse::<Cursor>(), Err(PageError::Cursor), "{text:?}");
        }
    }

    #[test]
    fn a_page_has_one_end_and_a_bounded_size() {
        assert_eq!(Page::from_arguments(None, None, None, None), Ok(Page::default()));
        assert_eq!(Page::from_arguments(Some(1), None, Some(1), None), Err(PageError::BothEnds));
        for size in [0, -1, 101, i64::MAX] {
            assert_eq!(Page::from_arguments(Some(size), None, None, None), Err(PageError::Size));
        }
    }
}
