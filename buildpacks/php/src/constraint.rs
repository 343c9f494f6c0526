//! What Composer's version constraints allow: `^8.1`, `~8.1.3`, `8.2.*`, `>=8.0 <8.4`, `8.0 - 8.2`, `!=8.1.3`, with `||` or
//! `|` between alternatives.

/// Stands for the newest release of a minor version, of which nobody here knows the number.
pub const NEWEST: u32 = 99_999;

pub type Version = [u32; 3];

/// Alternatives, each a list of conditions that all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint(Vec<Vec<Condition>>);

/// From one version to below another, or all but those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Condition {
    from: Version,
    below: Version,
    is_inverted: bool,
}

const LOWEST: Version = [0; 3];
const HIGHEST: Version = [u32::MAX; 3];

impl Constraint {
    /// `None` where it is none, or of a kind that names no number, such as `dev-main`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty() && text.len() < 1000).then_some(())?;
        text.replace("||", "|").split('|').map(|part| conditions(part.trim())).collect::<Option<Vec<_>>>().map(Self)
    }

    pub fn allows(&self, version: Version) -> bool {
        self.0.iter().any(|all| all.iter().all(|one| (one.from <= version && version < one.below) != one.is_inverted))
    }

    /// Whether any release that PHP has had, or could have, is allowed.
    pub fn allows_something(&self) -> bool {
        let minors = (4..10).flat_map(|major| (0..10).map(move |minor| (major, minor)));
        minors.into_iter().any(|(major, minor)| (0..60).chain([NEWEST]).any(|patch| self.allows([major, minor, patch])))
    }
}

/// A plain version such as `8.2`, `v9.11.0` or `2.0.1.0`; `None` for branches and for what is not yet stable.
pub fn version(text: &str) -> Option<Version> {
    let (numbers, is_wild) = numbers(text.trim())?;
    (!is_wild && !numbers.is_empty() && !text.contains(['-', '@'])).then(|| filled(&numbers))
}

fn conditions(text: &str) -> Option<Vec<Condition>> {
    if let Some((from, to)) = text.split_once(" - ") {
        let (from, to) = (numbers(from.trim())?.0, numbers(to.trim())?.0);
        let below = if to.len() < 3 { above(&to)? } else { above(&filled(&to))? };
        return Some(vec![Condition { from: filled(&from), below, is_inverted: false }]);
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
    let (operator, version) = text.split_at(text.find(|c: char| !"<>=!~^".contains(c))?);
    let (given, is_wild) = numbers(version)?;
    let from = filled(&given);
    let this = Condition { from, below: if is_wild { above(&given)? } else { above(&from)? }, is_inverted: false };
    Some(match operator {
        "" | "=" | "==" => this,
        "!=" | "<>" => Condition { is_inverted: true, ..this },
        ">=" => Condition { below: HIGHEST, ..this },
        ">" => Condition { from: this.below, below: HIGHEST, ..this },
        "<" => Condition { from: LOWEST, below: from, ..this },
        "<=" => Condition { from: LOWEST, ..this },
        "^" => {
            // Up to and including the first number that is not zero, else the last one given.
            let kept = given.iter().position(|number| *number != 0).unwrap_or(given.len().saturating_sub(1));
            Condition { below: above(given.get(..=kept)?)?, ..this }
        }
        "~" => Condition { below: above(given.get(..given.len().saturating_sub(1).max(1))?)?, ..this },
        _ => return None,
    })
}

/// Up to three numbers, and whether a wildcard follows them; `*` alone has none.
fn numbers(text: &str) -> Option<(Vec<u32>, bool)> {
    // What follows says which releases count as stable enough.
    let text = text.split(['@', '-', '+']).next()?;
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let mut given = Vec::new();
    let mut is_wild = false;
    for part in text.split('.') {
        match part {
            "*" | "x" | "X" => is_wild = true,
            digits if !is_wild && !digits.is_empty() && digits.len() < 9 && digits.bytes().all(|b| b.is_ascii_digit()) => {
                given.push(digits.parse().ok()?);
            }
            _ => return None,
        }
    }
    given.truncate(3);
    Some((given, is_wild))
}

fn filled(given: &[u32]) -> Version {
    [0, 1, 2].map(|place| given.get(place).copied().unwrap_or(0))
}

/// The first version that does not begin with these numbers.
fn above(given: &[u32]) -> Option<Version> {
    let Some((last, before)) = given.split_last() else { return Some(HIGHEST) };
    Some(filled(&[before, &[last.checked_add(1)?]].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_allows_what_composer_says_it_allows() {
        for (text, yes, no) in [
            ("^8.1", [8, 4, 0], [9, 0, 0]),
            ("~8.1", [8, 9, 0], [8, 0, 9]),
            ("~8.1.2", [8, 1, NEWEST], [8, 2, 0]),
            ("8.2.*", [8, 2, NEWEST], [8, 3, 0]),
            (">=7.1 <8.2", [8, 1, NEWEST], [8, 2, 0]),
            (">= 8.0, < 8.4", [8, 3, 1], [8, 4, 0]),
            ("8.1 - 8.3", [8, 3, NEWEST], [8, 4, 0]),
            ("^7.4|^8.0", [7, 4, 1], [7, 3, 1]),
            ("~8.0.0 || ~8.2.0", [8, 2, 5], [8, 1, 5]),
            ("!=8.1.3", [8, 1, 4], [8, 1, 3]),
            ("8.2", [8, 2, 0], [8, 2, 1]),
            ("^0.3", [0, 3, 9], [0, 4, 0]),
            ("^1.0@beta", [1, 5, 0], [2, 0, 0]),
        ] {
            let constraint = Constraint::parse(text).unwrap();
            assert!(constraint.allows(yes) && !constraint.allows(no), "{text}");
        }
        assert!(Constraint::parse("*").unwrap().allows([5, 6, 0]));
    }

    #[test]
    fn branches_words_and_contradictions_are_told_apart_from_versions() {
        for text in ["dev-main", "eight", "^x", "", ">=", "php8"] {
            assert_eq!(Constraint::parse(text), None, "{text}");
        }
        assert!(!Constraint::parse(">=8.3 <8.0").unwrap().allows_something());
        assert_eq!((version("v9.11.0"), version("dev-main"), version("2.0.0-beta1")), (Some([9, 11, 0]), None, None));
    }
}
