//! One call's world: what the guest can see, and what it may use up.

use std::path::Path;

use wasmtime::{ResourceLimiter, component::ResourceTable};
use wasmtime_wasi::{FsPerms, HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView, random::Deterministic};

use crate::{
    host::{Ambient, Limits},
    output::TruncatingOutput,
};

/// Where the tree is mounted.
const TREE: &str = "/app";
/// Elements of all tables together: a pointer each.
const TABLE_ELEMENTS: usize = 1 << 20;

pub struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    pub budget: MemoryBudget,
}

impl State {
    /// A world of nothing but the tree, read-only: no environment, no arguments, no network, and a clock that stands still.
    pub fn new(tree: &Path, limits: &Limits, ambient: Ambient, output: &TruncatingOutput) -> wasmtime::Result<Self> {
        let mut world = empty_world(ambient, output);
        world.preopened_dir(tree, TREE, FsPerms::ReadOnly)?;
        Ok(Self::of(world, limits.memory_bytes))
    }

    /// The same without a tree.
    pub fn without_files(memory_bytes: usize, output: &TruncatingOutput) -> Self {
        Self::of(empty_world(Ambient::default(), output), memory_bytes)
    }

    fn of(mut world: WasiCtxBuilder, memory_bytes: usize) -> Self {
        Self { wasi: world.build(), table: ResourceTable::new(), budget: MemoryBudget { left: memory_bytes, table_left: TABLE_ELEMENTS } }
    }
}

fn empty_world(ambient: Ambient, output: &TruncatingOutput) -> WasiCtxBuilder {
    let mut world = WasiCtxBuilder::new();
    world
        // The whole call runs where blocking is allowed: a thread's turn for each question to the file system costs more
        // than the answer.
        .allow_blocking_current_thread(true)
        .stdout(output.clone())
        .stderr(output.clone())
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .wall_clock(StoppedClock(ambient.clock))
        .monotonic_clock(StoppedClock(ambient.clock))
        .secure_random(Deterministic::new(vec![ambient.random]))
        .insecure_random(Deterministic::new(vec![ambient.random]))
        .insecure_random_seed(u128::from(ambient.random))
        .max_random_size(1 << 20);
    world
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

struct StoppedClock(std::time::Duration);

impl HostWallClock for StoppedClock {
    fn resolution(&self) -> std::time::Duration {
        std::time::Duration::from_secs(1)
    }

    fn now(&self) -> std::time::Duration {
        self.0
    }
}

impl HostMonotonicClock for StoppedClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The guest asked for more memory than it may have.
#[derive(Debug, thiserror::Error)]
#[error("out of the memory that a buildpack may use")]
pub struct MemoryRefused;

/// What is left of the memory of all of a component's instances together. (The ready-made limiter counts each memory by
/// itself, and a component may bring many.)
pub struct MemoryBudget {
    left: usize,
    table_left: usize,
}

impl ResourceLimiter for MemoryBudget {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        take(&mut self.left, current, desired)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        take(&mut self.table_left, current, desired)
    }
}

fn take(left: &mut usize, current: usize, desired: usize) -> wasmtime::Result<bool> {
    *left = left.checked_sub(desired.saturating_sub(current)).ok_or(MemoryRefused)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_are_counted_together() {
        let mut budget = MemoryBudget { left: 100, table_left: 0 };
        assert!(budget.memory_growing(0, 60, None).is_ok());
        assert!(budget.memory_growing(0, 60, None).is_err());
        assert!(budget.memory_growing(60, 100, None).is_ok());
    }
}
