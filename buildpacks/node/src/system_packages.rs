//! Debian packages that well-known dependencies need beside the base image.

use crate::manifest::Manifest;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct SystemPackages {
    pub build: Vec<String>,
    pub run: Vec<String>,
}

/// Compiled on installation where no ready binary fits.
const COMPILED: [&str; 12] = [
    "argon2",
    "bcrypt",
    "better-sqlite3",
    "sqlite3",
    "canvas",
    "node-sass",
    "bufferutil",
    "utf-8-validate",
    "node-pty",
    "re2",
    "libpq",
    "pg-native",
];

const TABLE: [(&str, &[&str], &[&str]); 6] = [
    ("@prisma/client", &["openssl", "ca-certificates"], &["openssl", "ca-certificates"]),
    (
        "canvas",
        &["libcairo2-dev", "libpango1.0-dev", "libjpeg-dev", "libgif-dev", "librsvg2-dev"],
        &["libcairo2", "libpango-1.0-0", "libpangocairo-1.0-0", "libjpeg62-turbo", "libgif7", "librsvg2-2"],
    ),
    ("puppeteer", &["chromium"], &["chromium"]),
    ("playwright", &[], &["chromium"]),
    ("pg-native", &["libpq-dev"], &["libpq5"]),
    ("fluent-ffmpeg", &[], &["ffmpeg"]),
];

pub fn of(manifest: &Manifest) -> SystemPackages {
    let mut packages = SystemPackages::default();
    if manifest.uses_any(&COMPILED) {
        packages.build.extend(["python3", "make", "g++"].map(str::to_owned));
    }
    let from_git = |version: &str| version.starts_with("git") || version.starts_with("github:");
    if manifest.dependencies().chain(manifest.dev_dependencies()).any(|(_, version)| from_git(version)) {
        packages.build.extend(["git", "ca-certificates"].map(str::to_owned));
    }
    for (dependency, build, run) in TABLE {
        if manifest.uses(dependency) {
            packages.build.extend(build.iter().map(|name| (*name).to_owned()));
            packages.run.extend(run.iter().map(|name| (*name).to_owned()));
        }
    }
    for list in [&mut packages.build, &mut packages.run] {
        list.sort();
        list.dedup();
    }
    packages
}
