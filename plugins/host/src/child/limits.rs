//! What a plugin's process may use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Of one process. Files it may neither make nor write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Memory that it writes to: heap, stacks and private mappings.
    pub memory_bytes: u64,
    /// Open files, its channel among them.
    pub open_files: u64,
    /// Threads; it may make no processes.
    pub threads: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: 256 << 20, open_files: 64, threads: 64 }
    }
}

const FIRST_REST: Duration = Duration::from_millis(200);
const LONGEST_REST: Duration = Duration::from_secs(30);

/// How long a process that ended so many times in a row, without answering in between, is left alone. The first time it is started
/// again at once.
pub(crate) fn rest(failures: u32) -> Duration {
    match failures.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => LONGEST_REST.min(FIRST_REST.saturating_mul(1 << doublings.min(16))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_rests_longer_the_more_often_it_ends() {
        assert_eq!([1, 2, 3].map(rest), [0, 200, 400].map(Duration::from_millis));
        assert_eq!(rest(1000), LONGEST_REST);
    }
}
