//! Where an application's code comes from, and how it is built and probed.

use async_graphql::{InputObject, OneofObject, SimpleObject, Union};
use slipway_model as model;

use crate::{error::Refusals, graphql::scalar::Slug};

/// Where an application's code comes from.
#[derive(Debug, Clone, Union)]
pub enum ApplicationSource {
    Git(GitSource),
    Upload(UploadSource),
    Image(ImageSource),
}

/// A Git repository.
#[derive(Debug, Clone, SimpleObject)]
pub struct GitSource {
    /// Where it is cloned from.
    repository_url: String,
    /// What is deployed of it.
    branch: String,
}

/// Archives that members upload.
#[derive(Debug, Clone, SimpleObject)]
pub struct UploadSource {
    /// The largest archive that is taken, in bytes.
    max_bytes: crate::graphql::scalar::BigInt,
}

/// A ready image.
#[derive(Debug, Clone, SimpleObject)]
pub struct ImageSource {
    /// As Docker understands it: `[registry/]path[:tag][@digest]`.
    image: String,
}

impl From<model::Source> for ApplicationSource {
    fn from(source: model::Source) -> Self {
        match source {
            model::Source::Git(git) => {
                Self::Git(GitSource { repository_url: git.repository_url.to_string(), branch: git.branch.to_string() })
            }
            model::Source::Upload => {
                let max = i64::try_from(slipway_protocol::MAX_BLOB_BYTES).unwrap_or(i64::MAX);
                Self::Upload(UploadSource { max_bytes: crate::graphql::scalar::BigInt(max) })
            }
            model::Source::Image(image) => Self::Image(ImageSource { image: image.image.to_string() }),
        }
    }
}

/// Where an application's code comes from: exactly one of these.
#[derive(Debug, OneofObject)]
pub enum ApplicationSourceInput {
    /// A Git repository.
    Git(GitSourceInput),
    /// A ready image.
    Image(ImageSourceInput),
    /// Archives that members upload; `true`.
    Upload(bool),
}

/// A Git repository.
#[derive(Debug, InputObject)]
pub struct GitSourceInput {
    /// Begins with https://, http:// or ssh:// and carries no credentials.
    pub repository_url: String,
    /// What is deployed of it.
    pub branch: String,
}

/// A ready image.
#[derive(Debug, InputObject)]
pub struct ImageSourceInput {
    /// As Docker understands it: `[registry/]path[:tag][@digest]`.
    pub image: String,
}

impl ApplicationSourceInput {
    pub(crate) fn decode(self, refusals: &mut Refusals) -> Option<model::Source> {
        match self {
            Self::Git(git) => {
                let repository_url = refusals.parse("source.git.repositoryUrl", &git.repository_url);
                let branch = refusals.parse("source.git.branch", &git.branch);
                Some(model::Source::Git(model::GitSource { repository_url: repository_url?, branch: branch? }))
            }
            Self::Image(image) => {
                let image = refusals.parse("source.image.image", &image.image)?;
                Some(model::Source::Image(model::ImageSource { image }))
            }
            Self::Upload(true) => Some(model::Source::Upload),
            Self::Upload(false) => {
                refusals.push(crate::error::UserError::invalid("source.upload", "Say `true`, or name another source."));
                None
            }
        }
    }
}

/// How an application is built; whatever is `null` is detected.
#[derive(Debug, Clone, SimpleObject)]
pub struct BuildConfig {
    /// The kind of runtime that must be used.
    kind: Option<Slug>,
    /// The directory of the source that is built, where it is not the whole.
    root_directory: Option<String>,
    /// Builds the application.
    build_command: Option<String>,
    /// Starts the application.
    start_command: Option<String>,
    /// Where the Dockerfile is, if one is used.
    dockerfile_path: Option<String>,
    /// The stage of the Dockerfile that is built.
    build_target: Option<String>,
}

impl From<model::BuildConfig> for BuildConfig {
    fn from(config: model::BuildConfig) -> Self {
        Self {
            kind: config.runtime.map(Slug),
            root_directory: config.root_directory.map(Into::into),
            build_command: config.build_command,
            start_command: config.start_command,
            dockerfile_path: config.dockerfile_path.map(Into::into),
            build_target: config.build_target,
        }
    }
}

/// How an application is built; whatever is left out is detected.
#[derive(Debug, Default, InputObject)]
pub struct BuildConfigInput {
    /// The kind of runtime that must be used, such as `node`.
    pub kind: Option<Slug>,
    /// The directory of the source that is built, such as `apps/web`.
    pub root_directory: Option<String>,
    /// Builds the application.
    pub build_command: Option<String>,
    /// Starts the application.
    pub start_command: Option<String>,
    /// Where the Dockerfile is, if one is used.
    pub dockerfile_path: Option<String>,
    /// The stage of the Dockerfile that is built.
    pub build_target: Option<String>,
}

const MAX_COMMAND_BYTES: usize = 4096;

impl BuildConfigInput {
    pub(crate) fn decode(self, refusals: &mut Refusals) -> model::BuildConfig {
        let kind = self.kind.map(|slug| slug.0);
        if let Some(kind) = &kind {
            let _: Option<model::Slug> = refusals.parse("buildConfig.kind", kind);
        }
        for (path, command) in [("buildConfig.buildCommand", &self.build_command), ("buildConfig.startCommand", &self.start_command)] {
            let Some(command) = command else { continue };
            refusals.check(command.len() <= MAX_COMMAND_BYTES, || {
                crate::error::UserError::too_long(path, format!("Use at most {MAX_COMMAND_BYTES} bytes."))
            });
            refusals.check(!command.contains('\0'), || crate::error::UserError::invalid(path, "Leave out NUL characters."));
        }
        if let Some(target) = &self.build_target {
            let fits =
                !target.is_empty() && target.len() <= 100 && target.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
            refusals.check(fits, || {
                crate::error::UserError::invalid("buildConfig.buildTarget", "Use 1 to 100 letters, digits, `_`, `.` and `-`.")
            });
        }
        model::BuildConfig {
            runtime: kind,
            root_directory: self.root_directory.and_then(|path| refusals.parse("buildConfig.rootDirectory", &path)),
            build_command: self.build_command.filter(|command| !command.is_empty()),
            start_command: self.start_command.filter(|command| !command.is_empty()),
            dockerfile_path: self.dockerfile_path.and_then(|path| refusals.parse("buildConfig.dockerfilePath", &path)),
            build_target: self.build_target,
        }
    }
}

/// How an instance shows that it is well.
#[derive(Debug, Clone, SimpleObject)]
pub struct HealthCheck {
    /// Asked by HTTP; `null`: the port accepts connections.
    path: Option<String>,
    /// `null`: the port that the build states.
    port: Option<u16>,
    /// Between probes.
    interval_seconds: u32,
    /// For one probe to answer.
    timeout_seconds: u32,
    /// Failed probes in a row until it is unhealthy.
    retries: u32,
    /// For an instance to answer for the first time.
    grace_seconds: u32,
}

impl From<model::HealthCheck> for HealthCheck {
    fn from(check: model::HealthCheck) -> Self {
        Self {
            path: check.path,
            port: check.port,
            interval_seconds: check.interval_seconds,
            timeout_seconds: check.timeout_seconds,
            retries: check.retries,
            grace_seconds: check.grace_seconds,
        }
    }
}

/// How an instance shows that it is well; what is left out is as usual.
#[derive(Debug, InputObject)]
pub struct HealthCheckInput {
    /// Asked by HTTP; left out: the port accepts connections.
    pub path: Option<String>,
    /// Left out: the port that the build states.
    pub port: Option<i32>,
    /// Between probes: 1 to 300.
    pub interval_seconds: Option<i32>,
    /// For one probe to answer: 1 to 60.
    pub timeout_seconds: Option<i32>,
    /// Failed probes in a row until it is unhealthy: 1 to 20.
    pub retries: Option<i32>,
    /// For an instance to answer for the first time: 1 to 600.
    pub grace_seconds: Option<i32>,
}

impl HealthCheckInput {
    pub(crate) fn decode(self, refusals: &mut Refusals) -> model::HealthCheck {
        let usual = model::HealthCheck::default();
        let mut within = |path: &str, value: Option<i32>, usual: u32, most: u32| match value.map(u32::try_from) {
            None => usual,
            Some(Ok(value)) if (1..=most).contains(&value) => value,
            Some(_) => {
                refusals.push(crate::error::UserError::invalid(path, format!("Use 1 to {most}.")));
                usual
            }
        };
        let interval_seconds = within("healthCheck.intervalSeconds", self.interval_seconds, usual.interval_seconds, 300);
        let timeout_seconds = within("healthCheck.timeoutSeconds", self.timeout_seconds, usual.timeout_seconds, 60);
        let retries = within("healthCheck.retries", self.retries, usual.retries, 20);
        let grace_seconds = within("healthCheck.graceSeconds", self.grace_seconds, usual.grace_seconds, 600);
        let port = self.port.map(|port| within("healthCheck.port", Some(port), 1, u32::from(u16::MAX)));
        if let Some(path) = &self.path {
            let fits = path.starts_with('/') && path.len() <= 500 && path.bytes().all(|b| b.is_ascii_graphic());
            refusals.check(fits, || {
                crate::error::UserError::invalid(
                    "healthCheck.path",
                    "Use a path that begins with `/`, without spaces, of at most 500 bytes.",
                )
            });
        }
        model::HealthCheck {
            path: self.path,
            port: port.and_then(|port| u16::try_from(port).ok()),
            interval_seconds,
            timeout_seconds,
            retries,
            grace_seconds,
        }
    }
}
