//! What git's complaints mean.

use std::time::Duration;

use slipway_model::{GitRef, GitUrl};
use slipway_protocol::TaskFailure;

#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("git ended with {code:?}: {stderr}")]
    Exit { code: Option<i32>, stderr: String },
    #[error("git did not end within {0:?}")]
    TimedOut(Duration),
    #[error("more than {0} bytes")]
    TooLarge(u64),
    #[error("more than {0} files")]
    TooManyFiles(u64),
    #[error("the commit is not in the branch")]
    NoCommit,
    #[error("cannot run git: {0}")]
    Io(#[from] std::io::Error),
}

impl GitError {
    /// The server does not have, or does not give, what was asked for.
    pub fn is_missing(&self) -> bool {
        let Self::Exit { stderr, .. } = self else { return false };
        let stderr = stderr.to_ascii_lowercase();
        ["couldn't find remote ref", "not our ref", "unadvertised object", "remote error: upload-pack: not our"]
            .iter()
            .any(|text| stderr.contains(text))
    }

    /// For the customer. What the server said is in the agent's own log only: it is another's text.
    pub fn failure(self, url: &GitUrl, branch: &GitRef, commit: Option<&str>) -> TaskFailure {
        tracing::info!(%url, %branch, commit, error = %self, "cannot fetch a source");
        let unreachable = |message: String| TaskFailure::new("SOURCE_UNREACHABLE", message);
        match self {
            Self::TimedOut(limit) => unreachable(format!("fetching `{url}` took longer than {} s", limit.as_secs()))
                .fix("Try again later; if the repository is very large, deploy a smaller one or upload the source."),
            Self::TooLarge(bytes) => {
                TaskFailure::new("SOURCE_TOO_LARGE", format!("the source in `{url}` is larger than {} MiB", bytes >> 20))
                    .fix("Keep large files out of the repository, for example in object storage.")
            }
            Self::TooManyFiles(files) => TaskFailure::new("SOURCE_TOO_LARGE", format!("the source in `{url}` has more than {files} files"))
                .fix("Leave out generated files and dependencies (`node_modules`, `vendor`) from the repository."),
            Self::NoCommit => no_commit(url, branch, commit),
            Self::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                TaskFailure::new("NODE_DISK_FULL", "the node has no disk space left for the source")
                    .fix("Tell the platform's administrator, or try again later.")
            }
            Self::Io(_) => TaskFailure::new("NODE_FAULT", "the node cannot run git").fix("Tell the platform's administrator."),
            Self::Exit { .. } if self.is_missing() => {
                if commit.is_some() {
                    return no_commit(url, branch, commit);
                }
                TaskFailure::new("BRANCH_NOT_FOUND", format!("`{url}` has no branch or tag `{branch}`"))
                    .fix("Push the branch, or choose one that exists in the application's source settings.")
            }
            Self::Exit { stderr, .. } => exit(&stderr, url),
        }
    }
}

fn no_commit(url: &GitUrl, branch: &GitRef, commit: Option<&str>) -> TaskFailure {
    let commit = commit.unwrap_or_default();
    TaskFailure::new("COMMIT_NOT_FOUND", format!("`{url}` has no commit {commit} in its branch `{branch}`"))
        .fix("It may have been replaced by a forced push: deploy the branch's newest commit.")
}

fn exit(stderr: &str, url: &GitUrl) -> TaskFailure {
    let lower = stderr.to_ascii_lowercase();
    let says = |texts: &[&str]| texts.iter().any(|text| lower.contains(text));
    if says(&[
        "could not read username",
        "could not read password",
        "authentication failed",
        "error: 401",
        "error: 403",
        "permission denied",
    ]) {
        return TaskFailure::new("SOURCE_FORBIDDEN", format!("`{url}` does not exist or may not be read without signing in"))
            .fix("Check the URL; make the repository public, or upload the source.");
    }
    if says(&["no space left on device"]) {
        return TaskFailure::new("NODE_DISK_FULL", "the node has no disk space left for the source")
            .fix("Tell the platform's administrator, or try again later.");
    }
    let message = if says(&["error: 404", "not found"]) {
        format!("there is no repository at `{url}`")
    } else if says(&["redirect", "error: 301", "error: 302", "error: 307", "error: 308"]) {
        return TaskFailure::new("SOURCE_UNREACHABLE", format!("`{url}` leads on to another address, which is not followed"))
            .fix("Use the repository's present address: open it in a browser and copy the URL it ends at.");
    } else if says(&["ssl", "certificate", "tls"]) {
        format!("the TLS certificate of `{url}` is not trusted or the connection broke")
    } else if says(&["not valid: is this a git repository", "invalid info/refs"]) {
        format!("what answers at `{url}` is no Git repository")
    } else if says(&["connect", "timed out", "timeout", "resolve host", "reset by peer", "network is unreachable"]) {
        format!("the host of `{url}` does not answer")
    } else {
        format!("git could not fetch `{url}`")
    };
    TaskFailure::new("SOURCE_UNREACHABLE", message).fix("Check the repository URL; if it is right, try again later.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(stderr: &str) -> String {
        GitError::Exit { code: Some(128), stderr: stderr.into() }
            .failure(&"https://git.example/a".parse().unwrap(), &"main".parse().unwrap(), None)
            .code
    }

    #[test]
    fn a_complaint_becomes_what_the_customer_can_act_on() {
        assert_eq!(code("fatal: couldn't find remote ref refs/heads/x"), "BRANCH_NOT_FOUND");
        assert_eq!(code("fatal: could not read Username for 'https://git.example': terminal prompts disabled"), "SOURCE_FORBIDDEN");
        assert_eq!(code("fatal: unable to access 'x': The requested URL returned error: 403"), "SOURCE_FORBIDDEN");
        assert_eq!(code("fatal: repository 'https://git.example/a/' not found"), "SOURCE_UNREACHABLE");
        assert_eq!(code("fatal: unable to access 'x': Failed to connect to git.example port 443"), "SOURCE_UNREACHABLE");
        assert_eq!(code("something new"), "SOURCE_UNREACHABLE");
    }

    #[test]
    fn what_a_server_says_is_not_repeated() {
        let failure = GitError::Exit { code: Some(128), stderr: "remote: click http://evil.example".into() }.failure(
            &"https://git.example/a".parse().unwrap(),
            &"main".parse().unwrap(),
            None,
        );
        assert!(!failure.to_string().contains("evil"));
    }
}
