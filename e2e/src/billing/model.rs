//! What everything should cost, worked out another way: from the list of what happened alone, in whole numbers.

use std::collections::BTreeMap;

use slipway_core::metering::Run;
use slipway_model::Timestamp;
use uuid::Uuid;

const HOUR: i128 = 3_600_000_000;

#[derive(Debug, Clone, Copy)]
struct Span {
    from: i128,
    to: Option<i128>,
    rate: i128,
}

/// Spans of running, as they were in truth.
#[derive(Debug, Default)]
pub struct Model(BTreeMap<Uuid, Vec<Span>>);

fn micros(at: Timestamp) -> i128 {
    at.timestamp_micros().into()
}

impl Model {
    pub fn start(&mut self, run: Run, at: Timestamp) {
        self.0.entry(run.resource).or_default().push(Span { from: micros(at), to: None, rate: run.hourly_rate.nanos().into() });
    }

    /// Nothing ends before it begins.
    pub fn stop(&mut self, resource: Uuid, at: Timestamp) {
        if let Some(span) = self.0.get_mut(&resource).and_then(|spans| spans.last_mut()) {
            span.to = Some(micros(at).max(span.from));
        }
    }

    /// Of each resource, in billionths. Each piece of an hour of the clock is rounded by itself, half to even.
    #[must_use]
    pub fn charges(&self) -> BTreeMap<Uuid, i128> {
        let of = |spans: &Vec<Span>| {
            spans
                .iter()
                .map(|span| {
                    let (mut from, to) = (span.from, span.to.unwrap_or(span.from));
                    let mut sum = 0;
                    while from < to {
                        let end = to.min((from / HOUR + 1) * HOUR);
                        sum += half_even(span.rate * (end - from), HOUR);
                        from = end;
                    }
                    sum
                })
                .sum()
        };
        self.0.iter().map(|(resource, spans)| (*resource, of(spans))).collect()
    }
}

fn half_even(numerator: i128, denominator: i128) -> i128 {
    let (whole, rest) = (numerator / denominator, numerator % denominator);
    let above = 2 * rest - denominator;
    whole + i128::from(above > 0 || above == 0 && whole % 2 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_to_even() {
        assert_eq!([(1, 2), (3, 2), (5, 2), (7, 3), (8, 3)].map(|(a, b)| half_even(a, b)), [0, 2, 2, 2, 3]);
    }
}
