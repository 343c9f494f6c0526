//! From a checked plan to a Dockerfile and the files of its build context. Pure: the same plan, lock and listing give the
//! same text.
//!
//! Every step becomes a stage that sees its declared inputs and nothing else, so BuildKit's cache follows from content.
//! Commands are written in exec form, as JSON: nothing of a customer's is ever quoted for a shell. The text keeps to what
//! the frontend built into Docker 20.10 knows: no heredocs, no `COPY --link`, no `RUN --network`, no `# syntax=`.

mod dockerignore;
mod lines;
mod listing;
mod stages;

use std::{collections::BTreeMap, path::PathBuf};

use slipway_buildpack_wit::{Dockerfile, Lock, Plan};

pub use dockerignore::DockerIgnore;
pub use listing::{Listing, SourceFile, SourceKind};

use lines::Lines;

/// What the agent adds to a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LowerOptions {
    /// Goes before the id of every cache, such as the application's id: applications never share a cache.
    pub scope: String,
    /// The image's labels.
    pub labels: BTreeMap<String, String>,
    /// Names of the customer's build variables. Every command of every step sees them in its environment, by way of
    /// BuildKit's secrets of the same ids; the image and the log do not.
    pub secrets: Vec<String>,
    /// Changes when a value of the build variables does, and tells nothing of it: a keyed hash. BuildKit's cache does not look at
    /// secrets, so without this a changed value would leave the steps as they were.
    pub secrets_fingerprint: Option<String>,
    /// A file of certificates in PEM form that commands of build steps trust in addition, and the image does not keep.
    pub ca_bundle: Option<PathBuf>,
}

/// What to send to the Docker daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lowered {
    pub dockerfile: String,
    /// Where the text goes in the context.
    pub dockerfile_path: String,
    /// Everything else in the context, sorted by `to`.
    pub context: Vec<ContextEntry>,
    /// Only for plans that name a Dockerfile.
    pub target: Option<String>,
    pub args: Vec<(String, String)>,
    /// Labels that the text does not set, because it is somebody else's.
    pub labels: BTreeMap<String, String>,
}

/// One file of the build context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextEntry {
    pub from: ContextSource,
    /// Relative, with `/`.
    pub to: String,
    pub executable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextSource {
    File(PathBuf),
    Bytes(Vec<u8>),
    /// A symbolic link, to go into the context as one.
    Link(String),
}

/// Why a plan cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LowerError {
    #[error("the tool `{0}` was not resolved to an image")]
    Unresolved(String),
    #[error("the image `{image}` of the tool `{tool}` is not an image reference")]
    BadImage { tool: String, image: String },
    #[error("the step `{step}` needs the build variable `{secret}`, which is not set")]
    MissingSecret { step: String, secret: String },
    #[error("the steps depend on each other in a circle")]
    Circle,
    #[error("the plan has neither an image nor a Dockerfile")]
    Nothing,
}

/// Lowers a plan that [`crate::check_plan`] has passed. `source` lists the application's root.
///
/// # Errors
/// See [`LowerError`].
pub fn lower(plan: &Plan, lock: &Lock, source: &Listing, options: &LowerOptions) -> Result<Lowered, LowerError> {
    if let Some(dockerfile) = &plan.fragment.dockerfile {
        return Ok(lower_dockerfile(dockerfile, source, options));
    }
    let mut lines = Lines::new(options);
    stages::write(&plan.fragment, lock, source, &mut lines)?;
    let (dockerfile, mut context) = lines.finish();
    context.sort_by(|a, b| a.to.cmp(&b.to));
    Ok(Lowered { dockerfile, dockerfile_path: "Dockerfile".into(), context, target: None, args: Vec::new(), labels: BTreeMap::new() })
}

fn lower_dockerfile(dockerfile: &Dockerfile, source: &Listing, options: &LowerOptions) -> Lowered {
    let context = dockerfile.context.trim_start_matches("./").trim_end_matches('/');
    let inside = |path: &str| match context {
        "." | "" => Some(path.to_owned()),
        context => path.strip_prefix(context)?.strip_prefix('/').map(str::to_owned),
    };
    // BuildKit prefers the ignore file that is named after the Dockerfile.
    let own_ignore = format!("{}.dockerignore", dockerfile.path);
    let ignore = source
        .text(&own_ignore)
        .or_else(|| source.text(&if matches!(context, "." | "") { ".dockerignore".into() } else { format!("{context}/.dockerignore") }));
    let ignore = DockerIgnore::parse(&ignore.unwrap_or_default());
    // The text may be adapted, so it takes the place of the file; outside of the context it needs a name of its own.
    let dockerfile_path = inside(dockerfile.path.trim_start_matches("./")).unwrap_or_else(|| ".slipway.Dockerfile".into());
    let context = source
        .files
        .iter()
        .filter_map(|file| Some((file, inside(&file.path)?)))
        .filter(|(_, to)| *to != dockerfile_path && !ignore.excludes(to))
        .map(|(file, to)| source.entry(file, to))
        .collect();
    Lowered {
        dockerfile: dockerfile.text.clone(),
        dockerfile_path,
        context,
        target: dockerfile.target.clone(),
        args: dockerfile.args.clone(),
        labels: options.labels.clone(),
    }
}

#[cfg(test)]
mod tests;
