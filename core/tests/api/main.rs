//! The public API, asked as its clients ask it: over its own listener, against a real database and the plugins as built.

#[path = "../rollout/built.rs"]
mod built;
mod world;

mod access;
mod bombs;
mod cop;
mod http;
mod limits;
mod nouns;
mod protocol;
mod schema;
mod secrets;
mod sockets;
mod start;
mod statements;
mod tenancy;
mod uploads;
