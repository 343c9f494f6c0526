//! Where an application's code comes from, and how it is built.

use serde::{Deserialize, Serialize};

use crate::{GitRef, GitUrl, ImageRef, SourcePath};

/// The source of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    Git(GitSource),
    /// An archive that a member uploads with each deployment.
    Upload,
    Image(ImageSource),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitSource {
    pub repository_url: GitUrl,
    pub branch: GitRef,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSource {
    pub image: ImageRef,
}

/// What the customer said about the build; everything left out is detected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BuildConfig {
    /// The runtime that must be used, such as `node`; `None` detects.
    pub runtime: Option<String>,
    pub root_directory: Option<SourcePath>,
    pub build_command: Option<String>,
    pub start_command: Option<String>,
    pub dockerfile_path: Option<SourcePath>,
    pub build_target: Option<String>,
}
