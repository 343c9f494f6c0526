//! Fetches one commit of a Git repository that somebody else names, by the `git` program with a fixed set of arguments.
//!
//! Only `https` (and `http`) is spoken: other transports run programs or need keys that this machine does not have. The host is resolved once,
//! judged, and pinned for git, and redirects are not followed, so that a name that changes its mind leads nowhere. No configuration of the
//! machine or of the repository is read, no hook or filter runs, and submodules are not fetched.

mod output;
mod run;
mod target;
mod times;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use slipway_model::{GitRef, GitUrl};
use slipway_outbound::{Policy, SystemLookup};
use slipway_protocol::TaskFailure;

pub use output::GitError;
use run::Git;

/// What may be fetched, and from where.
#[derive(Debug, Clone)]
pub struct GitLimits {
    pub time: Duration,
    /// Bytes of the packed objects, and again of the files checked out.
    pub bytes: u64,
    pub files: u64,
    /// Where may be fetched from.
    pub policy: Policy,
    /// Certificates that are trusted in place of the machine's own.
    pub ca_bundle: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub id: String,
    pub message: String,
    /// The repository refers to others, which were not fetched.
    pub has_submodules: bool,
}

const REF: &str = "refs/slipway/source";

/// Writes the files of a commit into `files`, an empty directory. `scratch` is an empty directory for git's own needs, for the caller to
/// remove, as are the files after a failure.
///
/// # Errors
/// What the customer is told. Dropping the future kills git and whatever git started.
pub async fn fetch(
    url: &GitUrl,
    branch: &GitRef,
    commit: Option<&str>,
    files: &Path,
    scratch: &Path,
    limits: &GitLimits,
) -> Result<Commit, TaskFailure> {
    let work = async {
        let target = target::resolve(url, &limits.policy, &SystemLookup).await?;
        let fetched = match Git::new(&target, files, scratch, limits.ca_bundle.as_deref()) {
            Ok(git) => checkout(&git, &target.url, branch, commit, (files, scratch), limits).await,
            Err(error) => Err(error),
        };
        fetched.map_err(|error| error.failure(url, branch, commit))
    };
    match tokio::time::timeout(limits.time, work).await {
        Ok(result) => result,
        Err(_) => Err(GitError::TimedOut(limits.time).failure(url, branch, commit)),
    }
}

async fn checkout(
    git: &Git,
    url: &str,
    branch: &GitRef,
    commit: Option<&str>,
    (files, scratch): (&Path, &Path),
    limits: &GitLimits,
) -> Result<Commit, GitError> {
    git.run(["init", "--quiet", "--template="]).await?;
    let fetched = run::within_size(scratch, limits.bytes, fetch_objects(git, url, branch, commit)).await?;
    let id = git.run(["rev-parse", "--verify", "--quiet", "--end-of-options", &format!("{fetched}^{{commit}}")]).await?.trim().to_owned();
    // Before anything is written: a few objects can describe a tree of millions of files.
    let listing = run::list_tree(git, &id, limits).await?;
    git.run(["update-ref", "--no-deref", "HEAD", &id]).await?;
    git.run(["reset", "--quiet", "--hard", "--no-recurse-submodules"]).await?;
    let seconds = git.run(["show", "--no-patch", "--no-show-signature", "--format=%ct", &id]).await?;
    times::set(files, seconds.trim().parse().unwrap_or_default()).await;
    let message = git.run(["show", "--no-patch", "--no-show-signature", "--format=%B", &id]).await?;
    let message: String = message.trim().chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).take(2000).collect();
    Ok(Commit { id, message, has_submodules: listing.has_submodules })
}

/// Fetches the commit, or the newest one of the branch, and gives the revision under which it is found.
async fn fetch_objects(git: &Git, url: &str, branch: &GitRef, commit: Option<&str>) -> Result<String, GitError> {
    if let Some(commit) = commit {
        match git.fetch(url, Some(1), format!("+{commit}:{REF}")).await {
            Ok(_) => return Ok(REF.to_owned()),
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error),
        }
        // A server that hands out only what its branches point at: look for the commit in the branch's history.
        git.fetch(url, None, format!("+refs/heads/{branch}:{REF}")).await?;
        return match git.run(["cat-file", "-e", &format!("{commit}^{{commit}}")]).await {
            Ok(_) => Ok(commit.to_owned()),
            Err(GitError::Exit { .. }) => Err(GitError::NoCommit),
            Err(error) => Err(error),
        };
    }
    match git.fetch(url, Some(1), format!("+refs/heads/{branch}:{REF}")).await {
        Err(error) if error.is_missing() => git.fetch(url, Some(1), format!("+refs/tags/{branch}:{REF}")).await?,
        other => other?,
    };
    Ok(REF.to_owned())
}

/// Whether `text` is a full commit id (SHA-1 or SHA-256), and so neither an option nor an expression.
#[must_use]
pub fn is_commit_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
