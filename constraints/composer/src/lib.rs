//! Composer's version constraints, as its documentation defines them: `^8.1`, `~8.1.3`, `8.2.*`, `>=8.0 <8.4`, `8.0 - 8.2`,
//! `!=8.1.*`, and alternatives with `||` or `|`.

/// Stands for the newest release of a line, of which only the beginning is known.
pub const NEWEST: u64 = 99_999;

/// Major, minor and patch.
pub type Version = [u64; 3];

/// Alternatives, each of which is a list of conditions that all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint(Vec<Vec<Condition>>);

/// The versions from `from` (inclusive) to `below` (exclusive), or all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Condition {
    from: Version,
    below: Version,
    inverted: bool,
}

const LOWEST: Version = [0; 3];
const ABOVE_ALL: Version = [u64::MAX; 3];
/// Nobody writes longer ones.
const MAX_BYTES: usize = 1000;

impl Constraint {
    /// `None` where it is none, or of a kind that names no number, such as `dev-main`. An empty one allows everything.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return Some(Self(vec![Vec::new()]));
        }
        (text.len() < MAX_BYTES).then_some(())?;
        text.replace("||", "|").split('|').map(|part| conditions(part.trim())).collect::<Option<Vec<_>>>().map(Self)
    }

    #[must_use]
    pub fn allows(&self, version: Version) -> bool {
        self.0.iter().any(|all| all.iter().all(|one| one.allows(version)))
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

/// A plain version such as `8.2`, `v9.11.0` or `2.0.1.0`; `None` for branches and for what is not yet stable.
#[must_use]
pub fn version(text: &str) -> Option<Version> {
    let (is_wild, given) = numbers(text.trim())?;
    (!is_wild && !given.is_empty() && !text.contains(['-', '@'])).then(|| filled(&given))
}

fn conditions(text: &str) -> Option<Vec<Condition>> {
    if let Some((from, to)) = text.split_once(" - ") {
        let (_, to) = numbers(to.trim())?;
        let below = if to.len() < 3 { above(&to)? } else { next(filled(&to))? };
        return Some(vec![Condition::between(filled(&numbers(from.trim())?.1), below)]);
    }
    let mut all = Vec::new();
    let mut pending = String::new();
    for word in text.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
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
    let text = text.split(['@', '-', '+']).next()?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// By Composer's documentation: a constraint, what it allows, and what it does not.
    const VECTORS: &[(&str, &[&str], &[&str])] = &[
        ("", &["0.0.0", "5.6.40", "99.0.0"], &[]),
        ("*", &["0.0.0", "8.2.29"], &[]),
        ("8.2.5", &["8.2.5"], &["8.2.4", "8.2.6", "8.3.5"]),
        ("v8.2.5", &["8.2.5"], &["8.2.6"]),
        ("=8.2", &["8.2.0"], &["8.2.1"]),
        ("==8.2", &["8.2.0"], &["8.2.1"]),
        ("8.2.*", &["8.2.0", "8.2.99"], &["8.1.99", "8.3.0"]),
        ("8.2.x", &["8.2.0", "8.2.99"], &["8.3.0"]),
        ("8.*", &["8.0.0", "8.99.99"], &["7.4.33", "9.0.0"]),
        ("8.*.*", &["8.0.0", "8.99.99"], &["9.0.0"]),
        ("^8.1", &["8.1.0", "8.99.0"], &["8.0.99", "9.0.0"]),
        ("^8", &["8.0.0", "8.99.0"], &["7.4.33", "9.0.0"]),
        ("^7.1.3", &["7.1.3", "7.4.33"], &["7.1.2", "8.0.0"]),
        ("^0.3", &["0.3.0", "0.3.9"], &["0.2.9", "0.4.0"]),
        ("^0.0.3", &["0.0.3"], &["0.0.2", "0.0.4"]),
        ("^0.0", &["0.0.0", "0.0.9"], &["0.1.0"]),
        ("^0", &["0.0.0", "0.9.9"], &["1.0.0"]),
        ("~8", &["8.0.0", "8.99.0"], &["7.4.0", "9.0.0"]),
        ("~8.1", &["8.1.0", "8.99.0"], &["8.0.99", "9.0.0"]),
        ("~8.1.3", &["8.1.3", "8.1.99"], &["8.1.2", "8.2.0"]),
        ("~0.3", &["0.3.0", "0.9.0"], &["1.0.0"]),
        (">=8.1", &["8.1.0", "9.0.0"], &["8.0.99"]),
        (">= 8.1", &["8.1.0"], &["8.0.99"]),
        (">8.1", &["8.1.1", "8.2.0"], &["8.1.0"]),
        ("<8.2", &["8.1.99", "5.6.0"], &["8.2.0"]),
        ("<=8.2", &["8.2.0"], &["8.2.1"]),
        ("!=8.1.5", &["8.1.4", "8.1.6"], &["8.1.5"]),
        ("<>8.1.5", &["8.1.4", "8.1.6"], &["8.1.5"]),
        ("!=8.1.*", &["8.0.0", "8.2.0"], &["8.1.0", "8.1.99"]),
        (">=8.1 <8.3", &["8.1.0", "8.2.99"], &["8.0.99", "8.3.0"]),
        (">=8.1,<8.3", &["8.1.0", "8.2.99"], &["8.3.0"]),
        (">=8.1, <8.3", &["8.2.99"], &["8.3.0"]),
        (">= 8.1 , < 8.3", &["8.2.99"], &["8.3.0"]),
        (">=8.1 !=8.2.5 <8.3", &["8.2.4", "8.2.6"], &["8.2.5", "8.3.0"]),
        ("8.0 - 8.2", &["8.0.0", "8.2.99"], &["7.4.33", "8.3.0"]),
        ("8.0.5 - 8.2.3", &["8.0.5", "8.2.3"], &["8.0.4", "8.2.4"]),
        ("7 - 8", &["7.0.0", "8.99.0"], &["6.9.0", "9.0.0"]),
        ("^7.4 || ^8.1", &["7.4.0", "8.1.0"], &["7.3.0", "8.0.0", "9.0.0"]),
        ("^7.4||^8.1", &["7.4.0", "8.1.0"], &["8.0.0"]),
        ("^7.4 | ^8.1", &["7.4.0", "8.1.0"], &["8.0.0"]),
        ("^7.4|^8.1", &["7.4.0", "8.1.0"], &["8.0.0"]),
        ("~8.1.0 || ~8.3.0", &["8.1.9", "8.3.9"], &["8.2.0"]),
        (">=7.1 <7.3 || >=8.1 <8.2", &["7.2.9", "8.1.9"], &["7.3.0", "8.2.0"]),
        ("7.4.* || 8.0 - 8.1", &["7.4.1", "8.1.9"], &["7.3.0", "8.2.0"]),
        ("^8.1@stable", &["8.1.0"], &["8.0.0", "9.0.0"]),
        ("^8.1@dev || ^9.0@beta", &["8.1.0", "9.1.0"], &["8.0.0"]),
        ("8.2.*@RC", &["8.2.0"], &["8.3.0"]),
        ("*@dev", &["7.4.0"], &[]),
        (">=8.1-dev", &["8.1.0"], &["8.0.99"]),
        ("8.2.0-RC1", &["8.2.0"], &["8.2.1"]),
        ("8.2.5.0", &["8.2.5"], &["8.2.6"]),
    ];

    #[test]
    fn constraints_allow_what_composers_documentation_says() {
        for (constraint, allowed, denied) in VECTORS {
            let wanted = Constraint::parse(constraint).unwrap_or_else(|| panic!("{constraint:?} is not understood"));
            let allows = |version: &&str| wanted.allows(filled(&numbers(version).unwrap().1));
            assert!(allowed.iter().all(allows), "{constraint:?} allows each of {allowed:?}");
            assert!(!denied.iter().any(allows), "{constraint:?} allows none of {denied:?}");
        }
    }

    #[test]
    fn what_composer_would_not_read_is_no_constraint() {
        for text in ["banana", "dev-main", ">=", "^", "8..2", "8.2.", ">>8", "8.*.2", "8 ||", "||", "8.2; rm"] {
            assert!(Constraint::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn a_plain_version_is_told_from_branches_and_from_what_is_not_yet_stable() {
        assert_eq!((version("v9.11.0"), version("8.2"), version("2.0.1.0")), (Some([9, 11, 0]), Some([8, 2, 0]), Some([2, 0, 1])));
        assert_eq!((version("dev-main"), version("2.0.0-beta1"), version("8.*")), (None, None, None));
    }
}
