//! Takes away from a machine what its agent made: for a node that leaves, and for a demonstration that ends.

use std::collections::BTreeSet;
use std::path::Path;

use crate::Identity;
use crate::docker::Docker;
use crate::engine::Engine as _;
use crate::ingress;
use crate::run::{AgentError, lock_folder};

/// How much went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purged {
    pub containers: usize,
}

/// Ends the ingress and removes this node's containers and networks. Images and the agent's own folder stay, so that a later
/// agent goes on where this one was.
///
/// # Errors
/// An agent is running with this folder, or the engine does not answer.
pub async fn purge(data_dir: &Path, docker_socket: &Path) -> Result<Purged, AgentError> {
    let Some(identity) = Identity::load(data_dir)? else { return Ok(Purged::default()) };
    let _lock = lock_folder(data_dir)?;
    ingress::stop(data_dir).await?;
    let docker = Docker::new(docker_socket, identity.node)?;
    let containers = docker.list().await?;
    for container in &containers {
        docker.remove(container.owner).await?;
    }
    docker.sweep_networks(&BTreeSet::new()).await?;
    Ok(Purged { containers: containers.len() })
}
