//! The engine's epoch, which interrupts guests, advances while a guest runs. A host at rest wakes nobody.

use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use wasmtime::Engine;

/// How often running guests give way and are asked whether their time is up.
const TICK: Duration = Duration::from_millis(5);

pub struct Epoch(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    guests: usize,
    is_over: bool,
}

/// While one lives, the epoch advances.
pub struct Running<'a>(&'a Shared);

impl Epoch {
    pub fn start(engine: &Engine) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (engine, theirs) = (engine.clone(), Arc::clone(&shared));
        std::thread::Builder::new().name("buildpack-epoch".into()).spawn(move || {
            while theirs.wait_for_guests() {
                std::thread::sleep(TICK);
                engine.increment_epoch();
            }
        })?;
        Ok(Self(shared))
    }

    pub fn guest(&self) -> Running<'_> {
        self.0.change(|state| state.guests += 1);
        Running(&self.0)
    }
}

impl Drop for Epoch {
    fn drop(&mut self) {
        self.0.change(|state| state.is_over = true);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.guests -= 1);
    }
}

impl Shared {
    /// Whether there is a guest; `false` at the end of the epoch.
    fn wait_for_guests(&self) -> bool {
        let state = self.changed.wait_while(self.lock(), |state| state.guests == 0 && !state.is_over);
        !state.unwrap_or_else(PoisonError::into_inner).is_over
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nobody panics while holding it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
