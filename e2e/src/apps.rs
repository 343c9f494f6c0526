//! The apps of `e2e/apps/`, which are modelled on real ones, and what is to be true of each.

use std::path::PathBuf;

use crate::platform::workspace;

/// One of them. It answers `/` with `Hello from <its name>`.
#[derive(Debug, Clone, Copy)]
pub struct App {
    /// The folder below `e2e/apps`, such as `node/express-npm`.
    pub path: &'static str,
    /// The file with the greeting, in which one line is edited.
    pub edited: &'static str,
    /// Below the ingress: a path, and what the answer holds.
    pub pages: &'static [(&'static str, &'static str)],
    /// Paths that visitors must not get.
    pub hidden: &'static [&'static str],
    /// Globs of what has no place in the image, such as what only developing needs.
    pub absent: &'static [&'static str],
    /// Commands of its own Dockerfile that an edit must not repeat. A buildpack's are known by their steps.
    pub installs: &'static [&'static str],
    /// Processes that run beside the web process.
    pub others: usize,
    /// Whether it listens where PORT says; a Dockerfile may not.
    pub honours_port: bool,
    /// The plan that it is given, by its slug.
    pub plan: &'static str,
}

impl App {
    #[must_use]
    pub const fn new(path: &'static str, edited: &'static str) -> Self {
        Self { path, edited, pages: &[], hidden: &[], absent: &[], installs: &[], others: 0, honours_port: true, plan: "nano" }
    }

    /// Its name, which is the last part of its folder.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    #[must_use]
    pub fn directory(&self) -> PathBuf {
        workspace().join("e2e/apps").join(self.path)
    }

    #[must_use]
    pub fn greeting(&self) -> String {
        format!("Hello from {}", self.name())
    }
}
