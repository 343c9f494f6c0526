//! Steady visitors during a change, who count what they were refused.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

/// Visitors at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    visitors: JoinSet<LoadReport>,
}

/// What the visitors saw.
#[derive(Debug, Default, Clone)]
pub struct LoadReport {
    pub requests: u64,
    /// By what went wrong: a status, or the kind of connection error.
    pub failures: BTreeMap<String, u64>,
    /// Distinct bodies and how often each came.
    pub bodies: BTreeMap<String, u64>,
}

impl LoadReport {
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        for (what, count) in other.failures {
            *self.failures.entry(what).or_default() += count;
        }
        for (body, count) in other.bodies {
            *self.bodies.entry(body).or_default() += count;
        }
    }
}

impl Load {
    /// `visitors` ask one after the other, `pause` apart, until [`Load::stop`].
    #[must_use]
    pub fn start(ingress: SocketAddr, host: &str, visitors: usize, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut set = JoinSet::new();
        for _ in 0..visitors {
            set.spawn(visitor(ingress, host.to_owned(), pause, Arc::clone(&stop)));
        }
        Self { stop, visitors: set }
    }

    pub async fn stop(mut self) -> LoadReport {
        self.stop.store(true, Ordering::Relaxed);
        let mut report = LoadReport::default();
        while let Some(seen) = self.visitors.join_next().await {
            report.merge(seen.expect("a visitor does not panic"));
        }
        report
    }
}

async fn visitor(ingress: SocketAddr, host: String, pause: Duration, stop: Arc<AtomicBool>) -> LoadReport {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(15)).no_proxy().build().expect("a client without options");
    let url = format!("http://{ingress}/");
    let mut report = LoadReport::default();
    while !stop.load(Ordering::Relaxed) {
        report.requests += 1;
        let failure = match client.get(&url).header("host", &host).send().await {
            Err(error) => Some(if error.is_timeout() { "timeout".into() } else { "connection".into() }),
            Ok(response) if !response.status().is_success() => Some(response.status().as_u16().to_string()),
            Ok(response) => match response.text().await {
                Ok(body) => {
                    let first = body.lines().next().unwrap_or_default().to_owned();
                    *report.bodies.entry(first).or_default() += 1;
                    None
                }
                Err(_) => Some("body".into()),
            },
        };
        if let Some(failure) = failure {
            *report.failures.entry(failure).or_default() += 1;
        }
        tokio::time::sleep(pause).await;
    }
    report
}
