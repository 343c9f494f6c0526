//! What a container uses, as the engine measures it.

use bollard::Docker;
use bollard::models::{ContainerMemoryStats, ContainerStatsResponse};
use bollard::query_parameters::{InspectContainerOptionsBuilder, StatsOptionsBuilder};
use futures::StreamExt;

use super::containers::refused;
use crate::engine::{EngineError, Usage};

/// One look. The engine is not asked to wait for a second one: what was used meanwhile is reckoned from the look before.
pub async fn of(client: &Docker, container: &str, with_disk: bool) -> Result<Usage, EngineError> {
    let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
    let mut answers = Box::pin(client.stats(container, Some(options)));
    let stats = match answers.next().await {
        Some(stats) => stats.map_err(refused)?,
        None => return Err(EngineError::NotFound),
    };
    let mut usage = read(&stats);
    if with_disk {
        let options = InspectContainerOptionsBuilder::default().size(true).build();
        let inspected = client.inspect_container(container, Some(options)).await.map_err(refused)?;
        usage.disk_bytes = inspected.size_rw.and_then(|bytes| u64::try_from(bytes).ok());
    }
    Ok(usage)
}

fn read(stats: &ContainerStatsResponse) -> Usage {
    let cpu = stats.cpu_stats.as_ref().and_then(|cpu| cpu.cpu_usage.as_ref()).and_then(|usage| usage.total_usage);
    let networks = stats.networks.iter().flat_map(|networks| networks.values());
    let (net_rx_bytes, net_tx_bytes) =
        networks.fold((0, 0), |(rx, tx), network| (rx + network.rx_bytes.unwrap_or_default(), tx + network.tx_bytes.unwrap_or_default()));
    let memory = stats.memory_stats.as_ref();
    Usage {
        cpu_nanos: cpu.unwrap_or_default(),
        memory_bytes: memory.map_or(0, in_use),
        memory_limit_bytes: memory.and_then(|memory| memory.limit).unwrap_or_default(),
        disk_bytes: None,
        net_rx_bytes,
        net_tx_bytes,
    }
}

/// Pages of files that nobody uses at the moment count as used, and would be given back at once.
fn in_use(memory: &ContainerMemoryStats) -> u64 {
    let figures = memory.stats.as_ref();
    // As the first version of control groups calls it, and as the second does.
    let idle = figures.and_then(|figures| figures.get("total_inactive_file").or_else(|| figures.get("inactive_file")));
    memory.usage.unwrap_or_default().saturating_sub(idle.copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn idle_pages_of_files_are_not_in_use_on_either_version_of_control_groups() {
        let memory = |key: &str| ContainerMemoryStats {
            usage: Some(100),
            stats: Some(HashMap::from([(key.to_owned(), 30)])),
            ..ContainerMemoryStats::default()
        };
        assert_eq!(in_use(&memory("total_inactive_file")), 70);
        assert_eq!(in_use(&memory("inactive_file")), 70);
        assert_eq!(in_use(&memory("else")), 100);
    }
}
