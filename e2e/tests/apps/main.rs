//! Some ten apps per language, modelled on real ones: built, started, visited, edited, built again, stopped. See docs/builds.md for what is
//! shown of each, and `e2e/apps/` for the apps.
#![allow(clippy::print_stderr, reason = "the table is what the run is for")]

mod dockerfile;
mod node;
mod php;
mod python;
mod static_sites;

use anyhow::Result;
use slipway_e2e::{App, Platform, Row, table, trials};

/// Tries them all, prints what was seen, and fails with everything that was not as it should be.
async fn all_work(title: &str, apps: &[App]) -> Result<()> {
    let platform = Platform::start().await?;
    let (rows, failures) = trials(&platform, apps).await?;
    let cells: Vec<Vec<String>> = rows.iter().map(Row::cells).collect();
    eprintln!("{}", table(title, &Row::HEAD, &cells));
    assert!(failures.is_empty(), "{} of {} apps are not as they should be:\n\n{}", failures.len(), apps.len(), failures.join("\n\n"));
    Ok(())
}
