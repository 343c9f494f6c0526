//! Releases that were taken out of npm's registry because somebody had put malicious code into them. No install finds them any
//! more, and who has one locked ought to know.

use slipway_buildpack_sdk::{Refusal, refuse};

use crate::manifest::{FILE, Manifest};

const RELEASES: [(&str, &[&str]); 27] = [
    ("ansi-regex", &["6.2.1"]),
    ("ansi-styles", &["6.2.2"]),
    ("backslash", &["0.2.1"]),
    ("chalk", &["5.6.1"]),
    ("chalk-template", &["1.1.1"]),
    ("coa", &["2.0.3", "2.0.4", "2.1.1", "2.1.3", "3.0.1", "3.1.3"]),
    ("color", &["5.0.1"]),
    ("color-convert", &["3.1.1"]),
    ("color-name", &["2.0.1"]),
    ("color-string", &["2.1.1"]),
    ("colors", &["1.4.1", "1.4.2"]),
    ("debug", &["4.4.2"]),
    ("error-ex", &["1.3.3"]),
    ("eslint-scope", &["3.7.2"]),
    ("event-stream", &["3.3.6"]),
    ("flatmap-stream", &["0.1.1"]),
    ("has-ansi", &["6.0.1"]),
    ("is-arrayish", &["0.3.3"]),
    ("node-ipc", &["10.1.1", "10.1.2"]),
    ("rc", &["1.2.9", "1.3.9", "2.3.9"]),
    ("simple-swizzle", &["0.2.3"]),
    ("slice-ansi", &["7.1.1"]),
    ("strip-ansi", &["7.1.1"]),
    ("supports-color", &["10.2.1"]),
    ("supports-hyperlinks", &["4.1.1"]),
    ("ua-parser-js", &["0.7.29", "0.8.0", "1.0.0"]),
    ("wrap-ansi", &["9.0.1"]),
];

/// Refuses the first withdrawn release that a lockfile holds; `locked` tells the version of a package.
pub fn check_locked<'a>(file: &str, locked: impl Fn(&str) -> Option<&'a str>) -> Result<(), Refusal> {
    let found = RELEASES.iter().find_map(|(name, versions)| Some((*name, locked(name).filter(|version| versions.contains(version))?)));
    found.map_or(Ok(()), |(name, version)| Err(refusal(name, version, file)))
}

/// Refuses a dependency that is pinned to a withdrawn release.
pub fn check_pinned(manifest: &Manifest) -> Result<(), Refusal> {
    let exact = |name: &str| manifest.wants(name).map(|wanted| wanted.trim().trim_start_matches(['=', 'v']));
    check_locked(FILE, exact)
}

fn refusal(name: &str, version: &str, file: &str) -> Refusal {
    let message = format!("`{file}` holds `{name}` {version}, which was withdrawn from npm's registry because of malicious code in it.");
    refuse("NODE_DEPENDENCY_WITHDRAWN", message)
        .at(file)
        .fix(format!("Move `{name}` to another release, and change what the machines on which it was installed had access to."))
}
