//! How time is divided: which slots are read for a range of time, and when they are rolled up and forgotten.

use slipway_model::Timestamp;
use slipway_store::metrics::{self as stored, Span};

use crate::{Platform, error::Result};

/// Lengths of slots, in seconds.
pub(super) const RAW: i64 = 10;
const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// How long each is kept.
const RAW_KEPT: i64 = HOUR;
const MINUTES_KEPT: i64 = DAY;
const HOURS_KEPT: i64 = 30 * DAY;
/// A slot is over for good this long after its end: samples are on their way for a while.
const LATE: i64 = 30;

/// Points of one series.
const MOST_POINTS: i64 = 1_440;

/// Where at a moment slots of which length begin to be kept. Longer ones are there long before the shorter ones are forgotten.
#[derive(Debug, Clone, Copy)]
struct Edges {
    raw: i64,
    minutes: i64,
    hours: i64,
}

impl Edges {
    fn at(now: i64) -> Self {
        Self { raw: slot(now - RAW_KEPT, MINUTE), minutes: slot(now - MINUTES_KEPT, HOUR), hours: slot(now - HOURS_KEPT, HOUR) }
    }
}

/// A part of the past, and in which steps it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range {
    from: i64,
    to: i64,
    step: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    #[error("The end of the range is not later than its beginning.")]
    Empty,
    #[error("Use 10 to 86,400 seconds.")]
    Step,
}

impl Range {
    /// Steps are made longer where slots so short are not kept any more, or where there would be too many of them. Of what is older than
    /// anything kept, and of what is to come, there is nothing to tell.
    ///
    /// # Errors
    /// See [`RangeError`].
    pub fn new(from: Timestamp, to: Option<Timestamp>, step_seconds: i64, now: Timestamp) -> Result<Self, RangeError> {
        if !(RAW..=DAY).contains(&step_seconds) {
            return Err(RangeError::Step);
        }
        if to.is_some_and(|to| to <= from) {
            return Err(RangeError::Empty);
        }
        let (now, edges) = (now.timestamp(), Edges::at(now.timestamp()));
        let end = now + RAW;
        let to = to.map_or(end, |to| to.timestamp()).clamp(edges.hours, end);
        let from = from.timestamp().clamp(edges.hours, to);
        // A step consists of whole slots of every length that is read for it.
        let unit = match from {
            from if from >= edges.raw => RAW,
            from if from >= edges.minutes => MINUTE,
            _ => HOUR,
        };
        let wanted = step_seconds.max((to - from) / MOST_POINTS);
        let step = (wanted + unit - 1) / unit * unit;
        Ok(Self { from: slot(from, step), to: slot(to - 1, step) + step, step })
    }

    #[must_use]
    pub const fn step_seconds(&self) -> i64 {
        self.step
    }

    /// Which slots are read: the shortest that are still there.
    pub(crate) fn spans(&self, now: Timestamp) -> Vec<Span> {
        let edges = Edges::at(now.timestamp());
        let kept = [(RAW, edges.raw, i64::MAX), (MINUTE, edges.minutes, edges.raw), (HOUR, edges.hours, edges.minutes)];
        let spans = kept.into_iter().map(|(resolution, from, to)| Span { resolution, from: from.max(self.from), to: to.min(self.to) });
        spans.filter(|span| span.from < span.to && self.step % span.resolution == 0).collect()
    }
}

/// The beginning of the slot that a second is in.
pub(super) const fn slot(second: i64, length: i64) -> i64 {
    second - second.rem_euclid(length)
}

/// Rolls up what is over and forgets what is old.
///
/// # Errors
/// Those of the database.
pub async fn tidy(p: &Platform) -> Result<()> {
    let (now, edges) = (p.now().timestamp(), Edges::at(p.now().timestamp()));
    for (resolution, into, kept_from) in [(RAW, MINUTE, edges.raw), (MINUTE, HOUR, edges.minutes)] {
        let mut tx = p.db.begin().await?;
        // From the last one that was made, once more: what came late is in it. After a long sleep, from the first that there is.
        let from = stored::last_slot(&mut tx, into).await?.unwrap_or(0);
        stored::roll_up(&mut tx, Span { resolution, from, to: slot(now - LATE, into) }, into).await?;
        // What is older and cannot have come late.
        stored::forget(&mut tx, resolution, kept_from).await?;
        tx.commit().await?;
    }
    let mut tx = p.db.begin().await?;
    stored::forget(&mut tx, HOUR, edges.hours).await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_003_333;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_timestamp(second, 0).unwrap()
    }

    fn range(from: i64, to: Option<i64>, step: i64) -> Range {
        Range::new(at(from), to.map(at), step, at(NOW)).unwrap()
    }

    #[test]
    fn steps_are_as_long_as_what_is_kept_of_their_time() {
        assert_eq!(range(NOW - 600, None, 10).step, 10);
        assert_eq!(range(NOW - 600, None, 15).step, 20);
        assert_eq!(range(NOW - 2 * HOUR, None, 10).step, 60);
        assert_eq!(range(NOW - 2 * HOUR, None, 90).step, 120);
        assert_eq!(range(NOW - 3 * DAY, None, 60).step, HOUR);
        assert_eq!(range(0, None, 60).step, HOUR);
        assert_eq!(range(NOW - 29 * DAY, None, HOUR).step, HOUR);
        assert_eq!(range(NOW - DAY, None, 60).step, 60);
        assert!(
            range(NOW + DAY, None, 60).spans(at(NOW)).iter().all(|span| span.to - span.from <= 60),
            "nothing is told of what is to come"
        );
        assert_eq!(Range::new(at(NOW), Some(at(NOW)), 60, at(NOW)), Err(RangeError::Empty));
        assert_eq!(Range::new(at(0), None, 9, at(NOW)), Err(RangeError::Step));
    }

    #[test]
    fn every_moment_is_read_from_one_kind_of_slot() {
        for (from, step) in [(NOW - 600, 10), (NOW - 5 * HOUR, 60), (NOW - 20 * DAY, HOUR), (NOW - 20 * DAY, DAY), (0, 60)] {
            let range = range(from, None, step);
            let mut spans = range.spans(at(NOW));
            spans.sort_by_key(|span| span.from);
            assert!(spans.windows(2).all(|pair| pair[0].to == pair[1].from), "{spans:?}");
            assert_eq!(spans.last().unwrap().to, range.to);
            for span in &spans {
                assert_eq!(range.step % span.resolution, 0);
                assert!(span.from % span.resolution == 0, "no slot is cut in two: {span:?}");
            }
            assert!((range.to - range.from) / range.step <= MOST_POINTS + 2);
        }
    }
}
