//! The folder in which one deployment's source lies between its plan and its build: `<data_dir>/builds/<deployment>/`.
//!
//! `src/` appears whole, by a rename, and `source.json` after it says what it is; anything else in the folder is work that was broken off.
//! Only folders whose name is a deployment's id are ever removed.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use slipway_model::{DeploymentId, Timestamp};
use slipway_protocol::SourceSpec;

#[derive(Debug, Clone)]
pub struct Workspace {
    folder: PathBuf,
}

/// What lies in `src/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub source: SourceSpec,
    /// For Git, the commit that was checked out.
    pub commit: Option<String>,
    pub commit_message: Option<String>,
    pub fetched_at: Timestamp,
}

impl Record {
    /// Whether this is what `wanted` asks for. The build task names the commit that the plan task found.
    #[must_use]
    pub fn satisfies(&self, wanted: &SourceSpec) -> bool {
        match (&self.source, wanted) {
            (SourceSpec::Git { url: a, branch: b, .. }, SourceSpec::Git { url, branch, commit }) => {
                a == url && b == branch && commit.is_some() && commit == &self.commit
            }
            (have, wanted) => have == wanted,
        }
    }
}

impl Workspace {
    #[must_use]
    pub fn of(data_dir: &Path, deployment: DeploymentId) -> Self {
        Self { folder: root(data_dir).join(deployment.to_string()) }
    }

    /// The source, if [`Self::record`] says that it is there.
    #[must_use]
    pub fn source(&self) -> PathBuf {
        self.folder.join("src")
    }

    #[must_use]
    pub fn record(&self) -> Option<Record> {
        let record = serde_json::from_slice(&fs::read(self.record_path()).ok()?).ok()?;
        self.source().is_dir().then_some(record)
    }

    /// Empties the folder and gives back where to prepare: an empty directory for the source and one for everything else.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn begin(&self) -> io::Result<Preparation> {
        self.remove()?;
        let preparation = Preparation { files: self.folder.join("src.partial"), scratch: self.folder.join("scratch") };
        fs::create_dir_all(&preparation.files)?;
        // A customer's source is for the agent alone, whoever else has an account on the machine.
        fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700))?;
        fs::create_dir_all(&preparation.scratch)?;
        Ok(preparation)
    }

    /// Makes what was prepared the source.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn complete(&self, preparation: &Preparation, record: &Record) -> io::Result<()> {
        fs::remove_dir_all(&preparation.scratch)?;
        fs::rename(&preparation.files, self.source())?;
        let partial = self.folder.join("source.json.partial");
        fs::write(&partial, serde_json::to_vec(record)?)?;
        fs::rename(partial, self.record_path())
    }

    /// # Errors
    /// Those of the file system, save that it is gone already.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn record_path(&self) -> PathBuf {
        self.folder.join("source.json")
    }
}

pub struct Preparation {
    pub files: PathBuf,
    pub scratch: PathBuf,
}

fn root(data_dir: &Path) -> PathBuf {
    data_dir.join("builds")
}

/// Removes the folders of deployments that nothing has touched for `age`: their build never came.
///
/// # Errors
/// Those of the file system.
pub fn sweep(data_dir: &Path, now: Timestamp, age: Duration) -> io::Result<usize> {
    let entries = match fs::read_dir(root(data_dir)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        let Some(deployment) = entry.file_name().to_str().and_then(|name| name.parse::<DeploymentId>().ok()) else { continue };
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let touched = Timestamp::from(entry.metadata()?.modified()?);
        if (now - touched).to_std().is_ok_and(|idle| idle > age) {
            Workspace::of(data_dir, deployment).remove()?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use slipway_model::system_clock;

    use super::*;

    fn git(commit: Option<&str>) -> SourceSpec {
        SourceSpec::Git { url: "https://git.example/a".parse().unwrap(), branch: "main".parse().unwrap(), commit: commit.map(Into::into) }
    }

    #[test]
    fn a_source_counts_only_once_it_is_complete() {
        let data = tempfile::tempdir().unwrap();
        let workspace = Workspace::of(data.path(), DeploymentId::new(&*system_clock()));
        let record = Record { source: git(None), commit: Some("c".into()), commit_message: None, fetched_at: system_clock().now() };
        let preparation = workspace.begin().unwrap();
        fs::write(preparation.files.join("a"), "a").unwrap();
        assert_eq!(workspace.record(), None);
        workspace.complete(&preparation, &record).unwrap();
        assert_eq!(workspace.record(), Some(record));
        assert_eq!(fs::read_to_string(workspace.source().join("a")).unwrap(), "a");
        assert!(!preparation.scratch.exists());
        workspace.begin().unwrap();
        assert_eq!(workspace.record(), None);
        workspace.remove().unwrap();
        workspace.remove().unwrap();
    }

    #[test]
    fn the_source_of_a_plan_serves_the_build_of_the_same_commit_only() {
        let record = Record { source: git(None), commit: Some("c".into()), commit_message: None, fetched_at: system_clock().now() };
        assert!(record.satisfies(&git(Some("c"))));
        assert!(!record.satisfies(&git(Some("d"))));
        assert!(!record.satisfies(&git(None)), "the branch may have moved on");
    }

    #[test]
    fn sweeping_removes_only_what_is_old_and_ours() {
        let data = tempfile::tempdir().unwrap();
        let clock = system_clock();
        let ours = DeploymentId::new(&*clock);
        for name in [ours.to_string(), "somebody-elses".into()] {
            fs::create_dir_all(data.path().join("builds").join(name)).unwrap();
        }
        assert_eq!(sweep(data.path(), clock.now(), Duration::from_secs(60)).unwrap(), 0);
        assert_eq!(sweep(data.path(), clock.now() + chrono::TimeDelta::seconds(120), Duration::from_secs(60)).unwrap(), 1);
        assert!(!data.path().join("builds").join(ours.to_string()).exists());
        assert!(data.path().join("builds/somebody-elses").exists());
        assert_eq!(sweep(&data.path().join("none"), clock.now(), Duration::ZERO).unwrap(), 0);
    }
}
