//! Builds with optimisations, outside `dist/`, and measures.

use std::process::Command;

use anyhow::Result;

use crate::{dist, root, run};

pub fn run_benches(which: &[String]) -> Result<()> {
    let directory = root().join("dist/release");
    dist::assemble(true, &directory)?;
    if which.is_empty() || which.iter().any(|word| word == "plugins") {
        dist::measured_plugins(&directory)?;
    }
    let measure = dist::measuring_program()?;
    run(Command::new(measure).args(which).current_dir(root()).env("SLIPWAY_DIST", directory))
}
