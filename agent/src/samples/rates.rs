//! From what has been counted since the beginning to what came since the last look. Pure.

use std::collections::BTreeMap;
use std::time::Instant;

use slipway_model::{ApplicationId, InstanceId};
use slipway_protocol::{HttpSample, InstanceSample};

use crate::engine::Usage;
use crate::ingress::Counted;

/// What was there at the last look.
#[derive(Default)]
pub struct Rates {
    instances: BTreeMap<InstanceId, (Instant, Usage)>,
    /// `None` before the first look: what was counted before it is nobody's.
    applications: Option<BTreeMap<ApplicationId, Counted>>,
}

impl Rates {
    /// Of an instance that is seen for the first time nothing is told yet: there is no time to divide by.
    pub fn instances(&mut self, seen: Vec<(InstanceId, Usage)>, now: Instant) -> Vec<InstanceSample> {
        let before = std::mem::take(&mut self.instances);
        let mut samples = Vec::with_capacity(seen.len());
        for (instance, usage) in seen {
            let last = before.get(&instance);
            // Between the looks at the disk it is taken to be as it was.
            let disk_bytes = usage.disk_bytes.or(last.and_then(|(_, last)| last.disk_bytes));
            if let Some((at, last)) = last {
                samples.push(InstanceSample {
                    instance,
                    cpu_percent: percent(since(usage.cpu_nanos, last.cpu_nanos), now.duration_since(*at).as_nanos()),
                    memory_bytes: signed(usage.memory_bytes),
                    memory_limit_bytes: signed(usage.memory_limit_bytes),
                    disk_bytes: disk_bytes.map(signed),
                    net_rx_bytes: signed(since(usage.net_rx_bytes, last.net_rx_bytes)),
                    net_tx_bytes: signed(since(usage.net_tx_bytes, last.net_tx_bytes)),
                });
            }
            self.instances.insert(instance, (now, Usage { disk_bytes, ..usage }));
        }
        samples
    }

    /// `counted`: `None` where the ingress did not answer. An application that was not there before begins at nothing.
    pub fn applications(&mut self, counted: Option<BTreeMap<ApplicationId, Counted>>) -> Vec<HttpSample> {
        let Some(counted) = counted else { return Vec::new() };
        let before = self.applications.replace(counted.clone());
        let Some(before) = before else { return Vec::new() };
        let each = counted.into_iter().map(|(application, now)| {
            let last = before.get(&application).copied().unwrap_or_default();
            // Less than before: it counts anew.
            let last = if now.requests < last.requests { Counted::default() } else { last };
            HttpSample {
                application,
                requests: now.requests - last.requests,
                server_errors: now.server_errors.saturating_sub(last.server_errors),
                latency: std::array::from_fn(|class| now.latency[class].saturating_sub(last.latency[class])),
            }
        });
        each.filter(|sample| sample.requests > 0).collect()
    }
}

/// What came since; all of it where the counting began anew.
fn since(now: u64, last: u64) -> u64 {
    now.checked_sub(last).unwrap_or(now)
}

#[expect(clippy::cast_precision_loss, reason = "a percentage to look at")]
fn percent(part: u64, whole: u128) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 1000.0).round() / 10.0 }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use slipway_model::system_clock;

    use super::*;

    #[test]
    fn an_instance_is_told_of_from_its_second_look_on() {
        let instance = InstanceId::new(&*system_clock());
        let usage = |cpu_nanos, net_rx_bytes, disk_bytes| Usage { cpu_nanos, net_rx_bytes, disk_bytes, ..Usage::default() };
        let (mut rates, begin) = (Rates::default(), Instant::now());
        assert_eq!(rates.instances(vec![(instance, usage(1_000, 100, Some(7)))], begin), []);
        let later = begin + Duration::from_secs(10);
        let samples = rates.instances(vec![(instance, usage(15_000_001_000, 130, None))], later);
        assert_eq!((samples[0].cpu_percent, samples[0].net_rx_bytes, samples[0].disk_bytes), (150.0, 30, Some(7)));
        // Its container was started again: what it counts began anew.
        let samples = rates.instances(vec![(instance, usage(1_000_000_000, 5, None))], later + Duration::from_secs(10));
        assert_eq!((samples[0].cpu_percent, samples[0].net_rx_bytes), (10.0, 5));
    }

    #[test]
    fn requests_are_told_once_each_whatever_the_ingress_does() {
        let application = ApplicationId::new(&*system_clock());
        let counted = |requests, server_errors| {
            let mut latency = [0; slipway_protocol::LATENCY_CLASSES];
            latency[0] = requests;
            Some(BTreeMap::from([(application, Counted { requests, server_errors, latency })]))
        };
        let mut rates = Rates::default();
        assert_eq!(rates.applications(counted(40, 4)), [], "from before this agent");
        let told = rates.applications(counted(45, 5));
        assert_eq!((told[0].requests, told[0].server_errors, told[0].latency[0]), (5, 1, 5));
        assert_eq!(rates.applications(counted(45, 5)), [], "nothing new");
        assert_eq!(rates.applications(None), [], "it does not answer");
        assert_eq!(rates.applications(counted(47, 5))[0].requests, 2);
        let told = rates.applications(counted(3, 1));
        assert_eq!((told[0].requests, told[0].server_errors), (3, 1), "it was started again");
        assert_eq!(rates.applications(Some(BTreeMap::new())), []);
        assert_eq!(rates.applications(counted(2, 0))[0].requests, 2, "its route went and came back");
    }
}
