//! Components that answer messages: plugins in the form that needs no trust. The same engine and the same empty world as for
//! buildpacks, without even a tree to read. What the messages say is for those who send them.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use wasmtime::{Engine, Store, UpdateDeadline, component::Linker};
use wasmtime_wasi::{WasiCtxView, WasiView};

use crate::{
    HostError, Limits,
    compiled::CompiledStore,
    epoch::Epoch,
    host::{MAX_COMPONENT_BYTES, TimeUp, compiled_by, config, explain},
    output::TruncatingOutput,
    sandbox::State,
};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../plugins/abi/wit",
        world: "plugin",
        exports: { default: async },
    });
}

/// What a plugin may use; its time is said with each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponderLimits {
    /// Of all of an instance's memories together.
    pub memory_bytes: usize,
    /// Of one answer.
    pub answer_bytes: usize,
}

impl Default for ResponderLimits {
    fn default() -> Self {
        Self { memory_bytes: 64 << 20, answer_bytes: 16 << 20 }
    }
}

/// Kept of what a plugin prints during one call.
const OUTPUT_BYTES: usize = 4 << 10;

/// An engine for plugins, with its directory of compiled components. Cheap to clone.
#[derive(Clone)]
pub struct Responders {
    inner: Arc<Inner>,
    compiler: Option<Arc<Path>>,
}

struct Inner {
    engine: Engine,
    linker: Linker<Guest>,
    compiled: CompiledStore,
    epoch: Epoch,
    limits: ResponderLimits,
}

impl Responders {
    /// `compiler` is the program that compiles, in a process of its own; without one this process does.
    ///
    /// # Errors
    /// When the directory cannot be made or the engine does not start.
    pub fn new(cache_dir: &Path, compiler: Option<&Path>, limits: ResponderLimits) -> Result<Self, HostError> {
        let failed = |error: wasmtime::Error| HostError::Engine(format!("{error:#}"));
        let engine = Engine::new(&config()).map_err(failed)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(failed)?;
        let compiled = CompiledStore::open(cache_dir).map_err(HostError::Cache)?;
        let epoch = Epoch::start(&engine).map_err(|error| HostError::Engine(error.to_string()))?;
        Ok(Self { inner: Arc::new(Inner { engine, linker, compiled, epoch, limits }), compiler: compiler.map(Into::into) })
    }

    /// Compiles what was not compiled before: half a second of work, so call it where blocking is allowed.
    ///
    /// # Errors
    /// [`HostError::InvalidComponent`] or [`HostError::WrongWorld`].
    pub fn load(&self, wasm: &[u8]) -> Result<Responder, HostError> {
        if wasm.len() > MAX_COMPONENT_BYTES {
            return Err(HostError::InvalidComponent { reason: format!("it is larger than {} MiB", MAX_COMPONENT_BYTES >> 20) });
        }
        let Inner { engine, compiled, linker, .. } = &*self.inner;
        let component = compiled_by(self.compiler.as_deref(), engine, compiled, wasm)?;
        let wrong = |error: wasmtime::Error| HostError::WrongWorld { reason: format!("{error:#}") };
        let instance = linker.instantiate_pre(&component).map_err(wrong)?;
        Ok(Responder { inner: Arc::clone(&self.inner), exports: bindings::PluginPre::new(instance).map_err(wrong)? })
    }
}

impl std::fmt::Debug for Responders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Responders").field("limits", &self.inner.limits).finish_non_exhaustive()
    }
}

/// A loaded plugin, of which there may be several instances. Cheap to clone.
#[derive(Clone)]
pub struct Responder {
    inner: Arc<Inner>,
    exports: bindings::PluginPre<Guest>,
}

impl std::fmt::Debug for Responder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Responder").finish_non_exhaustive()
    }
}

impl Responder {
    /// An instance, which keeps what it is told until it is dropped.
    ///
    /// # Errors
    /// When the component misbehaves already as it starts.
    pub async fn start(&self, time: Duration) -> Result<Session, HostError> {
        let inner = &self.inner;
        let output = TruncatingOutput::new(OUTPUT_BYTES);
        let guest = Guest { state: State::without_files(inner.limits.memory_bytes, &output), until: Instant::now() + time };
        let mut store = Store::new(&inner.engine, guest);
        store.limiter(|guest| &mut guest.state.budget);
        store.set_hostcall_fuel(inner.limits.answer_bytes);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(
            |store| {
                if Instant::now() < store.data().until { Ok(UpdateDeadline::Yield(1)) } else { Err(TimeUp.into()) }
            },
        );
        let _guest = inner.epoch.guest();
        let limits = inner.limits.with(time);
        let plugin = self.exports.instantiate_async(&mut store).await.map_err(|error| explain(&error, &limits, output.take()))?;
        Ok(Session { inner: Arc::clone(inner), store, plugin, output })
    }
}

/// One instance of a plugin. After an error it is of no more use.
pub struct Session {
    inner: Arc<Inner>,
    store: Store<Guest>,
    plugin: bindings::Plugin,
    output: TruncatingOutput,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    /// Lowest and highest version of the messages that it speaks.
    ///
    /// # Errors
    /// When it misbehaves.
    pub async fn message_versions(&mut self, time: Duration) -> Result<(u32, u32), HostError> {
        self.begin(time);
        let _guest = self.inner.epoch.guest();
        let answer = self.plugin.call_message_versions(&mut self.store).await;
        answer.map_err(|error| explain(&error, &self.inner.limits.with(time), self.output.take()))
    }

    /// A status and the bytes of an answer.
    ///
    /// # Errors
    /// When it misbehaves.
    pub async fn call(&mut self, request: &[u8], message_version: u32, time: Duration) -> Result<(i32, Vec<u8>), HostError> {
        self.begin(time);
        let _guest = self.inner.epoch.guest();
        let limits = self.inner.limits;
        match self.plugin.call_call(&mut self.store, request, message_version).await {
            Ok(reply) if reply.bytes.len() > limits.answer_bytes => Err(HostError::OutputTooLarge { limit_bytes: limits.answer_bytes }),
            Ok(reply) => Ok((reply.status, reply.bytes)),
            Err(error) => Err(explain(&error, &limits.with(time), self.output.take())),
        }
    }

    fn begin(&mut self, time: Duration) {
        self.store.data_mut().until = Instant::now() + time;
        self.store.set_epoch_deadline(1);
        self.store.set_hostcall_fuel(self.inner.limits.answer_bytes);
        drop(self.output.take());
    }
}

impl ResponderLimits {
    fn with(self, time: Duration) -> Limits {
        Limits { memory_bytes: self.memory_bytes, answer_bytes: self.answer_bytes, time, output_bytes: OUTPUT_BYTES }
    }
}

/// What an instance has: nothing, for so long.
struct Guest {
    state: State,
    until: Instant,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.state.ctx()
    }
}
