//! Measures what `docs/performance.md` reports, each figure beside its limit or its rival in the same run.
//!
//! `cargo xtask bench` builds with optimisations and runs this.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks to its terminal")]

mod apps;
mod billing;
mod dashboard;
mod deploy;
mod memory;
mod plan;
mod plugins;
mod rebuild;
mod sample;
mod sandbox;
mod sockets;

use anyhow::Result;

#[tokio::main]
async fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    if is_wanted("plan") {
        plan::measure()?;
    }
    if is_wanted("plugins") {
        plugins::measure().await?;
    }
    if is_wanted("sandbox") {
        sandbox::measure().await?;
    }
    if is_wanted("deploy") {
        deploy::measure().await?;
    }
    if is_wanted("rebuild") {
        rebuild::measure().await?;
    }
    if is_wanted("memory") {
        memory::measure().await?;
    }
    if is_wanted("dashboard") {
        dashboard::measure().await?;
    }
    if is_wanted("billing") {
        billing::measure().await?;
    }
    if is_wanted("sockets") {
        sockets::measure().await?;
    }
    Ok(())
}
