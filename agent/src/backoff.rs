//! Waits that grow, with jitter, so that a thousand agents do not come back at the same moment.

use std::time::Duration;

use slipway_model::Clock;

#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    attempt: u32,
}

impl Backoff {
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, attempt: 0 }
    }

    /// The next wait: between half and all of a bound that doubles each time.
    pub fn next(&mut self, clock: &dyn Clock) -> Duration {
        let bound = self.first.saturating_mul(2_u32.saturating_pow(self.attempt)).min(self.longest);
        self.attempt = self.attempt.saturating_add(1);
        let mut random = [0; 2];
        clock.fill(&mut random);
        let fraction = f64::from(u16::from_le_bytes(random)) / f64::from(u16::MAX);
        bound.mul_f64(0.5 + fraction / 2.0)
    }

    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use slipway_model::system_clock;

    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_over_after_a_success() {
        let clock = system_clock();
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        for bound in [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] {
            let wait = backoff.next(&*clock).as_secs_f64();
            assert!((bound / 2.0..=bound).contains(&wait), "{wait} for {bound}");
        }
        backoff.reset();
        assert!(backoff.next(&*clock) <= Duration::from_millis(500));
    }
}
