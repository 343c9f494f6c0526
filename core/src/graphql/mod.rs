//! The public API. Only this module sees the executor's types; a resolver decodes, calls a rule of the core, and encodes.

mod access;
mod api;
mod audit;
mod billed;
mod connection;
mod context;
mod cost;
mod error;
pub mod guard;
mod lists;
mod load;
mod mutation;
mod page;
mod plain;
mod query;
mod scalar;
mod subscription;
mod turn;
mod types;

use async_graphql::{Schema, SchemaBuilder};

pub use self::{
    api::{Answer, Api, Payload, Prepared},
    cost::MAX_COMPLEXITY,
    guard::Kind,
};
use self::{mutation::Mutation, query::Query, subscription::Subscription};
use crate::{Platform, auth::LoginAttempts};

type SlipwaySchema = Schema<Query, Mutation, Subscription>;

fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription::default()).register_output_type::<types::OrganizationOwned>()
}

/// What documents are executed with.
#[derive(Clone)]
struct Schemas {
    /// Asks around every field.
    asking: SlipwaySchema,
    /// For documents that need not be asked about.
    plain: SlipwaySchema,
    known: plain::Known,
}

fn schemas(platform: &Platform) -> Schemas {
    let (known, attempts) = (plain::Known::default(), LoginAttempts::default());
    let asking = builder()
        // First, and so around the other: what is denied is written down too.
        .extension(audit::AuditLog)
        .extension(access::Access(known.clone()))
        .extension(cost::Costs)
        .data(platform.clone())
        .data(attempts.clone())
        .finish();
    Schemas { asking, plain: builder().data(platform.clone()).data(attempts).finish(), known }
}

/// The schema as text: the API's reference, checked in as `schema.graphql`.
#[must_use]
pub fn sdl() -> String {
    let options = async_graphql::SDLExportOptions::new().prefer_single_line_descriptions().use_space_ident();
    builder().finish().sdl_with_options(options)
}
