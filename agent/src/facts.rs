//! What a node tells of itself, and how busy it is.

use std::fs;
use std::path::Path;

use slipway_protocol::NodeFacts;

use crate::Config;
use crate::engine::EngineFacts;

/// What the machine is. `engine` is `None` when the engine did not answer.
#[must_use]
pub fn gather(config: &Config, engine: Option<EngineFacts>) -> NodeFacts {
    let engine = engine.unwrap_or_default();
    let kernel = engine.kernel.or_else(|| fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()));
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    NodeFacts {
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        docker_version: engine.version,
        kernel_version: kernel,
        cpu_millis: i64::try_from(processors).unwrap_or(i64::MAX / 1000) * 1000,
        memory_bytes: memory().map_or(0, |memory| memory.total_bytes),
        storage_bytes: storage(&config.data_dir).map_or(0, |storage| storage.total_bytes),
        public_address: config.public_address.clone(),
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub used_bytes: i64,
    pub total_bytes: i64,
}

/// The machine's memory; what could be freed at once counts as free.
#[must_use]
pub fn memory() -> Option<Usage> {
    parse_memory(&fs::read_to_string("/proc/meminfo").ok()?)
}

fn parse_memory(text: &str) -> Option<Usage> {
    let bytes = |key: &str| -> Option<i64> {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok()?.checked_mul(1024)
    };
    let (total, available) = (bytes("MemTotal:")?, bytes("MemAvailable:")?);
    Some(Usage { used_bytes: total - available, total_bytes: total })
}

/// The disk that `folder`, or the nearest folder above it that exists, is on.
#[must_use]
pub fn storage(folder: &Path) -> Option<Usage> {
    let disk = folder.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok())?;
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(disk.f_frsize)).unwrap_or(i64::MAX);
    Some(Usage { used_bytes: bytes(disk.f_blocks.saturating_sub(disk.f_bfree)), total_bytes: bytes(disk.f_blocks) })
}

/// How busy the processors were between two looks.
#[derive(Debug, Default)]
pub struct Processors {
    last: Option<Ticks>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    all: u64,
}

impl Processors {
    /// Percent of all processors since the last call; since the machine's start on the first.
    pub fn percent(&mut self) -> f64 {
        let Some(now) = fs::read_to_string("/proc/stat").ok().as_deref().and_then(parse_ticks) else { return 0.0 };
        let before = self.last.replace(now).unwrap_or(Ticks { busy: 0, all: 0 });
        let (busy, all) = (now.busy.saturating_sub(before.busy), now.all.saturating_sub(before.all));
        #[expect(clippy::cast_precision_loss, reason = "a percentage")]
        if all == 0 { 0.0 } else { (busy as f64 / all as f64 * 1000.0).round() / 10.0 }
    }
}

fn parse_ticks(text: &str) -> Option<Ticks> {
    // user nice system idle iowait irq softirq steal; guests are counted within user.
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().take(8).map(str::parse).collect::<Result<_, _>>().ok()?;
    let idle = ticks.get(3)? + ticks.get(4)?;
    let all = ticks.iter().sum();
    Some(Ticks { busy: all - idle, all })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_can_be_freed_is_not_used() {
        let usage = parse_memory("MemTotal:       1000 kB\nMemFree:  100 kB\nMemAvailable:    600 kB\n").unwrap();
        assert_eq!(usage, Usage { used_bytes: 400 * 1024, total_bytes: 1000 * 1024 });
        assert_eq!(parse_memory("nonsense"), None);
    }

    #[test]
    fn waiting_for_the_disk_is_idle() {
        assert_eq!(parse_ticks("cpu  10 0 10 70 10 0 0 0 5 0\ncpu0 1"), Some(Ticks { busy: 20, all: 100 }));
        assert_eq!(parse_ticks("nonsense"), None);
    }

    #[test]
    fn this_machine_has_memory_a_disk_and_processors() {
        assert!(memory().unwrap().total_bytes > 0);
        assert!(storage(Path::new("/var/lib/no/such/folder")).unwrap().total_bytes > 0);
        let mut processors = Processors::default();
        assert!((0.0..=100.0).contains(&processors.percent()) && (0.0..=100.0).contains(&processors.percent()));
    }
}
