//! How a constraint of Composer's fits a line of versions, such as `8.2` of PHP or `2` of Composer.

use slipway_constraint_composer::Constraint;
use slipway_plugin_sdk::version_line::{Fit, NEWEST_RELEASE};

/// A line has never had as many releases.
const MOST_RELEASES: u64 = 100;

pub fn fit(wanted: &Constraint, line: &str) -> Fit {
    let numbers: Option<Vec<u64>> = line.split('.').map(|part| part.parse().ok()).collect();
    let (first, second) = match numbers.as_deref() {
        Some([first]) => (*first, None),
        Some([first, second]) => (*first, Some(*second)),
        _ => return Fit::No,
    };
    if wanted.allows([first, second.unwrap_or(NEWEST_RELEASE), NEWEST_RELEASE]) {
        return Fit::Newest;
    }
    let seconds = second.map_or(0..MOST_RELEASES, |second| second..second + 1);
    let mut releases = seconds.flat_map(|second| (0..MOST_RELEASES).map(move |third| [first, second, third]));
    if releases.any(|release| wanted.allows(release)) { Fit::Some } else { Fit::No }
}
