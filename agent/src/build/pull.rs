//! The pull task: a ready image, on the node.

use futures::StreamExt;
use slipway_model::state::{StepKind, StepStatus};
use slipway_protocol::{Outcome, PullTask, TaskFailure};

use super::{Builder, failure::from_pull, log::TaskLog, plan::failed};

impl Builder {
    pub(super) async fn pull(&self, spec: &PullTask, log: &mut TaskLog) -> Outcome {
        log.step(StepKind::FetchSource, StepStatus::Running, None).await;
        match self.pull_image(spec.image.as_str(), log).await {
            Ok(outcome) => {
                log.step(StepKind::FetchSource, StepStatus::Succeeded, None).await;
                outcome
            }
            Err(failure) => failed(log, StepKind::FetchSource, failure).await,
        }
    }

    async fn pull_image(&self, image: &str, log: &mut TaskLog) -> Result<Outcome, TaskFailure> {
        let present = self.engine.image(image).await.map_err(|error| from_pull(error, image))?;
        let facts = match present {
            Some(facts) => {
                log.line(format!("The image {image} is on the node already")).await;
                facts
            }
            None => {
                log.line(format!("Fetching the image {image}")).await;
                log.flush().await;
                let mut lines = self.engine.pull(image).map_err(|error| from_pull(error, image))?;
                while let Some(line) = lines.next().await {
                    log.line(line.map_err(|error| from_pull(error, image))?).await;
                    log.flush().await;
                }
                let facts = self.engine.image(image).await.map_err(|error| from_pull(error, image))?;
                facts.ok_or_else(|| {
                    TaskFailure::new("IMAGE_PULL_FAILED", format!("the image `{image}` is not on the node although it was fetched"))
                        .fix("Deploy again.")
                })?
            }
        };
        if facts.runs_as_root() {
            log.line("Note: the image's processes run as root inside their container, without any privileges.").await;
        }
        Ok(Outcome::Built {
            image: image.to_owned(),
            digest: facts.id,
            image_bytes: i64::try_from(facts.bytes).unwrap_or(i64::MAX),
            exposed_ports: facts.exposed_ports,
            log_truncated: log.is_truncated(),
            from_cache: None,
        })
    }
}
