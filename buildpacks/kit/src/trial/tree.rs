//! Trees of files on disk.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use walkdir::WalkDir;

/// 2001, for files that did not change since.
const LONG_AGO: Duration = Duration::from_secs(1_000_000_000);

/// A copy.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    write(entries(from)?, from, to)
}

/// A copy whose files were made in the opposite order, a long time ago.
pub fn copy_backwards(from: &Path, to: &Path) -> io::Result<()> {
    let mut backwards = entries(from)?;
    backwards.reverse();
    write(backwards, from, to)?;
    for file in files(to)? {
        File::options().write(true).open(to.join(file))?.set_modified(SystemTime::UNIX_EPOCH + LONG_AGO)?;
    }
    Ok(())
}

/// The files of a tree, sorted, relative to it. Links are none.
pub fn files(tree: &Path) -> io::Result<Vec<PathBuf>> {
    let is_file = |path: &PathBuf| tree.join(path).symlink_metadata().is_ok_and(|about| about.is_file());
    Ok(entries(tree)?.into_iter().filter(is_file).collect())
}

fn entries(tree: &Path) -> io::Result<Vec<PathBuf>> {
    let walk = WalkDir::new(tree).min_depth(1).sort_by_file_name();
    let below = |entry: walkdir::DirEntry| entry.path().strip_prefix(tree).map(Path::to_owned).map_err(io::Error::other);
    walk.into_iter().map(|entry| below(entry?)).collect()
}

fn write(paths: Vec<PathBuf>, from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for path in paths {
        let (source, target) = (from.join(&path), to.join(&path));
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let about = source.symlink_metadata()?;
        if about.is_dir() {
            fs::create_dir_all(&target)?;
        } else if about.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
        } else {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_holds_files_links_and_empty_directories() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(from.path().join("a/empty")).unwrap();
        fs::write(from.path().join("a/file"), "text").unwrap();
        std::os::unix::fs::symlink("file", from.path().join("a/link")).unwrap();
        copy_backwards(from.path(), &to.path().join("copy")).unwrap();
        let copy = to.path().join("copy");
        assert_eq!(files(&copy).unwrap(), [PathBuf::from("a/file")]);
        assert!(copy.join("a/empty").is_dir() && copy.join("a/link").is_symlink());
        assert_eq!(copy.join("a/file").metadata().unwrap().modified().unwrap(), SystemTime::UNIX_EPOCH + LONG_AGO);
    }
}
