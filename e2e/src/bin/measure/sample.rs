//! Repeated measurements of the same thing.

use std::time::Duration;

/// Durations of one thing, sorted.
pub struct Sample(Vec<Duration>);

impl Sample {
    pub fn new(mut durations: Vec<Duration>) -> Self {
        durations.sort();
        Self(durations)
    }

    pub fn median(&self) -> Duration {
        self.quantile(0.5)
    }

    /// By the nearest rank.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0[rank.clamp(1, self.0.len()) - 1]
    }

    /// `12.3 ms (p95 14.0 ms, n 20)`
    pub fn describe(&self) -> String {
        format!("{:.2} ms (p95 {:.2} ms, n {})", millis(self.median()), millis(self.quantile(0.95)), self.0.len())
    }
}

pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

pub fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}
