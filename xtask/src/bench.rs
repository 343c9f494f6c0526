//! Builds with optimisations, outside `dist/`, and measures.

use anyhow::Result;

use crate::{cargo, dist, root, run};

pub fn run_benches(which: &[String]) -> Result<()> {
    let directory = root().join("dist/release");
    dist::assemble(true, &directory)?;
    let mut measure = cargo();
    measure.args(["run", "--quiet", "--release", "--package", "slipway-e2e", "--bin", "measure", "--"]).args(which);
    run(measure.env("SLIPWAY_DIST", directory))
}
