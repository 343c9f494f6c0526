use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use slipway_agent::Identity;
use slipway_core::{Core, nodes, regions, seed};
use slipway_model::{Secret, Viewer, system_clock};
use tokio_util::sync::CancellationToken;

use super::agent::Ingress;
use super::server::ControlPlane;
use crate::{logging, shutdown};

/// The control plane and an agent in one process. They speak by the same socket and the same identity as on two machines.
#[derive(Args)]
pub struct Up {
    #[command(flatten)]
    control_plane: ControlPlane,
    #[command(flatten)]
    ingress: Ingress,
}

impl Up {
    pub async fn run(self) -> Result<ExitCode> {
        logging::start();
        let config = self.control_plane.into_config(Some(self.ingress.ingress.port()))?;
        let (data_dir, url, listen) = (config.data_dir.clone(), config.public_url.clone(), config.agent_listen);
        let core_url = format!("https://127.0.0.1:{}", listen.port()).parse()?;
        let agent_config = self.ingress.into_config(data_dir.join("agent"), core_url, None)?;

        let core = slipway_core::start(config).await?;
        if Identity::load(&agent_config.data_dir)?.is_none() {
            let token = invite(&core).await.context("this machine could not be invited as a worker node")?;
            slipway_agent::enroll(&agent_config, &token, &*system_clock()).await?;
        }
        tracing::info!(%url, token = %data_dir.join("admin.token").display(), "the platform is up");

        let stop = CancellationToken::new();
        let agent = slipway_agent::run(agent_config, system_clock(), stop.clone());
        tokio::pin!(agent);
        let ended = tokio::select! {
            ended = &mut agent => ended.context("the agent ended"),
            signal = shutdown::requested() => {
                signal?;
                stop.cancel();
                agent.await.context("the agent ended")
            }
        };
        core.shutdown().await;
        ended.map(|()| ExitCode::SUCCESS)
    }
}

/// A token for this machine itself, good for one minute.
async fn invite(core: &Core) -> Result<Secret> {
    let platform = core.platform();
    let region =
        regions::by_slug(platform, seed::REGION).await?.context("the first region has been removed: enroll this machine by hand")?;
    Ok(nodes::enrollment_token_create(platform, &Viewer::Platform, region.id, None, 60).await?.token)
}
