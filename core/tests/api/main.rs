//! The public API, asked as its clients ask it: over its own listener, against a real database and the plugins as built.

#[allow(dead_code, reason = "shared with the tests of rollouts, which use all of it")]
#[path = "../rollout/agent/mod.rs"]
mod agent;
#[path = "../rollout/built.rs"]
mod built;
mod world;

mod access;
mod audit;
mod billing;
mod bombs;
mod build_facts;
mod canaries;
mod cop;
mod dump;
mod fixture;
mod foreign;
mod hostile;
mod http;
mod introspected;
mod limits;
mod metrics;
mod nouns;
mod people;
mod plugin_elsewhere;
mod plugin_life;
mod protocol;
mod quotas;
mod reports;
mod roles;
mod schema;
mod secrets;
mod signing_in;
mod sockets;
mod start;
mod statements;
mod tenancy;
mod tokens;
mod upkeep;
mod uploads;
mod watching;
mod who_sees;
