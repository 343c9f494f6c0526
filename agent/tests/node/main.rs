//! The agent with the real engine, the real Traefik and nginx, and a tiny core over real TLS.

mod blobs;
mod containers;
mod core;
mod engine_rig;
mod enrolling;
mod lifecycle;
mod logs;
mod proxies;
mod releases;
mod routes;
mod session;
mod whole;
