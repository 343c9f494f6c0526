//! What people write in `engines.node`, `.nvmrc` and `.node-version`.

use node_semver::{Range, Version};
use slipway_plugin_sdk::{Fit, version_line::NEWEST_RELEASE};

#[derive(Debug)]
pub(crate) enum Wanted {
    /// `latest`, `lts/*`: every line here has long-term support, so both mean the newest.
    NewestLine,
    /// `lts/jod`.
    Line(&'static str),
    Range(Range),
}

pub(crate) fn parse(text: &str) -> Option<Wanted> {
    let alias = text.to_ascii_lowercase();
    Some(match alias.as_str() {
        "" => Wanted::Range(Range::any()),
        "latest" | "current" | "node" | "stable" | "lts" | "lts/*" | "--lts" => Wanted::NewestLine,
        "lts/hydrogen" => Wanted::Line("18"),
        "lts/iron" => Wanted::Line("20"),
        "lts/jod" => Wanted::Line("22"),
        "lts/krypton" => Wanted::Line("24"),
        _ if has_operator_before_wildcard(text) => return None,
        _ => Wanted::Range(Range::parse(text).ok()?),
    })
}

/// `~x`, `^*`, `>= *`: nobody means anything by them, and `node_semver` panics on some, which would count against this plugin.
fn has_operator_before_wildcard(text: &str) -> bool {
    let mut after_operator = false;
    for character in text.chars().filter(|c| !matches!(c, ' ' | 'v' | 'V')) {
        if after_operator && matches!(character, '*' | 'x' | 'X') {
            return true;
        }
        after_operator = matches!(character, '~' | '^' | '<' | '>' | '=');
    }
    false
}

impl Wanted {
    pub fn fit(&self, major: &str, is_newest: bool) -> Fit {
        let whole = |fits: bool| if fits { Fit::Newest } else { Fit::No };
        match self {
            Self::NewestLine => whole(is_newest),
            Self::Line(line) => whole(*line == major),
            Self::Range(range) => fit_range(range, major),
        }
    }
}

fn fit_range(range: &Range, major: &str) -> Fit {
    let newest = Version::parse(format!("{major}.{NEWEST_RELEASE}.{NEWEST_RELEASE}"));
    if newest.is_ok_and(|newest| newest.satisfies(range)) {
        return Fit::Newest;
    }
    let line = Range::parse(format!("{major}.x"));
    if line.is_ok_and(|line| line.allows_any(range)) { Fit::Some } else { Fit::No }
}
