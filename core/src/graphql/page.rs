//! Lists as Relay connections.

use async_graphql::SimpleObject;
use slipway_store::{Listed, Page, Slice};

use crate::error::{Error, UserError};

/// Reads the four arguments of a connection.
pub(super) fn page(first: Option<i32>, after: Option<String>, last: Option<i32>, before: Option<String>) -> Result<Page, Error> {
    Page::from_arguments(first.map(i64::from), after.as_deref(), last.map(i64::from), before.as_deref())
        .map_err(|error| UserError::invalid("first", error.to_string()).into())
}

/// A page's elements with their cursors, made into an edge type by `edge`.
pub(super) fn edges<T: Listed, E>(slice: Slice<T>, edge: impl Fn(String, T) -> E) -> (Vec<E>, PageInfo) {
    let cursor = |row: Option<&T>| row.map(|row| row.cursor().to_string());
    let info = PageInfo {
        has_next_page: slice.has_next,
        has_previous_page: slice.has_previous,
        start_cursor: cursor(slice.items.first()),
        end_cursor: cursor(slice.items.last()),
    };
    (slice.items.into_iter().map(|row| edge(row.cursor().to_string(), row)).collect(), info)
}

/// Where a page of a list stands in the whole.
#[derive(Debug, Clone, SimpleObject)]
pub struct PageInfo {
    /// Whether more follows; ask with `first` and `after: endCursor`.
    pub has_next_page: bool,
    /// Whether more comes before; ask with `last` and `before: startCursor`.
    pub has_previous_page: bool,
    /// Of the first edge.
    pub start_cursor: Option<String>,
    /// Of the last edge.
    pub end_cursor: Option<String>,
}

/// Declares the connection and edge types of a node type.
macro_rules! connections {
    ($($row:ty => $node:ident, $connection:ident, $edge:ident;)+) => {
        $(
            /// One element of a list, and where it stands.
            #[derive(async_graphql::SimpleObject)]
            pub struct $edge {
                /// Opaque; for `after` and `before`.
                pub(crate) cursor: String,
                /// The element itself.
                pub(crate) node: $node,
            }

            /// One page of a list.
            pub struct $connection {
                pub(crate) edges: Vec<$edge>,
                pub(crate) page_info: $crate::graphql::page::PageInfo,
            }

            impl From<slipway_store::Slice<$row>> for $connection {
                fn from(slice: slipway_store::Slice<$row>) -> Self {
                    let (edges, page_info) = $crate::graphql::page::edges(slice, |cursor, row| $edge { cursor, node: $node(row) });
                    Self { edges, page_info }
                }
            }

            /// One page of a list.
            #[async_graphql::Object]
            impl $connection {
                /// The elements of this page, with their cursors.
                async fn edges(&self) -> &Vec<$edge> {
                    &self.edges
                }

                /// The elements of this page.
                async fn nodes(&self) -> Vec<&$node> {
                    self.edges.iter().map(|edge| &edge.node).collect()
                }

                /// Where this page stands in the whole.
                async fn page_info(&self) -> &$crate::graphql::page::PageInfo {
                    &self.page_info
                }
            }
        )+
    };
}
pub(super) use connections;
