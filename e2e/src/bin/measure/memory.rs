//! Resident memory of `slipway up` with four applications, at rest.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use slipway_e2e::{Platform, example};

pub async fn measure() -> Result<()> {
    println!("\n## Resident memory of `slipway up` with four applications");
    let platform = Platform::start().await?;
    let pid = platform.pid().context("it runs")?;
    println!("just started: {}", describe(pid)?);
    for name in ["node-express", "python-flask", "php-plain", "dockerfile-app"] {
        let source = example(name)?;
        let deployed = platform.deploy(source.path(), name).await?;
        ensure!(deployed.success, "{}\n{:#}", deployed.progress, deployed.report);
    }
    println!("after four deployments: {}", describe(pid)?);
    tokio::time::sleep(Duration::from_secs(60)).await;
    println!("a minute later: {}", describe(pid)?);
    Ok(())
}

fn describe(pid: u32) -> Result<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let mib = |name: &str| -> Result<f64> {
        let line = status.lines().find(|line| line.starts_with(name)).with_context(|| format!("{name} in /proc"))?;
        let kib: f64 = line.split_whitespace().nth(1).context("a figure")?.parse()?;
        Ok(kib / 1024.0)
    };
    Ok(format!("{:.1} MiB resident ({:.1} anonymous, peak {:.1})", mib("VmRSS:")?, mib("RssAnon:")?, mib("VmHWM:")?))
}
