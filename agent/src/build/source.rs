//! Has a deployment's source on disk: fetched before, or now.

use std::{
    fs::File,
    io::BufReader,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use slipway_model::Sha256Digest;
use slipway_protocol::{MAX_BLOB_BYTES, SourceSpec, Task, TaskFailure};

use super::{
    Builder,
    failure::{disk, from_blob},
    git,
    log::TaskLog,
    unpack::{UnpackError, UnpackLimits, unpack},
    workspace::{Preparation, Record, Workspace},
};

impl Builder {
    /// The workspace with the task's source in it.
    pub(super) async fn source(&self, task: &Task, source: &SourceSpec, log: &mut TaskLog) -> Result<(Workspace, Record), TaskFailure> {
        let workspace = Workspace::of(&self.config.data_dir, task.deployment);
        if let Some(record) = workspace.record().filter(|record| record.satisfies(source)) {
            return Ok((workspace, record));
        }
        let preparation = workspace.begin().map_err(|error| disk(&error))?;
        let result = self.fetch(source, &preparation, log).await;
        let completed = match result {
            Ok(record) => workspace.complete(&preparation, &record).map(|()| record).map_err(|error| disk(&error)),
            Err(failure) => Err(failure),
        };
        match completed {
            Ok(record) => Ok((workspace, record)),
            Err(failure) => {
                remove(&workspace).await;
                Err(failure)
            }
        }
    }

    async fn fetch(&self, source: &SourceSpec, preparation: &Preparation, log: &mut TaskLog) -> Result<Record, TaskFailure> {
        let (commit, commit_message) = match source {
            SourceSpec::Git { url, branch, commit } => {
                let wanted = commit.as_deref();
                if wanted.is_some_and(|commit| !git::is_commit_id(commit)) {
                    return Err(TaskFailure::new("COMMIT_NOT_FOUND", "the commit is not named by its full id")
                        .fix("Give all 40 characters of the commit id."));
                }
                log.line(format!("Fetching {url}, branch {branch}")).await;
                log.flush().await;
                let commit = git::fetch(url, branch, wanted, &preparation.files, &preparation.scratch, &self.config.git_limits()).await?;
                log.line(format!(
                    "Commit {}: {}",
                    &commit.id[..12.min(commit.id.len())],
                    commit.message.lines().next().unwrap_or_default()
                ))
                .await;
                if commit.has_submodules {
                    log.line("Note: the repository has submodules; they are not fetched, so their folders are empty.").await;
                }
                if is_lfs(&preparation.files) {
                    log.line("Note: the repository uses Git LFS; its files are not fetched, only the references to them.").await;
                }
                (Some(commit.id), Some(commit.message))
            }
            SourceSpec::Upload { sha256, size_bytes } => {
                log.line(format!("Unpacking the uploaded archive ({} KiB)", size_bytes.div_ceil(1024))).await;
                log.flush().await;
                let entries = self.unpack_upload(*sha256, *size_bytes, preparation).await?;
                log.line(format!("Unpacked {entries} entries")).await;
                (None, None)
            }
        };
        Ok(Record { source: source.clone(), commit, commit_message, fetched_at: self.clock.now() })
    }

    async fn unpack_upload(&self, sha256: Sha256Digest, size_bytes: u64, preparation: &Preparation) -> Result<u64, TaskFailure> {
        if size_bytes > MAX_BLOB_BYTES {
            return Err(TaskFailure::new("SOURCE_TOO_LARGE", format!("the archive is larger than {} MiB", MAX_BLOB_BYTES >> 20))
                .fix("Leave out dependencies and generated files; they are made during the build."));
        }
        let archive = preparation.scratch.join("archive.tar.gz");
        self.blobs.fetch(sha256, &archive, MAX_BLOB_BYTES).await.map_err(|error| from_blob(&error))?;
        let stop = StopOnDrop::default();
        let (flag, files, limits) = (Arc::clone(&stop.0), preparation.files.clone(), self.config.unpack);
        let unpacking = tokio::task::spawn_blocking(move || {
            let file = File::open(&archive).map_err(UnpackError::Write)?;
            unpack(BufReader::with_capacity(64 * 1024, file), &files, limits, &flag)
        });
        let unpacked = unpacking
            .await
            .map_err(|_| TaskFailure::new("NODE_FAULT", "unpacking the source stopped unexpectedly").fix("Deploy again."))?;
        unpacked.map(|unpacked| unpacked.entries).map_err(|error| from_unpack(&error, self.config.unpack))
    }
}

/// Ends blocking work when the future that waits for it is dropped.
#[derive(Default)]
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn from_unpack(error: &UnpackError, limits: UnpackLimits) -> TaskFailure {
    match error {
        UnpackError::Rejected { entry, .. } => {
            let mut failure = TaskFailure::new("ARCHIVE_REJECTED", format!("the uploaded archive cannot be unpacked: {error}")).fix(format!(
                "Make a gzip-compressed tar archive of the source alone: files, directories and links that stay inside it, at most {} MiB and {} entries \
                 unpacked. `slipway deploy` makes such an archive.",
                limits.total_bytes >> 20,
                limits.entries
            ));
            failure.file.clone_from(entry);
            failure
        }
        UnpackError::Write(error) => disk(error),
        UnpackError::Canceled => TaskFailure::new("CANCELED", "unpacking was stopped"),
    }
}

fn is_lfs(files: &Path) -> bool {
    let attributes = files.join(".gitattributes");
    let small = std::fs::symlink_metadata(&attributes).is_ok_and(|data| data.is_file() && data.len() < 1 << 20);
    small && std::fs::read_to_string(attributes).is_ok_and(|text| text.contains("filter=lfs"))
}

/// Removes a workspace; what cannot be removed now is swept later.
pub(super) async fn remove(workspace: &Workspace) {
    let workspace = workspace.clone();
    let removed = tokio::task::spawn_blocking(move || workspace.remove()).await;
    if let Ok(Err(error)) = removed {
        tracing::warn!(%error, "cannot remove a build's folder");
    }
}
