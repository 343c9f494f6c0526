//! What is used: looked at every few seconds, and told as what it came to since the look before.
//!
//! A container that does not answer is left out, and everything is looked at side by side with a bound, so that a slow engine costs
//! samples and nothing else. Nothing is kept for later: while nobody is connected, what was measured is forgotten.

mod rates;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use slipway_model::{Clock, InstanceId};
use slipway_protocol::{NodeSample, ObservedState, Samples};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use crate::engine::{Engine, Owner, Usage};
use crate::facts;
use crate::ingress::Ingress;
use rates::Rates;

/// Containers that are looked at at once.
const AT_ONCE: usize = 4;
/// For one container to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Looks at how much is used of the disk are expensive: one of so many.
const DISK_EVERY: u64 = 30;

pub struct Sampler {
    pub engine: Arc<dyn Engine>,
    pub ingress: Arc<dyn Ingress>,
    pub observed: watch::Receiver<Option<Arc<ObservedState>>>,
    pub clock: Arc<dyn Clock>,
    pub data_dir: PathBuf,
    pub every: Duration,
    pub samples: watch::Sender<Option<Arc<Samples>>>,
}

impl Sampler {
    /// Looks and tells until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut ticks = interval_at(Instant::now() + self.first_look(), self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut rates, mut processors) = (Rates::default(), facts::Processors::default());
        processors.percent();
        let mut looks = 0;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let with_disk = looks % DISK_EVERY == 0;
            looks += 1;
            let look = async { tokio::join!(self.containers(with_disk), self.ingress.counted()) };
            let (usages, counted) = tokio::select! {
                () = shutdown.cancelled() => return,
                looked = look => looked,
            };
            let counted = counted.inspect_err(|error| tracing::debug!(error, "the ingress does not say what it counted")).ok();
            let samples = Samples {
                node: NodeSample {
                    cpu_percent: processors.percent(),
                    memory_used_bytes: facts::memory().unwrap_or_default().used_bytes,
                    storage_used_bytes: facts::storage(&self.data_dir).unwrap_or_default().used_bytes,
                },
                instances: rates.instances(usages, Instant::now().into_std()),
                applications: rates.applications(counted),
            };
            self.samples.send_replace(Some(Arc::new(samples)));
        }
    }

    /// In the middle half of one of the clock's slots, so that each sample falls into a slot of its own; not all nodes at once.
    fn first_look(&self) -> Duration {
        let every = u64::try_from(self.every.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut random = [0; 8];
        self.clock.fill(&mut random);
        let into_slot = every / 4 + u64::from_le_bytes(random) % (every / 2).max(1);
        let now = u64::try_from(self.clock.now().timestamp_millis()).unwrap_or(0) % every;
        Duration::from_millis((every + into_slot - now) % every)
    }

    async fn containers(&self, with_disk: bool) -> Vec<(InstanceId, Usage)> {
        let observed = self.observed.borrow().clone();
        let running = observed.iter().flat_map(|state| &state.instances);
        let running: Vec<InstanceId> = running
            .filter(|instance| instance.status.is_running() && instance.container_id.is_some())
            .map(|instance| instance.id)
            .collect();
        let look = async |instance| {
            let usage = timeout(PATIENCE, self.engine.usage(Owner::Instance(instance), with_disk)).await;
            // Gone since, or slow: it is left out this time.
            usage.ok()?.ok().map(|usage| (instance, usage))
        };
        stream::iter(running).map(look).buffer_unordered(AT_ONCE).filter_map(async |usage| usage).collect().await
    }
}
