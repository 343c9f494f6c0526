//! The time of the files that are checked out. Git knows none, and gives them that of the checkout; the commit's own makes the same commit
//! the same tree on every node, to the times that web servers tell browsers.

use std::{fs, io, path::Path};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

/// Gives all files below `directory` that time, in seconds since 1970. One that cannot be changed keeps its own: nothing but a browser's
/// cache depends on it.
pub async fn set(directory: &Path, seconds: i64) {
    if seconds <= 0 {
        return;
    }
    let directory = directory.to_owned();
    let set = tokio::task::spawn_blocking(move || below(&directory, seconds)).await;
    if let Ok(Err(error)) = set {
        tracing::warn!(%error, "files keep the time of their checkout");
    }
}

fn below(directory: &Path, seconds: i64) -> io::Result<()> {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            below(&entry.path(), seconds)?;
        } else {
            rustix::fs::utimensat(CWD, entry.path(), &times, AtFlags::SYMLINK_NOFOLLOW)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[tokio::test]
    async fn files_get_the_time_and_what_links_lead_to_does_not() {
        let (tree, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(tree.path().join("a")).unwrap();
        fs::write(tree.path().join("a/b"), "").unwrap();
        fs::write(outside.path().join("c"), "").unwrap();
        std::os::unix::fs::symlink(outside.path(), tree.path().join("directory")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("c"), tree.path().join("file")).unwrap();
        set(tree.path(), 1_700_000_000).await;
        let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
        let wanted = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(modified(&tree.path().join("a/b")), wanted);
        assert_ne!(modified(&outside.path().join("c")), wanted);
    }
}
