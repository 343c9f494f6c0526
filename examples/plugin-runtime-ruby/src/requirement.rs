//! RubyGems' requirements: `~> 3.1`, `>= 3.1, < 4`; and a bare version, which names a release or its line.

use std::cmp::Ordering;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    /// Without one: the version, or any that begins with it.
    Line,
    Is,
    IsNot,
    Above,
    Below,
    AtLeast,
    AtMost,
    /// At least, and below the next of the last part but one.
    Pessimistic,
}

/// Each of which has to allow a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requirement(Vec<(Operator, Vec<u64>)>);

/// The longer ones first.
const OPERATORS: [(&str, Operator); 7] = [
    ("~>", Operator::Pessimistic),
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("!=", Operator::IsNot),
    ("=", Operator::Is),
    (">", Operator::Above),
    ("<", Operator::Below),
];

impl Requirement {
    pub fn parse(text: &str) -> Option<Self> {
        let part = |part: &str| {
            let part = part.trim();
            let stated = OPERATORS.into_iter().find_map(|(sign, operator)| Some((operator, part.strip_prefix(sign)?)));
            let (operator, version) = stated.unwrap_or((Operator::Line, part));
            Some((operator, numbers(version.trim())?))
        };
        text.split(',').map(part).collect::<Option<Vec<_>>>().map(Self)
    }

    pub fn allows(&self, version: &str) -> bool {
        let Some(version) = numbers(version) else { return false };
        self.0.iter().all(|(operator, wanted)| {
            let order = compare(&version, wanted);
            match operator {
                Operator::Line => version.starts_with(wanted),
                Operator::Is => order == Ordering::Equal,
                Operator::IsNot => order != Ordering::Equal,
                Operator::Above => order == Ordering::Greater,
                Operator::Below => order == Ordering::Less,
                Operator::AtLeast => order != Ordering::Less,
                Operator::AtMost => order != Ordering::Greater,
                Operator::Pessimistic => {
                    let kept = wanted.len().saturating_sub(1).max(1);
                    order != Ordering::Less && version.iter().take(kept).eq(wanted.iter().take(kept))
                }
            }
        })
    }
}

fn numbers(version: &str) -> Option<Vec<u64>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

/// As RubyGems has it: `3.1` and `3.1.0` are the same.
fn compare(one: &[u64], other: &[u64]) -> Ordering {
    let part = |version: &[u64], at: usize| version.get(at).copied().unwrap_or(0);
    (0..one.len().max(other.len())).map(|at| part(one, at).cmp(&part(other, at))).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_mean_what_they_mean_to_rubygems() {
        let allows = |requirement: &str, version: &str| Requirement::parse(requirement).unwrap().allows(version);
        for (requirement, version) in [("~> 3.1", "3.9"), ("~> 3.1.2", "3.1.9"), ("= 3.1", "3.1.0"), ("3.1", "3.1.2"), ("~> 3", "3.4")] {
            assert!(allows(requirement, version), "{requirement} {version}");
        }
        for (requirement, version) in
            [("~> 3.1", "4.0"), ("~> 3.1.2", "3.2.0"), ("~> 3.1.2", "3.1.1"), ("= 3.1", "3.1.2"), ("3.1", "3.10.0")]
        {
            assert!(!allows(requirement, version), "{requirement} {version}");
        }
    }
}
