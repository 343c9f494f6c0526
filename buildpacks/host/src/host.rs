//! The engine, and a loaded buildpack.

use std::{
    fs::File,
    io::Read,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime},
};

use slipway_buildpack_wit::{Context, Detected, Detection, Fragment, Refusal};
use tokio::{runtime::Handle, sync::Semaphore};
use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, UpdateDeadline,
    component::{Component, Linker},
};

use crate::{
    HostError, bindings,
    compiled::{CompiledStore, is_loadable},
    compiler,
    epoch::Epoch,
    output::TruncatingOutput,
    sandbox::{MemoryRefused, State},
};

/// Calls at once; others wait their turn.
const CONCURRENT_CALLS: u32 = 16;
/// Larger files are not components of any sensible language.
pub(crate) const MAX_COMPONENT_BYTES: usize = 64 << 20;
/// A file's clock may tick as rarely as this, on file systems that keep whole seconds.
const SETTLED_AFTER: Duration = Duration::from_secs(2);
/// What the outer time limit leaves for the inner one to speak first.
const OUTER_GRACE: Duration = Duration::from_millis(500);

/// What one call may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Of all of the component's memories together.
    pub memory_bytes: usize,
    pub time: Duration,
    /// What is kept of standard output and error.
    pub output_bytes: usize,
    /// The size of the answer.
    pub answer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: 256 << 20, time: Duration::from_secs(10), output_bytes: 64 << 10, answer_bytes: 4 << 20 }
    }
}

/// What a guest is told when it asks for the time or for randomness. Nothing real: builds are planned with the default, and a
/// buildpack whose answer changes under another one depends on what it must not depend on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ambient {
    /// What both clocks show, for ever; the wall clock since the beginning of 1970.
    pub clock: Duration,
    /// Every random byte.
    pub random: u8,
}

/// A WebAssembly engine with its directory of compiled buildpacks. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
    /// The program that compiles; `None`: this process.
    compiler: Option<Arc<Path>>,
}

struct Inner {
    engine: Engine,
    linker: Linker<State>,
    compiled: CompiledStore,
    epoch: Epoch,
    limits: Limits,
    ambient: Ambient,
    turns: Arc<Semaphore>,
    /// The process ends soon: what guests used is left to its end, which takes it back faster than we could.
    is_brief: bool,
}

impl Host {
    /// # Errors
    /// When the directory cannot be made or the engine does not start.
    pub fn new(cache_dir: impl AsRef<Path>) -> Result<Self, HostError> {
        Self::with_limits(cache_dir, Limits::default())
    }

    /// # Errors
    /// As [`Self::new`].
    pub fn with_limits(cache_dir: impl AsRef<Path>, limits: Limits) -> Result<Self, HostError> {
        Self::with_ambient(cache_dir, limits, Ambient::default())
    }

    /// For trying a buildpack: with another clock and other random numbers.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_ambient(cache_dir: impl AsRef<Path>, limits: Limits, ambient: Ambient) -> Result<Self, HostError> {
        Self::start(&pooling(), cache_dir.as_ref(), limits, ambient, false)
    }

    /// For a process that asks a few questions and ends: memory is taken as it is needed, in place of kept
    /// ready, and never given back.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn for_few_calls(cache_dir: impl AsRef<Path>) -> Result<Self, HostError> {
        Self::start(&config(), cache_dir.as_ref(), Limits::default(), Ambient::default(), true)
    }

    fn start(config: &Config, cache_dir: &Path, limits: Limits, ambient: Ambient, is_brief: bool) -> Result<Self, HostError> {
        let failed = |error: wasmtime::Error| HostError::Engine(format!("{error:#}"));
        let engine = Engine::new(config).map_err(failed)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(failed)?;
        let compiled = CompiledStore::open(cache_dir).map_err(HostError::Cache)?;
        let epoch = Epoch::start(&engine).map_err(|error| HostError::Engine(error.to_string()))?;
        let turns = Arc::new(Semaphore::new(CONCURRENT_CALLS as usize));
        Ok(Self { inner: Arc::new(Inner { engine, linker, compiled, epoch, limits, ambient, turns, is_brief }), compiler: None })
    }

    /// The same, with components compiled by a program of its own: the `slipway` binary.
    #[must_use]
    pub fn compiling_with(mut self, program: &Path) -> Self {
        self.compiler = Some(program.into());
        self
    }

    /// Loads a component, compiling it where it was not compiled before: half a second of work, so call it where blocking
    /// is allowed.
    ///
    /// # Errors
    /// [`HostError::InvalidComponent`] or [`HostError::WrongWorld`].
    pub fn load(&self, id: &str, wasm: &[u8]) -> Result<Buildpack, HostError> {
        if wasm.len() > MAX_COMPONENT_BYTES {
            return Err(HostError::InvalidComponent { reason: format!("it is larger than {} MiB", MAX_COMPONENT_BYTES >> 20) });
        }
        let Inner { engine, compiled, .. } = &*self.inner;
        let exports = self.link(&compiled_by(self.compiler.as_deref(), engine, compiled, wasm)?)?;
        Ok(Buildpack { id: id.to_owned(), host: self.clone(), exports: Arc::new(exports.into()), file: None })
    }

    /// Compiles a component, of whatever world, where it was not compiled before.
    ///
    /// # Errors
    /// [`HostError::InvalidComponent`].
    pub fn precompile(&self, wasm: &[u8]) -> Result<(), HostError> {
        if wasm.len() > MAX_COMPONENT_BYTES {
            return Err(HostError::InvalidComponent { reason: format!("it is larger than {} MiB", MAX_COMPONENT_BYTES >> 20) });
        }
        let Inner { engine, compiled, .. } = &*self.inner;
        compiled.component(engine, &compiled.entry(engine, wasm), wasm).map(drop)
    }

    /// The buildpack in a file, which is loaded when it is first called.
    #[must_use]
    pub fn of_file(&self, id: &str, path: &Path) -> Buildpack {
        Buildpack { id: id.to_owned(), host: self.clone(), exports: Arc::default(), file: Some(path.into()) }
    }

    /// One that has not changed since it was loaded before, is not read.
    fn load_file(&self, path: &Path) -> Result<Exports, HostError> {
        let unreadable = |error: std::io::Error| HostError::InvalidComponent { reason: format!("it cannot be read: {error}") };
        let Inner { engine, compiled, .. } = &*self.inner;
        let mut file = File::open(path).map_err(unreadable)?;
        let about = file.metadata().map_err(unreadable)?;
        let name = compiled.entry_of_file(engine, path, &about);
        if let Some(component) = compiled.known(engine, &name) {
            return self.link(&component);
        }
        let mut wasm = Vec::new();
        file.read_to_end(&mut wasm).map_err(unreadable)?;
        let loaded = self.load("", &wasm)?;
        // A file that was written a moment ago may be written again within the same tick of its clock.
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(about.ctime().unsigned_abs());
        let is_settled = changed.elapsed().is_ok_and(|age| age > SETTLED_AFTER);
        if is_settled && file.metadata().is_ok_and(|now| compiled.entry_of_file(engine, path, &now) == name) {
            compiled.link(&compiled.entry(engine, &wasm), &name);
        }
        loaded.exports().cloned()
    }

    fn link(&self, component: &Component) -> Result<Exports, HostError> {
        let wrong = |error: wasmtime::Error| HostError::WrongWorld { reason: format!("{error:#}") };
        let instance = self.inner.linker.instantiate_pre(component).map_err(wrong)?;
        bindings::BuildpackPre::new(instance).map_err(wrong)
    }
}

/// The component, compiled by a program of its own where there is one and it was not compiled before.
pub(crate) fn compiled_by(program: Option<&Path>, engine: &Engine, compiled: &CompiledStore, wasm: &[u8]) -> Result<Component, HostError> {
    let entry = compiled.entry(engine, wasm);
    if let Some(program) = program.filter(|_| !is_loadable(&entry)) {
        match compiler::compile(program, compiled.dir(), wasm) {
            Err(HostError::Cache(error)) => tracing::warn!(%error, program = %program.display(), "the compiler cannot be run"),
            answer => answer?,
        }
    }
    compiled.component(engine, &entry, wasm)
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").field("limits", &self.inner.limits).finish_non_exhaustive()
    }
}

/// Room for all calls that may be under way, set up once.
fn pooling() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    // A buildpack in an interpreted language is made of dozens of core modules.
    pool.total_component_instances(CONCURRENT_CALLS)
        .total_core_instances(CONCURRENT_CALLS * 64)
        .total_memories(CONCURRENT_CALLS * 8)
        .total_tables(CONCURRENT_CALLS * 32)
        .total_stacks(CONCURRENT_CALLS)
        .max_core_instances_per_component(64)
        .max_memories_per_component(8)
        .max_tables_per_component(32)
        .table_elements(100_000)
        .max_unused_warm_slots(4);
    let mut config = config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        // Components come without names, so a backtrace would be numbers.
        .wasm_backtrace_max_frames(None)
        .wasm_component_model(true)
        .relaxed_simd_deterministic(true)
        .cranelift_nan_canonicalization(true)
        .max_wasm_stack(1 << 20)
        .async_stack_size(2 << 20);
    config
}

/// A buildpack that is ready to be called, any number of times and from several tasks at once. Cheap to clone.
#[derive(Clone)]
pub struct Buildpack {
    id: String,
    host: Host,
    /// Empty until the file is loaded.
    exports: Arc<OnceLock<Exports>>,
    file: Option<Arc<Path>>,
}

type Exports = bindings::BuildpackPre<State>;

impl std::fmt::Debug for Buildpack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buildpack").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The guest's time is up.
#[derive(Debug, thiserror::Error)]
#[error("out of time")]
pub(crate) struct TimeUp;

impl Buildpack {
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The interfaces that the component asks the host for, such as `wasi:filesystem/types@0.2.6`.
    ///
    /// # Errors
    /// As [`Host::load`], where the buildpack is not loaded yet.
    pub fn imports(&self) -> Result<Vec<String>, HostError> {
        let component = self.exports()?.instance_pre().component().component_type();
        Ok(component.imports(&self.host.inner.engine).map(|(name, _)| name.to_owned()).collect())
    }

    fn exports(&self) -> Result<&Exports, HostError> {
        match (&self.file, self.exports.get()) {
            (Some(path), None) => {
                let exports = self.host.load_file(path)?;
                Ok(self.exports.get_or_init(|| exports))
            }
            (_, exports) => Ok(exports.expect("a buildpack without a file is loaded from the beginning")),
        }
    }

    /// Whether the tree is of this buildpack's kind.
    ///
    /// # Errors
    /// When the buildpack misbehaves; what it thinks of the application is in the answer.
    pub async fn detect(&self, tree: &Path, context: &Context) -> Result<Detected, HostError> {
        let context = context.clone().into();
        self.call(tree, async move |store, exports| exports.call_detect(store, &context).await.map(Detected::from)).await
    }

    /// What to build.
    ///
    /// # Errors
    /// The outer one when the buildpack misbehaves, the inner one when it refuses the application.
    pub async fn plan(&self, tree: &Path, context: &Context, detection: &Detection) -> Result<Result<Fragment, Refusal>, HostError> {
        let (context, detection) = (context.clone().into(), detection.clone().into());
        self.call(tree, async move |store, exports| {
            let answer = exports.call_plan(store, &context, &detection).await?;
            Ok(answer.map(Fragment::from).map_err(Refusal::from))
        })
        .await
    }

    /// On a thread where blocking is allowed, since the guest's questions to the file system block.
    async fn call<T: serde::Serialize + Send + 'static>(
        &self,
        tree: &Path,
        ask: impl AsyncFnOnce(&mut Store<State>, &bindings::Buildpack) -> wasmtime::Result<T> + Send + 'static,
    ) -> Result<T, HostError> {
        let limit = self.host.inner.limits.time;
        let turns = Arc::clone(&self.host.inner.turns);
        let turn = turns.acquire_owned().await.map_err(|error| HostError::Engine(error.to_string()))?;
        let output = TruncatingOutput::new(self.host.inner.limits.output_bytes);
        let (this, tree, printed, runtime) = (self.clone(), tree.to_owned(), output.clone(), Handle::current());
        let running = tokio::task::spawn_blocking(move || {
            let answer = runtime.block_on(this.run(&tree, &printed, ask));
            drop(turn);
            answer
        });
        // The guest's own time is watched by the epoch; this limit is for time spent in the host on its behalf.
        match tokio::time::timeout(limit + OUTER_GRACE, running).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(died)) => Err(HostError::Engine(died.to_string())),
            Err(_) => Err(HostError::Timeout { limit, output: output.text() }),
        }
    }

    async fn run<T: serde::Serialize>(
        &self,
        tree: &Path,
        output: &TruncatingOutput,
        ask: impl AsyncFnOnce(&mut Store<State>, &bindings::Buildpack) -> wasmtime::Result<T>,
    ) -> Result<T, HostError> {
        let inner = &self.host.inner;
        let limits = &inner.limits;
        let exports = self.exports()?;
        let state =
            State::new(tree, limits, inner.ambient, output).map_err(|error| HostError::Source(format!("{}: {error:#}", tree.display())))?;

        let _guest = inner.epoch.guest();
        let mut store = Store::new(&inner.engine, state);
        store.limiter(|state| &mut state.budget);
        store.set_hostcall_fuel(limits.answer_bytes);
        let (started, time) = (Instant::now(), limits.time);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |_| if started.elapsed() < time { Ok(UpdateDeadline::Yield(1)) } else { Err(TimeUp.into()) });

        let answer = match exports.instantiate_async(&mut store).await {
            Ok(exports) => ask(&mut store, &exports).await,
            Err(error) => Err(error),
        };
        tracing::debug!(buildpack = self.id, elapsed = ?started.elapsed(), output = output.text(), "buildpack called");
        if inner.is_brief {
            std::mem::forget(store);
        }
        let answer = answer.map_err(|error| self.explain(&error, output))?;
        // Small strings and numbers cost no fuel of their own, so the whole is measured too.
        let size = serde_json::to_vec(&answer).map_or(usize::MAX, |document| document.len());
        if size > limits.answer_bytes { Err(HostError::OutputTooLarge { limit_bytes: limits.answer_bytes }) } else { Ok(answer) }
    }

    fn explain(&self, error: &wasmtime::Error, output: &TruncatingOutput) -> HostError {
        explain(error, &self.host.inner.limits, output.text())
    }
}

/// What a guest's end means.
pub(crate) fn explain(error: &wasmtime::Error, limits: &Limits, output: String) -> HostError {
    if error.downcast_ref::<TimeUp>().is_some() {
        return HostError::Timeout { limit: limits.time, output };
    }
    if error.downcast_ref::<MemoryRefused>().is_some() {
        return HostError::Memory { limit_bytes: limits.memory_bytes, output };
    }
    let message = format!("{error:#}");
    // The engine's own error for this has no public type.
    if message.contains("fuel allocated for hostcalls has been exhausted") {
        return HostError::OutputTooLarge { limit_bytes: limits.answer_bytes };
    }
    let message = error.downcast_ref::<wasmtime::Trap>().map_or(message, ToString::to_string);
    HostError::Trap { message, output }
}
