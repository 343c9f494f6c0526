//! A plugin as a WebAssembly component: a few instances of it, each of which keeps its settings until it misbehaves.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use slipway_buildpack_host::{HostError, Responder, ResponderLimits, Responders, Session};
use slipway_plugin_abi::{MESSAGE_VERSIONS, status};
use tokio::{runtime::Handle, time::timeout};

use crate::{LoadError, Misconduct, library::RawReply, plugin::Unanswered, reply::shortened};

/// What the outer limits leave for the inner ones to speak first.
const GRACE: Duration = Duration::from_millis(250);
/// Instances that are kept between calls.
const KEPT: usize = 4;

/// The engine for all of them, with a directory for what it compiles. `compiler` is the `slipway` binary.
pub(crate) fn engine(directory: &Path, compiler: Option<&Path>) -> Result<Responders, LoadError> {
    Responders::new(directory, compiler, ResponderLimits::default()).map_err(|error| LoadError::NotLoadable(error.to_string()))
}

#[derive(Debug, Clone)]
pub(crate) struct Component(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    responder: Responder,
    message_version: u32,
    instances: Mutex<Instances>,
    starts: AtomicU64,
}

#[derive(Debug, Default)]
struct Instances {
    idle: Vec<Instance>,
    /// The settings in force, as a request, and how often they have changed.
    settings: Option<Arc<[u8]>>,
    generation: u64,
}

#[derive(Debug)]
struct Instance {
    session: Session,
    generation: u64,
}

impl Component {
    /// Starts it once, to see that it can be.
    pub async fn open(responder: Responder, [lowest, highest]: [u32; 2], time: Duration) -> Result<Self, LoadError> {
        let started = guest(time, async move || {
            let mut session = responder.start(time).await?;
            let versions = session.message_versions(time).await?;
            Ok::<_, HostError>((responder, session, versions))
        });
        let started = started.await.map_err(LoadError::Stopped)?.ok_or(LoadError::Overran(time))?;
        let (responder, session, spoken) = started.map_err(|error| LoadError::NotStarted(error.to_string()))?;
        let least = lowest.max(spoken.0).max(*MESSAGE_VERSIONS.start());
        let message_version = highest.min(spoken.1).min(*MESSAGE_VERSIONS.end());
        if least > message_version {
            return Err(LoadError::NoCommonMessageVersion(spoken.0, spoken.1));
        }
        let instances = Instances { idle: vec![Instance { session, generation: 0 }], ..Instances::default() };
        Ok(Self(Arc::new(Inner { responder, message_version, instances: Mutex::new(instances), starts: AtomicU64::new(1) })))
    }

    pub fn message_version(&self) -> u32 {
        self.0.message_version
    }

    /// Instances that took the place of one that misbehaved, or were needed beside it.
    pub fn restarts(&self) -> u64 {
        self.0.starts.load(Relaxed).saturating_sub(1)
    }

    /// Settings that the plugin has accepted. Instances with others are not asked any more.
    pub fn keep_settings(&self, request: Arc<[u8]>) {
        let mut instances = self.0.lock();
        instances.settings = Some(request);
        instances.generation += 1;
        instances.idle.clear();
    }

    /// Lets go of all instances. The next call makes one.
    pub fn stop(&self) {
        self.0.lock().idle.clear();
    }

    pub async fn call(&self, request: Vec<u8>, deadline: Duration) -> Result<RawReply, Unanswered> {
        let inner = Arc::clone(&self.0);
        let answered = guest(deadline, async move || inner.answer(&request, deadline).await);
        answered.await.map_err(Unanswered::NotMade)?.ok_or(Misconduct::Overran(deadline))?
    }
}

/// Has a guest at work on a thread where blocking is allowed: one that computes does so on nobody else's. `None`: it is given up. Its own
/// time ends what it computes; this limit is for what it waits for in the host, such as a sleep.
async fn guest<T: Send + 'static>(time: Duration, work: impl AsyncFnOnce() -> T + Send + 'static) -> Result<Option<T>, String> {
    let runtime = Handle::current();
    let working = tokio::task::spawn_blocking(move || runtime.block_on(async { timeout(time + GRACE, work()).await.ok() }));
    // Should the host itself block on its behalf, the thread is left behind.
    match timeout(time + 2 * GRACE, working).await {
        Ok(worked) => worked.map_err(|error| error.to_string()),
        Err(_) => Ok(None),
    }
}

impl Inner {
    async fn answer(&self, request: &[u8], deadline: Duration) -> Result<RawReply, Unanswered> {
        let until = Instant::now() + deadline;
        let left = || until.saturating_duration_since(Instant::now());
        let failed = |error| unanswered(error, deadline);
        let (idle, settings, generation) = {
            let mut instances = self.lock();
            (instances.idle.pop(), instances.settings.clone(), instances.generation)
        };
        let mut instance = match idle {
            Some(instance) => instance,
            None => {
                self.starts.fetch_add(1, Relaxed);
                let mut session = self.responder.start(left()).await.map_err(failed)?;
                if let Some(settings) = settings {
                    let (status, _) = session.call(&settings, self.message_version, left()).await.map_err(failed)?;
                    if status != status::OK {
                        return Err(Unanswered::NotMade("it no longer takes the settings that it had taken before".into()));
                    }
                }
                Instance { session, generation }
            }
        };
        let (status, bytes) = instance.session.call(request, self.message_version, left()).await.map_err(failed)?;
        let mut instances = self.lock();
        if instances.generation == instance.generation && instances.idle.len() < KEPT {
            instances.idle.push(instance);
        }
        Ok(RawReply { status, bytes: Ok(bytes) })
    }

    fn lock(&self) -> MutexGuard<'_, Instances> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn unanswered(error: HostError, deadline: Duration) -> Unanswered {
    match error {
        HostError::Timeout { .. } => Misconduct::Overran(deadline).into(),
        HostError::Memory { limit_bytes, .. } => Misconduct::Ended(format!("wanted more than {} MiB of memory", limit_bytes >> 20)).into(),
        HostError::OutputTooLarge { limit_bytes } => Misconduct::BadReply(format!("it is larger than {} MiB", limit_bytes >> 20)).into(),
        // A panic says so on its way, and then stops the component.
        HostError::Trap { output, .. } if output.contains("panicked at") => Misconduct::Panicked(shortened(panic_message(&output))).into(),
        HostError::Trap { message, .. } => Misconduct::Ended(format!("was stopped: {}", shortened(&message))).into(),
        other => Unanswered::NotMade(other.to_string()),
    }
}

/// What follows the line that says where.
fn panic_message(output: &str) -> &str {
    let from = output.find("panicked at").map_or(output, |place| &output[place..]);
    let message = from.split_once('\n').map_or(from, |(_, message)| message);
    message.split("\nnote: run with").next().unwrap_or(message).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_a_panic_prints_its_message_is_kept() {
        let output = "\nthread '<unnamed>' (1) panicked at src/lib.rs:40:23:\nout of cheese\nnote: run with `RUST_BACKTRACE=1` environment";
        assert_eq!(panic_message(output), "out of cheese");
    }
}
