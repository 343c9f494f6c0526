//! What go.mod and `.go-version` say: the oldest version that will do, or one version or line.

use slipway_plugin_sdk::version_line::Fit;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    AtLeast(Vec<u64>),
    Exactly(Vec<u64>),
}

impl Wanted {
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix(">=") {
            Some(oldest) => numbers(oldest.trim()).map(Self::AtLeast),
            None => numbers(text).map(Self::Exactly),
        }
    }

    /// How well a line such as `1.24` fits, whose image has its newest release.
    pub fn fit(&self, line: &str) -> Fit {
        let Some(line) = numbers(line) else { return Fit::No };
        match self {
            // `>=1.24.2` is met by what is newest of 1.24.
            Self::AtLeast(oldest) if oldest.len() > line.len() => {
                if line.as_slice() >= &oldest[..line.len()] {
                    Fit::Newest
                } else {
                    Fit::No
                }
            }
            Self::AtLeast(oldest) => {
                if line >= *oldest {
                    Fit::Newest
                } else {
                    Fit::No
                }
            }
            // `1` and `1.24` name lines; of `1.24.2` the image may have a newer release.
            Self::Exactly(wanted) if line.starts_with(wanted) => Fit::Newest,
            Self::Exactly(wanted) if wanted.starts_with(&line) => Fit::Some,
            Self::Exactly(_) => Fit::No,
        }
    }
}

/// `1.24rc1` counts as 1.24: images have releases.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let release = ["rc", "beta"].iter().find_map(|mark| version.split_once(mark)).map_or(version, |(release, _)| release);
    let numbers: Option<Vec<u64>> = release.split('.').map(|part| part.parse().ok()).collect();
    numbers.filter(|numbers| (1..=3).contains(&numbers.len()))
}
