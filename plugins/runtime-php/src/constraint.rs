//! Composer's version constraints, as its documentation defines them: `^8.1`, `~8.1.3`, `8.2.*`, `>=8.0 <8.4`, `8.0 - 8.2`,
//! `!=8.1.*`, and alternatives with `||` or `|`.

use slipway_plugin_sdk::version_line::{Fit, NEWEST_RELEASE};

/// A line has never had as many releases.
const MOST_RELEASES: u64 = 100;

type Version = [u64; 3];

/// Alternatives, each of which is a list of conditions that all hold.
#[derive(Debug)]
pub(crate) struct Wanted(Vec<Vec<Condition>>);

/// The versions from `from` (inclusive) to `below` (exclusive), or all others.
#[derive(Debug, Clone, Copy)]
struct Condition {
    from: Version,
    below: Version,
    inverted: bool,
}

const LOWEST: Version = [0; 3];
const ABOVE_ALL: Version = [u64::MAX; 3];

impl Wanted {
    pub fn fit(&self, line: &str) -> Fit {
        let Some((_, given)) = numbers(line) else { return Fit::No };
        let allows = |version: Version| self.0.iter().any(|all| all.iter().all(|one| one.allows(version)));
        let [first, second] = [given.first().copied().unwrap_or(0), given.get(1).copied().unwrap_or(NEWEST_RELEASE)];
        if allows([first, second, NEWEST_RELEASE]) {
            return Fit::Newest;
        }
        let seconds = given.get(1).map_or(0..MOST_RELEASES, |&second| second..second + 1);
        let releases = seconds.flat_map(|second| (0..MOST_RELEASES).map(move |third| [first, second, third]));
        if releases.into_iter().any(allows) { Fit::Some } else { Fit::No }
    }
}

impl Condition {
    fn between(from: Version, below: Version) -> Self {
        Self { from, below, inverted: false }
    }

    fn allows(&self, version: Version) -> bool {
        (self.from <= version && version < self.below) != self.inverted
    }
}

pub(crate) fn parse(text: &str) -> Option<Wanted> {
    if text.is_empty() {
        return Some(Wanted(vec![Vec::new()]));
    }
    text.replace("||", "|").split('|').map(|part| conditions(part.trim())).collect::<Option<Vec<_>>>().map(Wanted)
}

fn conditions(text: &str) -> Option<Vec<Condition>> {
    if let Some((from, to)) = text.split_once(" - ") {
        let (_, to) = numbers(to.trim())?;
        let below = if to.len() < 3 { above(&to)? } else { next(filled(&to))? };
        return Some(vec![Condition::between(filled(&numbers(from.trim())?.1), below)]);
    }
    let mut all = Vec::new();
    let mut pending = String::new();
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        // `>= 8.1` is one condition of two words.
        pending.push_str(word);
        if !pending.chars().all(|c| "<>=!~^".contains(c)) {
            all.push(condition(&pending)?);
            pending.clear();
        }
    }
    (pending.is_empty() && !all.is_empty()).then_some(all)
}

fn condition(text: &str) -> Option<Condition> {
    let split = text.find(|c: char| !"<>=!~^".contains(c))?;
    let (operator, version) = text.split_at(split);
    let (wildcard, given) = numbers(version)?;
    let exact = filled(&given);
    let whole_line = || above(&given).map(|below| Condition::between(exact, below));
    let this_one = if wildcard { whole_line()? } else { Condition::between(exact, next(exact)?) };
    Some(match operator {
        "" | "=" | "==" => this_one,
        "!=" | "<>" => Condition { inverted: true, ..this_one },
        ">=" => Condition::between(exact, ABOVE_ALL),
        ">" => Condition::between(this_one.below, ABOVE_ALL),
        "<" => Condition::between(LOWEST, exact),
        "<=" => Condition::between(LOWEST, this_one.below),
        "^" => {
            // Up to and including the first number that is not zero, or the last one given.
            let significant = given.iter().position(|&number| number != 0).unwrap_or(given.len().saturating_sub(1));
            Condition::between(exact, above(given.get(..=significant)?)?)
        }
        "~" => Condition::between(exact, above(given.get(..given.len().saturating_sub(1).max(1))?)?),
        _ => return None,
    })
}

/// The numbers of a version, up to three, and whether a wildcard follows them. `*` alone has none.
fn numbers(text: &str) -> Option<(bool, Vec<u64>)> {
    // Stability (`@stable`, `-dev`) says which releases count, and the images carry stable ones only.
    let text = text.split(['@', '-']).next()?;
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let mut parts = text.split('.').peekable();
    let mut given = Vec::new();
    while let Some(part) = parts.next_if(|part| !matches!(*part, "*" | "x" | "X")) {
        let digits = !part.is_empty() && part.len() <= 9 && part.bytes().all(|b| b.is_ascii_digit());
        given.push(if digits { part.parse().ok()? } else { return None });
    }
    let wildcards = parts.count();
    let shape_ok = wildcards + given.len() <= 4 && text.split('.').skip(given.len()).all(|part| matches!(part, "*" | "x" | "X"));
    given.truncate(3);
    shape_ok.then_some((wildcards > 0, given))
}

fn filled(given: &[u64]) -> Version {
    [0, 1, 2].map(|place| given.get(place).copied().unwrap_or(0))
}

/// The first version that does not begin with these numbers.
fn above(given: &[u64]) -> Option<Version> {
    let Some((last, before)) = given.split_last() else { return Some(ABOVE_ALL) };
    Some(filled(&[before, &[last.checked_add(1)?]].concat()))
}

fn next([major, minor, patch]: Version) -> Option<Version> {
    Some([major, minor, patch.checked_add(1)?])
}
