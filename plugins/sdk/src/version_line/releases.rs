//! Which releases of a line a constraint allows, also where the list of them cannot be complete.

use std::collections::{BTreeMap, BTreeSet};

use super::{Catalogue, Fit, Match, VersionLine};

/// The last patches of a minor that a registry may lack.
const PATCHES_NOT_LISTED: u64 = 5;

/// A catalogue grows old: about as many releases of a line may come in a year.
const RELEASES_TO_COME: u64 = 12;

impl VersionLine {
    pub(super) fn match_known(&self, allows: impl Fn(&str) -> bool) -> Match {
        let known = self.releases.iter().rev().find(|release| allows(release));
        let fit = match known {
            None => Fit::No,
            newest if newest == self.releases.last() => Fit::Newest,
            Some(_) => Fit::Some,
        };
        Match { fit, release: known.cloned() }
    }
}

impl Catalogue {
    /// Registries lack some releases. So one below the newest is taken to exist if it is close to a known one; one beyond the
    /// newest may exist by now while the line is alive, and never will when it has ended.
    pub(super) fn match_unlisted(&self, line: &VersionLine, allows: impl Fn(&str) -> bool) -> Match {
        if let Some(missing) = missing(&line.releases).find(|release| allows(release)) {
            return Match { fit: Fit::Some, release: Some(missing) };
        }
        let comes = !self.has_ended(line) && to_come(line).any(|release| allows(&release));
        if comes { Fit::Some } else { Fit::No }.into()
    }
}

/// The numbers of a version that is nothing but numbers.
pub(super) fn numbers(version: &str) -> Option<Vec<u64>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

/// What lies close to a known release, below the newest, and is not listed: `22.3.1` where `22.3.0` and `22.4.0` are known.
fn missing(releases: &[String]) -> impl Iterator<Item = String> {
    let known: BTreeSet<_> = releases.iter().filter_map(|release| parts(release)).collect();
    let last_patches: BTreeMap<_, _> = known.iter().map(|&[major, minor, patch]| ((major, minor), patch)).collect();
    let newest = known.last().copied();
    let around =
        last_patches.into_iter().flat_map(|((major, minor), last)| (0..=last + PATCHES_NOT_LISTED).map(move |patch| [major, minor, patch]));
    let missing = around.filter(move |release| Some(*release) < newest && !known.contains(release));
    missing.map(|[major, minor, patch]| format!("{major}.{minor}.{patch}"))
}

fn parts(release: &str) -> Option<[u64; 3]> {
    numbers(release)?.try_into().ok()
}

fn to_come(line: &VersionLine) -> impl Iterator<Item = String> {
    let newest = line.releases.last().and_then(|release| parts(release));
    let same_minor = newest
        .into_iter()
        .flat_map(|[major, minor, patch]| (1..=RELEASES_TO_COME).map(move |more| format!("{major}.{minor}.{}", patch + more)));
    // The minor belongs to the line's name where that has two numbers.
    let newer_minors = newest.filter(|_| !line.version.contains('.')).into_iter().flat_map(|[major, minor, _]| {
        let minors = minor + 1..=minor + RELEASES_TO_COME;
        minors.flat_map(move |minor| (0..=RELEASES_TO_COME).map(move |patch| format!("{major}.{minor}.{patch}")))
    });
    same_minor.chain(newer_minors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(version: &str, end_of_life: &str, wanted: &str) -> (Fit, Option<String>) {
        let json = format!(
            r#"{{"basis": "made up", "as_of": "2026-06-01", "lines": [{{"version": "{version}", "end_of_life": "{end_of_life}",
                "releases": ["4.0.0", "4.0.2", "4.1.0"]}}]}}"#
        );
        let catalogue = Catalogue::parse(&json);
        let (line, allows) = (&catalogue.lines[0], |release: &str| release == wanted);
        let known = line.match_known(allows);
        let Match { fit, release } = if known.fit == Fit::No { catalogue.match_unlisted(line, allows) } else { known };
        (fit, release)
    }

    #[test]
    fn a_release_is_known_or_taken_to_exist_or_may_come_while_the_line_lives() {
        assert_eq!(found("4", "2020-01-01", "4.1.0"), (Fit::Newest, Some("4.1.0".into())));
        assert_eq!(found("4", "2020-01-01", "4.0.0"), (Fit::Some, Some("4.0.0".into())));
        assert_eq!(found("4", "2020-01-01", "4.0.1"), (Fit::Some, Some("4.0.1".into())));
        assert_eq!(found("4", "2020-01-01", "4.0.3"), (Fit::Some, Some("4.0.3".into())));
        assert_eq!(found("4", "2020-01-01", "4.0.9"), (Fit::No, None));
        assert_eq!(found("4", "2020-01-01", "4.1.1"), (Fit::No, None));
        assert_eq!(found("4", "2027-01-01", "4.1.1"), (Fit::Some, None));
        assert_eq!(found("4", "2027-01-01", "4.2.3"), (Fit::Some, None));
        assert_eq!(found("4", "2027-01-01", "4.99.0"), (Fit::No, None));
        assert_eq!(found("4.1", "2027-01-01", "4.2.0"), (Fit::No, None));
    }
}
