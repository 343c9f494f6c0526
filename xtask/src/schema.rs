//! `schema.graphql` is written by the code and checked in.

use anyhow::{Context as _, Result, bail, ensure};

use crate::{cargo, root};

pub fn write(check: bool) -> Result<()> {
    let output = cargo().args(["run", "--quiet", "--package", "slipway", "--", "schema"]).output().context("cargo run")?;
    ensure!(output.status.success(), "the schema could not be printed:\n{}", String::from_utf8_lossy(&output.stderr));
    let path = root().join("schema.graphql");
    let current = std::fs::read(&path).unwrap_or_default();
    if current == output.stdout {
        println!("schema.graphql matches the code");
        return Ok(());
    }
    if check {
        bail!("schema.graphql differs from the code: run `cargo xtask schema` and commit the result");
    }
    std::fs::write(&path, &output.stdout)?;
    println!("schema.graphql written");
    Ok(())
}
