//! The archive that `deploy` uploads: what git would, so that `node_modules` and secrets in ignored files stay at home.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use ignore::WalkBuilder;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

pub struct Archive {
    pub file: NamedTempFile,
    pub sha256: String,
    pub size_bytes: u64,
    pub files: usize,
}

/// Packs `directory` with sorted names and without owners, so that the same files give the same digest. The times stay: web servers tell
/// browsers by them what has changed.
pub fn pack(directory: &Path) -> Result<Archive> {
    ensure!(directory.is_dir(), "{} is not a folder", directory.display());
    let paths = paths(directory)?;
    ensure!(!paths.is_empty(), "{} holds no files (those that git ignores are left out)", directory.display());
    let file = NamedTempFile::new()?;
    let digest = HashingWriter { inner: file.reopen()?, hash: Sha256::new(), written: 0 };
    let mut archive = tar::Builder::new(GzEncoder::new(digest, Compression::fast()));
    archive.mode(tar::HeaderMode::Deterministic);
    archive.follow_symlinks(false);
    for path in &paths {
        append(&mut archive, &directory.join(path), path).with_context(|| path.display().to_string())?;
    }
    let digest = archive.into_inner()?.finish()?;
    digest.inner.sync_all()?;
    Ok(Archive { file, sha256: hex::encode(digest.hash.finalize()), size_bytes: digest.written, files: paths.len() })
}

fn append(archive: &mut tar::Builder<impl io::Write>, file: &Path, name: &Path) -> io::Result<()> {
    if file.is_symlink() {
        return archive.append_path_with_name(file, name);
    }
    let content = File::open(file)?;
    let about = content.metadata()?;
    let mut header = tar::Header::new_gnu();
    header.set_metadata_in_mode(&about, tar::HeaderMode::Deterministic);
    // Before 1970 there was no source code.
    header.set_mtime(about.modified()?.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
    archive.append_data(&mut header, name, content.take(about.len()))
}

/// Relative paths, sorted: `.gitignore` and its kin respected (also outside a repository), dotfiles kept, `.git` left out.
fn paths(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    let mut walk = WalkBuilder::new(directory);
    walk.hidden(false).require_git(false).ignore(false).follow_links(false).filter_entry(|entry| entry.file_name() != ".git");
    for entry in walk.build() {
        let entry = entry?;
        let kind = entry.file_type().context("an entry below a folder has a type")?;
        if kind.is_file() || kind.is_symlink() {
            paths.push(entry.path().strip_prefix(directory)?.to_owned());
        }
    }
    paths.sort();
    Ok(paths)
}

struct HashingWriter<W> {
    inner: W,
    hash: Sha256,
    written: u64,
}

impl<W: io::Write> io::Write for HashingWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.hash.update(&buffer[..written]);
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_git_ignores_stays_at_home() {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in
            [(".gitignore", "node_modules\n.env\n"), ("app.js", "1"), (".env", "SECRET=1"), (".npmrc", ""), ("node_modules/a.js", "")]
        {
            fs::create_dir_all(directory.path().join(path).parent().unwrap()).unwrap();
            fs::write(directory.path().join(path), text).unwrap();
        }
        let names: Vec<String> = paths(directory.path()).unwrap().iter().map(|path| path.display().to_string()).collect();
        assert_eq!(names, [".gitignore", ".npmrc", "app.js"]);
    }

    #[test]
    fn the_same_files_give_the_same_digest() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let day = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        for directory in [&one, &other] {
            for (name, text) in [("b", "2"), ("a", "1")] {
                let path = directory.path().join(name);
                fs::write(&path, text).unwrap();
                File::options().write(true).open(path).unwrap().set_modified(day).unwrap();
            }
        }
        let digest = || pack(one.path()).unwrap().sha256;
        assert_eq!(digest(), pack(other.path()).unwrap().sha256);
        let before = digest();
        File::options().write(true).open(one.path().join("a")).unwrap().set_modified(day + Duration::from_secs(1)).unwrap();
        assert_ne!(digest(), before, "a file that was written anew is another, to browsers too");
    }

    #[test]
    fn an_empty_folder_is_refused() {
        assert!(pack(tempfile::tempdir().unwrap().path()).is_err());
    }
}
