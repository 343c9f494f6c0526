//! What is in an image, and how it runs by itself.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::docker::docker;
use crate::visitor::visit_until;

/// Of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// Digests of the layers' contents, from the first.
    pub layers: Vec<String>,
    pub bytes: u64,
}

impl ImageFacts {
    /// # Errors
    /// When it is not there.
    pub fn of(reference: &str) -> Result<Self> {
        let found: Value = serde_json::from_str(&docker(&["image", "inspect", reference, "--format", "{{json .}}"])?)?;
        let layers = found["RootFS"]["Layers"].as_array().into_iter().flatten().filter_map(|layer| layer.as_str().map(str::to_owned));
        Ok(Self { layers: layers.collect(), bytes: found["Size"].as_u64().context("an image has a size")? })
    }

    /// How many layers it begins with that another image begins with too.
    #[must_use]
    pub fn in_common(&self, other: &Self) -> usize {
        self.layers.iter().zip(&other.layers).take_while(|(one, other)| one == other).count()
    }
}

/// Runs an image by itself, with `PORT` set to a port of the tester's choice, and visits it there.
///
/// # Errors
/// When it does not answer as wanted on that port, or has to be killed.
pub async fn run_alone(image: &str, user: &str, network: &str, port: u16, wanted: &str) -> Result<()> {
    let variable = format!("PORT={port}");
    let security = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp"];
    let options = ["run", "--detach", "--init", "--network", network, "--user", user, "--env", &variable];
    let id = docker(&[&options[..], &security, &[image]].concat())?.trim().to_owned();
    let answered = answers(&id, port, wanted).await;
    let stopped = docker(&["stop", "--time", "10", &id]).and_then(|_| docker(&["inspect", &id, "--format", "{{.State.ExitCode}}"]));
    let log = docker(&["logs", &id]).unwrap_or_default();
    docker(&["rm", "--force", "--volumes", &id])?;
    answered.with_context(|| format!("{image} with PORT={port}; it said:\n{log}"))?;
    ensure!(stopped?.trim() != "137", "{image} had to be killed; it said:\n{log}");
    Ok(())
}

async fn answers(id: &str, port: u16, wanted: &str) -> Result<()> {
    let address = docker(&["inspect", id, "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"])?;
    let address: IpAddr = address.trim().parse().context("a container that runs has an address")?;
    let limit = Duration::from_secs(30);
    visit_until(SocketAddr::new(address, port), "localhost", limit, |answer| answer.status == 200 && answer.body.contains(wanted))
        .await
        .map(drop)
}
